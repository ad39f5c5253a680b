"""Files that are open to be walked, made of entries: of those, too, that no writer writes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rdcompose.inspect.artifact import Kind
from rdcompose.inspect.opened import Opened
from rdcompose.inspect.walks import Located, Part, Walk
from rdcompose.tree import File

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

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


def walked_parts(*segments: tuple[str, Sequence[Entry]]) -> Opened:
    """Return an initramfs of segments, each a compressor and entries.

    Files with the same object as content are one file.
    """
    parts = [
        Part(label=f"segment {number}", offset=512 * number, size=512, compression=name)
        for number, (name, _) in enumerate(segments)
    ]
    contents = [
        id(entry.content) for _, entries in segments for entry in entries if isinstance(entry, File)
    ]
    found = [
        Located(number, entry, MTIME, _links(entry, contents))
        for number, (_, entries) in enumerate(segments)
        for entry in entries
    ]
    return Opened(Path("image"), "image", Kind.INITRAMFS, 512, walk=_Entries(parts, found))


def _links(entry: Entry, contents: Sequence[int]) -> int:
    return contents.count(id(entry.content)) if isinstance(entry, File) else 1
