"""Fragment blocks: files smaller than a block, packed together, and their table.

Only whole small files are packed. The last piece of a longer file is a short block of its
own: on kernel modules that comes out as small as packing the pieces too, and reading such
a file never unpacks a block that is full of others.

Which files share a block may follow from more files than are in the image: then images that
leave out different ones have most of their blocks in common.

References:
- squashfs-tools-ng, ``doc/format.adoc``, section "Fragment Table"
"""

from __future__ import annotations

import dataclasses
import struct
from typing import TYPE_CHECKING, Final

from rdcompose.formats.squashfs.metadata import lookup_table
from rdcompose.formats.squashfs.superblock import NO_TABLE
from rdcompose.tree import encode_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

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
    """Decides by sizes alone which fragment block a file goes to.

    So no content is read before its block is compressed. Files keep their order: those of
    one directory, which are alike, share a block.
    """

    def __init__(self, block_size: int) -> None:
        self._block_size = block_size
        self._open: list[File] = []
        self._filled = 0
        self._used = 0
        self._number = 0

    def add(self, file: File) -> tuple[Place, tuple[File, ...]]:
        """Place a file of less than a block; return also a block that it completes.

        The completed block, which is empty most of the time, is the one before the file's.
        """
        done = self.leave_out(file.content.size)
        place = Place(self._number, self._used)
        self._open.append(file)
        self._used += file.content.size
        return place, done

    def leave_out(self, size: int) -> tuple[File, ...]:
        """Keep the room of a file that is not stored here; return a block that it completes."""
        done = self.take() if self._filled + size > self._block_size else ()
        self._filled += size
        return done

    def take(self) -> tuple[File, ...]:
        """Close the open block and return what is in it, which may be nothing."""
        files = tuple(self._open)
        self._number += bool(files)
        self._open.clear()
        self._filled = self._used = 0
        return files


class LeftOut:
    """Files that have room in the blocks and are not in the image: sizes by path."""

    def __init__(self, sizes: Mapping[str, int], block_size: int) -> None:
        small = ((_place(path), size) for path, size in sizes.items() if size < block_size)
        # The next one is the last.
        self._sizes = sorted(small, reverse=True)

    def before(self, path: str) -> Iterator[int]:
        """Yield the sizes of those that would be before a file, and were not yielded yet."""
        if not self._sizes:
            return
        place = _place(path)
        while self._sizes and self._sizes[-1][0] < place:
            yield self._sizes.pop()[1]


def _place(path: str) -> tuple[bytes, bytes]:
    """Sort key for the order of files in an image: that of directories, then of names."""
    folder, _, name = path.rpartition("/")
    return encode_name(folder).replace(b"/", b"\0"), encode_name(name)


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
