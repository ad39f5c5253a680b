"""Extended attributes: in the inode where there is room, else in a block of the file's own.

Capabilities of programs and access lists are such. The kernel's form of an access list, which
getxattr(2) gives, is not the one on the disk.

References:
- Documentation/filesystems/ext4/attributes.rst of Linux
- fs/ext4/acl.h and include/uapi/linux/posix_acl_xattr.h of Linux
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final, NamedTuple

from rdcompose.errors import UnsupportedError
from rdcompose.formats.ext4.checksum import crc32c
from rdcompose.formats.ext4.geometry import BLOCK

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MAGIC: Final = 0xEA02_0000
_MAGIC: Final = struct.pack("<I", MAGIC)
# name length, index of the prefix, offset of the value, inode of the value, its size, hash
_ENTRY: Final = struct.Struct("<2BH3I")
_BLOCK_HEADER: Final = struct.Struct("<5I12x")
# Longest first: what is left of the name is stored.
_PREFIXES: Final = (
    (b"system.posix_acl_access", 2),
    (b"system.posix_acl_default", 3),
    (b"security.", 6),
    (b"trusted.", 4),
    (b"user.", 1),
)
_ACLS: Final = frozenset({2, 3})
_MASK: Final = 0xFFFF_FFFF

# An access list: version, then tag, permissions and identity of each entry.
_ACL_VERSION: Final = struct.Struct("<I")
_ACL_ENTRY: Final = struct.Struct("<2HI")
_ACL_SHORT: Final = struct.Struct("<2H")
_ACL_KERNEL: Final = 2
_ACL_DISK: Final = 1
_ACL_NAMED: Final = frozenset({0x02, 0x08})  # a user, a group


class Stored(NamedTuple):
    """One attribute as it is stored."""

    prefix: int
    name: bytes
    value: bytes

    @property
    def hash(self) -> int:
        """What the kernel keeps beside it, over name and value."""
        total = 0
        for byte in self.name:
            total = total << 5 & _MASK ^ total >> 27 ^ byte
        padded = self.value.ljust(-(-len(self.value) // 4) * 4, b"\0")
        for word in struct.unpack(f"<{len(padded) // 4}I", padded):
            total = total << 16 & _MASK ^ total >> 16 ^ word
        return total


def stored_attributes(attributes: Iterable[tuple[str, bytes]]) -> tuple[Stored, ...]:
    """Return attributes in the order and form in which they are stored.

    :raises UnsupportedError: one has a name or value that ext4 does not know.
    """
    found = [_stored(name, value) for name, value in attributes]
    return tuple(sorted(found, key=lambda item: (item.prefix, len(item.name), item.name)))


def _stored(name: str, value: bytes) -> Stored:
    raw = name.encode("utf-8", "surrogateescape")
    for prefix, index in _PREFIXES:
        if raw.startswith(prefix):
            own = raw.removeprefix(prefix)
            if index in _ACLS and not own:
                return Stored(index, b"", _access_list(name, value))
            if index not in _ACLS and 0 < len(own) <= 0xFF:
                return Stored(index, own, value)
    raise UnsupportedError(f"ext4 cannot hold the extended attribute {name!r}")


def _access_list(name: str, value: bytes) -> bytes:
    count, rest = divmod(len(value) - _ACL_VERSION.size, _ACL_ENTRY.size)
    if count < 0 or rest or _ACL_VERSION.unpack_from(value) != (_ACL_KERNEL,):
        raise UnsupportedError(f"the access list {name!r} is damaged")
    packed = [_ACL_VERSION.pack(_ACL_DISK)]
    for tag, mode, owner in _ACL_ENTRY.iter_unpack(value[_ACL_VERSION.size :]):
        named = tag in _ACL_NAMED
        packed.append(_ACL_ENTRY.pack(tag, mode, owner) if named else _ACL_SHORT.pack(tag, mode))
    return b"".join(packed)


def in_inode(attributes: Sequence[Stored], room: int) -> bytes | None:
    """Return what stands behind the fields of an inode, ``None`` if it does not fit."""
    body = _body(attributes, room - len(_MAGIC), 0)
    return None if body is None else _MAGIC + body


def attribute_block(attributes: Sequence[Stored], place: int, seed: int) -> bytes:
    """Return the block ``place`` of a file with these attributes.

    :raises UnsupportedError: they do not fit into one.
    """
    body = _body(attributes, BLOCK - _BLOCK_HEADER.size, _BLOCK_HEADER.size)
    if body is None:
        raise UnsupportedError("the extended attributes of a file are too large for ext4")
    total = 0
    for item in attributes:
        total = total << 16 & _MASK ^ total >> 16 ^ item.hash
    start = crc32c(seed, struct.pack("<Q", place))
    checksum = crc32c(start, _BLOCK_HEADER.pack(MAGIC, 1, 1, total, 0) + body)
    return _BLOCK_HEADER.pack(MAGIC, 1, 1, total, checksum) + body


def _body(attributes: Sequence[Stored], room: int, base: int) -> bytes | None:
    """Return entries from the front, values from the back; offsets start at ``base``."""
    entries = bytearray()
    values = b""
    for item in attributes:
        values = item.value.ljust(-(-len(item.value) // 4) * 4, b"\0") + values
        offset = base + room - len(values) if item.value else 0
        record = _ENTRY.pack(
            len(item.name), item.prefix, offset & 0xFFFF, 0, len(item.value), item.hash
        )
        entries += record + item.name.ljust(-(-len(item.name) // 4) * 4, b"\0")
    # Four zeros end the entries.
    gap = room - len(entries) - len(values)
    return bytes(entries) + bytes(gap) + values if gap >= 4 else None
