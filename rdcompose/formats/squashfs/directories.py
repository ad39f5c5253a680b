"""Directory listings, and the index of long ones.

A listing is a series of runs: a header with the block of the inodes and a base inode number,
and up to 256 names. A listing that runs over metadata blocks gets an index, by which
the kernel finds the run of a name without unpacking the blocks before it.

References:
- squashfs-tools-ng, ``doc/format.adoc``, section "Directory Table"
- Linux, ``get_dir_index_using_name`` in ``fs/squashfs/namei.c``
"""

from __future__ import annotations

import dataclasses
import struct
from typing import TYPE_CHECKING, Final

from rdcompose.formats.squashfs.compressors import METADATA_SIZE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rdcompose.formats.squashfs.metadata import MetadataWriter

MAX_RUN: Final = 256
_MAX_INDEX: Final = 0xFFFF
_MIN_DELTA: Final = -0x8000
_MAX_DELTA: Final = 0x7FFF
# number of names - 1, block of the inodes, base inode number
RUN_RECORD: Final = struct.Struct("<3I")
# offset of the inode in its block, inode number - base, type, length of the name - 1
NAME_RECORD: Final = struct.Struct("<HhHH")
# offset of a run in the listing, block of the listing, length of the name - 1
_INDEX: Final = struct.Struct("<3I")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """One name in a directory, and the inode it stands for."""

    name: bytes
    kind: int
    number: int
    block: int
    offset: int

    def size(self) -> int:
        """Length of the record."""
        return NAME_RECORD.size + len(self.name)


@dataclasses.dataclass(frozen=True, slots=True)
class IndexEntry:
    """The first name of a run, and where the run is."""

    position: int
    block: int
    name: bytes

    def pack(self) -> bytes:
        """Return the record as it follows an extended directory inode."""
        return _INDEX.pack(self.position, self.block, len(self.name) - 1) + self.name


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """Where a listing is in the directory table; ``size`` counts its own bytes only."""

    block: int
    offset: int
    size: int
    index: tuple[IndexEntry, ...] = ()


def write_listing(table: MetadataWriter, children: Sequence[Child]) -> Listing:
    """Write a listing; the children are sorted by the bytes of their names."""
    block, offset = table.position
    index: list[IndexEntry] = []
    size = indexed = 0
    for run in _runs(children):
        length = RUN_RECORD.size + sum(child.size() for child in run)
        # A run goes into the index where the previous one there is a block away.
        if size + length - indexed > METADATA_SIZE and size and len(index) < _MAX_INDEX:
            index.append(IndexEntry(size, table.position[0], run[0].name))
            indexed = size
        table.write(_pack_run(run))
        size += length
    return Listing(block=block, offset=offset, size=size, index=tuple(index))


def _runs(children: Sequence[Child]) -> Iterator[Sequence[Child]]:
    begin = size = 0
    for end, child in enumerate(children):
        first = children[begin]
        size += child.size()
        if end > begin and (
            end - begin == MAX_RUN
            or child.block != first.block
            or not _MIN_DELTA <= child.number - first.number <= _MAX_DELTA
            # Long names: no run is longer than what one index entry may stand for.
            or RUN_RECORD.size + size > METADATA_SIZE
        ):
            yield children[begin:end]
            begin, size = end, child.size()
    if children:
        yield children[begin:]


def _pack_run(run: Sequence[Child]) -> bytes:
    first = run[0]
    parts = [RUN_RECORD.pack(len(run) - 1, first.block, first.number)]
    for child in run:
        delta = child.number - first.number
        parts.append(NAME_RECORD.pack(child.offset, delta, child.kind, len(child.name) - 1))
        parts.append(child.name)
    return b"".join(parts)
