"""Metadata blocks: how squashfs stores every table.

A table is a stream of records cut into pieces of 8 KiB, each compressed by itself and
preceded by a 16-bit length whose top bit says "stored as it is". A record is found by the
offset of its block in the stored table and its own offset in the unpacked block.

References:
- squashfs-tools-ng, ``doc/format.adoc``, section "Packing Metadata"
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from rdcompose.formats.squashfs.compressors import METADATA_SIZE

if TYPE_CHECKING:
    from rdcompose.formats.squashfs.compressors import Compress

STORED: Final = 0x8000
LENGTH: Final = struct.Struct("<H")


def stored_block(data: bytes) -> bytes:
    """Return a metadata block that is not compressed."""
    return LENGTH.pack(len(data) | STORED) + data


def _pack_block(data: bytes, compress: Compress) -> bytes:
    packed = compress(data)
    if len(packed) >= len(data):
        return stored_block(data)
    return LENGTH.pack(len(packed)) + packed


class MetadataWriter:
    """Collects the records of one table."""

    def __init__(self, compress: Compress) -> None:
        self._compress = compress
        self._pending = bytearray()
        self._blocks: list[bytes] = []
        self._stored = 0

    @property
    def position(self) -> tuple[int, int]:
        """Where the next record goes: offset of its block in the table, offset inside."""
        return self._stored, len(self._pending)

    def write(self, record: bytes) -> None:
        """Append a record; it may run over into the next block."""
        self._pending += record
        # At once, so that a position never lies at the end of a full block.
        while len(self._pending) >= METADATA_SIZE:
            self._flush()

    def _flush(self) -> None:
        block = _pack_block(bytes(self._pending[:METADATA_SIZE]), self._compress)
        del self._pending[:METADATA_SIZE]
        self._blocks.append(block)
        self._stored += len(block)

    def finish(self) -> bytes:
        """Return the stored table; nothing may be written after this."""
        if self._pending:
            self._flush()
        return b"".join(self._blocks)


def lookup_table(records: bytes, compress: Compress, start: int) -> tuple[bytes, int]:
    """Return the two levels of a table of equal records, and where its second one starts.

    The superblock points to the second level: the 64-bit offsets, from the start of the
    image, of the metadata blocks. ``start`` is the offset at which the caller puts the table.
    """
    blocks: list[bytes] = []
    offsets: list[int] = []
    position = start
    for begin in range(0, len(records), METADATA_SIZE):
        block = _pack_block(records[begin : begin + METADATA_SIZE], compress)
        blocks.append(block)
        offsets.append(position)
        position += len(block)
    blocks.append(struct.pack(f"<{len(offsets)}Q", *offsets))
    return b"".join(blocks), position
