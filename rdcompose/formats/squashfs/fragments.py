"""Fragment blocks: files smaller than a block, packed together, and their table.

Only whole small files are packed. The last piece of a longer file is a short block of its
own: on kernel modules that comes out as small as packing the pieces too, and reading such
a file never unpacks a block that is full of others.

References:
- squashfs-tools-ng, ``doc/format.adoc``, section "Fragment Table"
"""

from __future__ import annotations

import dataclasses
import struct
from typing import TYPE_CHECKING, Final

from rdcompose.formats.squashfs.metadata import lookup_table
from rdcompose.formats.squashfs.superblock import NO_TABLE

if TYPE_CHECKING:
    from rdcompose.formats.squashfs.compressors import Compress
    from rdcompose.tree import File

# start in the image, size as stored, unused
FRAGMENT_RECORD: Final = struct.Struct("<Q2I")


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """Where a small file is: number of the fragment block, and offset in it."""

    fragment: int
    offset: int


class FragmentPacker:
    """Decides by size alone which fragment block a file goes to.

    So no content is read before its block is compressed. Files keep their order: those of
    one directory, which are alike, share a block.
    """

    def __init__(self, block_size: int) -> None:
        self._block_size = block_size
        self._open: list[File] = []
        self._filled = 0
        self._number = 0

    def add(self, file: File) -> tuple[Place, tuple[File, ...]]:
        """Place a file of less than a block; return also a block that it completes.

        The completed block, which is empty most of the time, is the one before the file's.
        """
        size = file.content.size
        done = self.take() if self._filled + size > self._block_size else ()
        place = Place(self._number, self._filled)
        self._open.append(file)
        self._filled += size
        return place, done

    def take(self) -> tuple[File, ...]:
        """Close the open block and return what is in it."""
        files = tuple(self._open)
        if files:
            self._number += 1
            self._open.clear()
            self._filled = 0
        return files


class FragmentTable:
    """Where the fragment blocks are, in the order of their numbers."""

    def __init__(self) -> None:
        self._records: list[bytes] = []

    def add(self, start: int, stored_size: int) -> None:
        """Append a block; bit 24 of the size means not compressed."""
        self._records.append(FRAGMENT_RECORD.pack(start, stored_size, 0))

    def __len__(self) -> int:
        return len(self._records)

    def pack(self, compress: Compress, start: int) -> tuple[bytes, int]:
        """Return the table as stored and the offset for the superblock."""
        if not self._records:
            return b"", NO_TABLE
        return lookup_table(b"".join(self._records), compress, start)
