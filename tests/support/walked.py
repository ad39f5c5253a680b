"""Files that are open to be walked, made of entries: of those, too, that no writer writes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rdcompose.inspect.artifact import Kind
from rdcompose.inspect.opened import Opened
from rdcompose.inspect.walks import Located, Part, Walk

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rdcompose.tree import Entry

MTIME = 1_700_000_000


class _Entries(Walk):
    def __init__(self, given: list[Part], located: list[Located]) -> None:
        super().__init__()
        self._given = given
        self._located = located

    def _walk(self) -> Iterator[Located]:
        for part in self._given:
            self._begin(part)
        yield from self._located


def walked(*entries: Entry) -> Opened:
    """Return an initramfs of one segment."""
    return walked_parts(("gzip", entries))


def walked_parts(*segments: tuple[str, Iterable[Entry]]) -> Opened:
    """Return an initramfs of segments, each a compressor and entries."""
    parts = [
        Part(label=f"segment {number}", offset=512 * number, size=512, compression=name)
        for number, (name, _) in enumerate(segments)
    ]
    found = [
        Located(number, entry, MTIME)
        for number, (_, entries) in enumerate(segments)
        for entry in entries
    ]
    return Opened(Path("image"), "image", Kind.INITRAMFS, 512, walk=_Entries(parts, found))
