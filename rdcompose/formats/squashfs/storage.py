"""Blocks of a squashfs image as they lie in the file, read and unpacked one at a time.

References:
- squashfs-tools-ng, ``doc/format.adoc``, sections "Packing Metadata" and "Storing Lists"
"""

from __future__ import annotations

import collections
import threading
from typing import TYPE_CHECKING, BinaryIO, Final

from rdcompose.errors import FormatError
from rdcompose.formats.squashfs.compressors import METADATA_SIZE
from rdcompose.formats.squashfs.metadata import LENGTH, STORED

if TYPE_CHECKING:
    import struct

    from rdcompose.formats.squashfs.unpackers import Unpack

# A size as stored: bit 24 of a data block says that it is not compressed.
DATA_STORED: Final = 1 << 24
# What is kept unpacked: 2 MiB of metadata, and the fragment blocks in use.
_METADATA_BLOCKS: Final = 256
_FRAGMENT_BLOCKS: Final = 4


class Storage:
    """The file of an image. Any thread may call; one at a time is served."""

    def __init__(self, source: BinaryIO, unpack: Unpack, *, block_size: int, end: int) -> None:
        self.block_size = block_size
        self._source = source
        self._unpack = unpack
        self._end = end
        self._lock = threading.Lock()
        self._metadata: collections.OrderedDict[int, tuple[bytes, int]] = collections.OrderedDict()
        self._fragments: collections.OrderedDict[int, bytes] = collections.OrderedDict()

    def data_block(self, position: int, stored: int) -> bytes:
        """Return a data block; ``stored`` is its size as an inode has it.

        :raises FormatError: it lies outside of the image, or is damaged.
        """
        size = stored & (DATA_STORED - 1)
        if stored > 2 * DATA_STORED or size > self.block_size:
            raise FormatError(f"a block of the squashfs image has the stored size {stored:#x}")
        with self._lock:
            data = self._read(position, size)
            # A compressor's context is for one thread at a time.
            return data if stored & DATA_STORED else self._unpack(data, self.block_size)

    def fragment_block(self, position: int, stored: int) -> bytes:
        """Return a fragment block, which is kept for the next file that is in it.

        :raises FormatError: it lies outside of the image, or is damaged.
        """
        with self._lock:
            if position in self._fragments:
                self._fragments.move_to_end(position)
                return self._fragments[position]
        data = self.data_block(position, stored)
        with self._lock:
            self._fragments[position] = data
            while len(self._fragments) > _FRAGMENT_BLOCKS:
                self._fragments.popitem(last=False)
        return data

    def metadata_block(self, position: int) -> tuple[bytes, int]:
        """Return a metadata block, and where the next one starts.

        :raises FormatError: it lies outside of the image, or is damaged.
        """
        with self._lock:
            if position not in self._metadata:
                self._metadata[position] = self._load_metadata(position)
                if len(self._metadata) > _METADATA_BLOCKS:
                    self._metadata.popitem(last=False)
            return self._metadata[position]

    def plain_number(self, position: int) -> int:
        """Return the 64-bit number that stands in the image itself.

        :raises FormatError: it lies outside of the image.
        """
        with self._lock:
            return int.from_bytes(self._read(position, 8), "little")

    def _load_metadata(self, position: int) -> tuple[bytes, int]:
        (header,) = LENGTH.unpack(self._read(position, LENGTH.size))
        size = header & (STORED - 1)
        if not 0 < size <= METADATA_SIZE:
            raise FormatError(f"a metadata block of the squashfs image has {size} bytes")
        data = self._read(position + LENGTH.size, size)
        block = data if header & STORED else self._unpack(data, METADATA_SIZE)
        if not block:
            raise FormatError("a metadata block of the squashfs image is empty")
        return block, position + LENGTH.size + size

    def _read(self, position: int, size: int) -> bytes:
        if position + size > self._end:
            raise FormatError(f"the squashfs image points to {position:#x}, outside of it")
        self._source.seek(position)
        data = self._source.read(size)
        if len(data) < size:
            raise FormatError(f"the squashfs image is cut short at {position + len(data):#x}")
        return data


class Cursor:
    """Reads on through the metadata blocks of a table, from a place in it."""

    def __init__(self, storage: Storage, block: int, offset: int) -> None:
        self._storage = storage
        self._next = block
        self._data = b""
        self._at = 0
        self._load()
        if offset >= len(self._data):
            raise FormatError("a reference of the squashfs image leads behind its block")
        self._at = offset

    def _load(self) -> None:
        self._data, self._next = self._storage.metadata_block(self._next)
        self._at = 0

    def read(self, size: int) -> bytes:
        """Return the next bytes, all that were asked for.

        :raises FormatError: the table ends, or is damaged.
        """
        piece = self._data[self._at : self._at + size]
        self._at += len(piece)
        if len(piece) == size:
            return piece
        pieces = [piece]
        left = size - len(piece)
        while left:
            self._load()
            piece = self._data[:left]
            self._at = len(piece)
            pieces.append(piece)
            left -= len(piece)
        return b"".join(pieces)

    def unpack(self, record: struct.Struct) -> tuple[int, ...]:
        """Return the fields of the next record.

        :raises FormatError: the table ends, or is damaged.
        """
        return record.unpack(self.read(record.size))


class LookupTable:
    """A table of equal records that is found through a list of its blocks.

    ``start`` is the superblock's offset: that of the list.
    """

    def __init__(self, storage: Storage, start: int, count: int, record: struct.Struct) -> None:
        self._storage = storage
        self._start = start
        self._count = count
        self._record = record

    def get(self, index: int) -> tuple[int, ...]:
        """Return the record of a number.

        :raises FormatError: there is none, or the table is damaged.
        """
        if index >= self._count:
            raise FormatError(f"the squashfs image points to record {index} of {self._count}")
        block, offset = divmod(index * self._record.size, METADATA_SIZE)
        position = self._storage.plain_number(self._start + 8 * block)
        return Cursor(self._storage, position, offset).unpack(self._record)
