"""The extended attributes of a tree: sets of them, each stored once.

An inode names a set by its number. What the attributes are stands in metadata blocks, and a
table of two levels tells where each set is; only this table's second level has a header.

Reference: squashfs-tools-ng, ``doc/format.adoc``, section "Extended Attribute Table".
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from rdcompose.errors import UnsupportedError
from rdcompose.formats.squashfs.inodes import NO_XATTR
from rdcompose.formats.squashfs.metadata import MetadataWriter, lookup_table
from rdcompose.formats.squashfs.superblock import NO_TABLE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rdcompose.formats.squashfs.compressors import Compress

_PREFIXES: Final = (("user.", 0), ("trusted.", 1), ("security.", 2))
# type, length of the name
_KEY: Final = struct.Struct("<2H")
_LENGTH: Final = struct.Struct("<I")
# place, number of attributes, their length
_SET: Final = struct.Struct("<Q2I")
# place of the attributes in the image, number of sets
_HEADER: Final = struct.Struct("<QI4x")
_MAX_NAME: Final = 0xFF
_MAX_VALUE: Final = 0xFFFF


class XattrTable:
    """Collects the sets of attributes of all inodes."""

    def __init__(self, compress: Compress) -> None:
        self._compress = compress
        self._attributes = MetadataWriter(compress)
        self._sets: dict[bytes, int] = {}
        self._records: list[bytes] = []

    def __len__(self) -> int:
        return len(self._records)

    def index(self, attributes: Sequence[tuple[str, bytes]]) -> int:
        """Return the number of a set; that of none is :data:`NO_XATTR`.

        :raises UnsupportedError: squashfs cannot hold one of the attributes.
        """
        if not attributes:
            return NO_XATTR
        packed = b"".join(_packed(name, value) for name, value in sorted(attributes))
        if packed not in self._sets:
            block, offset = self._attributes.position
            self._attributes.write(packed)
            self._sets[packed] = len(self._records)
            self._records.append(_SET.pack(block << 16 | offset, len(attributes), len(packed)))
        return self._sets[packed]

    def pack(self, start: int) -> tuple[bytes, int]:
        """Return the table for the offset ``start`` of the image, and where its header is."""
        if not self._records:
            return b"", NO_TABLE
        attributes = self._attributes.finish()
        table, second = lookup_table(
            b"".join(self._records), self._compress, start + len(attributes)
        )
        split = second - start - len(attributes)
        header = _HEADER.pack(start, len(self._records))
        return attributes + table[:split] + header + table[split:], second


def _packed(name: str, value: bytes) -> bytes:
    for prefix, kind in _PREFIXES:
        own = name.removeprefix(prefix).encode("utf-8", "surrogateescape")
        if name.startswith(prefix) and 0 < len(own) <= _MAX_NAME and len(value) <= _MAX_VALUE:
            return _KEY.pack(kind, len(own)) + own + _LENGTH.pack(len(value)) + value
    raise UnsupportedError(f"squashfs cannot hold the extended attribute {name!r}")
