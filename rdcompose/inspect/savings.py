"""What an initramfs would lose without some of its files: it is compressed again without them.

That is less than their share where others hold the same code, as static programs do.
"""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from rdcompose.formats import compression, cpio
from rdcompose.inspect.placing import Placing
from rdcompose.tree import Bytes, File, read_all

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Set

    from rdcompose.inspect.opened import Opened
    from rdcompose.tree import Entry, Tree

# Each thread holds a segment as it is written and packed, and the tables of a compressor.
_MEMORY: Final = 128 << 20
_TABLES: Final = 48 << 20
# What only others write is compressed as by this, to compare.
_INSTEAD: Final = "zstd"


def savings(
    image: Opened, leave_out: Mapping[str, Set[str]], level: int | None, threads: int
) -> dict[str, int]:
    """Return by how many bytes an initramfs is smaller without some paths, by their name.

    All of it is in memory meanwhile. ``level`` is that of its compressor, in segments that are
    compressed.

    :raises SpecError: it holds what cannot be written again.
    """
    segments: dict[int, Placing] = {}
    for located in image.entries():
        entry: Entry = located.entry
        if isinstance(entry, File):
            content = Bytes(read_all(entry.content))
            entry = File(path=entry.path, mode=entry.mode, content=content)
        segments.setdefault(located.part, Placing()).place(entry)
    found = dict.fromkeys(leave_out, 0)
    for number, segment in segments.items():
        packer = _Packer(segment.tree, image.parts[number].compression, level)
        here = {
            name: paths
            for name, paths in leave_out.items()
            if any(path in segment.tree for path in paths)
        }
        size = _TABLES + (image.parts[number].unpacked or 0)
        with ThreadPoolExecutor(max(1, min(threads, _MEMORY // size))) as pool:
            whole, *others = pool.map(packer.size, [set[str](), *here.values()])
        for name, other in zip(here, others, strict=True):
            found[name] += whole - other
    return found


class _Packer:
    """Writes and compresses the entries of a segment as rdcompose does."""

    def __init__(self, tree: Tree, name: str, level: int | None) -> None:
        self._tree = tree
        self._name = name if name in compression.NAMES else _INSTEAD
        self._level = level if compression.BY_NAME[self._name].levels else None

    def size(self, without: Collection[str]) -> int:
        out = io.BytesIO()
        entries = (entry for entry in self._tree if entry.path not in without)
        cpio.write_newc(out, entries, mtime=0)
        return len(compression.compress(self._name, out.getvalue(), self._level))
