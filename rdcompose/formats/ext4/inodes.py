"""The record of an inode, 256 bytes.

Reference: Documentation/filesystems/ext4/inodes.rst of Linux.
"""

from __future__ import annotations

import dataclasses
import struct
from typing import Final

from rdcompose.formats.ext4.checksum import crc32c
from rdcompose.formats.ext4.geometry import INODE

EXTENTS: Final = 0x8_0000
INDEXED: Final = 0x1000

REGULAR: Final = 0o100000
DIRECTORY: Final = 0o040000
SYMLINK: Final = 0o120000
# The types of inodes as directories have them.
FOLDER_KINDS: Final = {
    REGULAR: 1,
    DIRECTORY: 2,
    0o020000: 3,
    0o060000: 4,
    0o010000: 5,
    0o140000: 6,
    SYMLINK: 7,
}
# The fields behind the first 128 bytes, and the room for attributes behind these.
EXTRA: Final = 32
ATTRIBUTE_ROOM: Final = INODE - 128 - EXTRA
SECTORS_PER_BLOCK: Final = 4096 // 512
# i_mode, i_uid, i_size_lo, times of access, change and content, i_dtime, i_gid, i_links_count,
# i_blocks_lo, i_flags, i_version, i_block, i_generation, i_file_acl_lo, i_size_high,
# i_obso_faddr, i_blocks_high, i_file_acl_high, i_uid_high, i_gid_high, i_checksum_lo,
# i_reserved, i_extra_isize, i_checksum_hi, upper parts of the times of change, content and
# access, time of creation and its upper part, i_version_hi, i_projid
_RECORD: Final = struct.Struct("<2H5I2H3I60s4I6H2H6I4x")
_CHECKSUM_LOW_AT: Final = 0x7C
_CHECKSUM_HIGH_AT: Final = 0x82
MAX_LINKS: Final = 65000
# What can be told with 34 bits, from 1901 on.
MIN_TIME: Final = -(1 << 31)
MAX_TIME: Final = (1 << 34) - (1 << 31) - 1


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Inode:
    """What an inode tells: ``root`` is 60 bytes, ``sectors`` counts 512 bytes each.

    ``mode`` has the type, too. ``attributes`` is what stands in the inode, ``attribute_block``
    the place of those that do not.
    """

    mode: int
    uid: int = 0
    gid: int = 0
    size: int = 0
    mtime: int = 0
    links: int = 1
    sectors: int = 0
    flags: int = 0
    root: bytes = bytes(60)
    attributes: bytes = b""
    attribute_block: int = 0


def inode_seed(number: int, seed: int) -> int:
    """Return where the checksums of what belongs to an inode start."""
    return crc32c(seed, struct.pack("<2I", number, 0))


def pack_inode(inode: Inode, seed: int) -> bytes:
    """Return an inode as it is stored; ``seed`` is that of :func:`inode_seed`."""
    low, high = _time(inode.mtime)
    links = inode.links if inode.mode & 0o170000 != DIRECTORY or inode.links < MAX_LINKS else 1
    data = bytearray(
        _RECORD.pack(
            inode.mode,
            inode.uid & 0xFFFF,
            inode.size & 0xFFFF_FFFF,
            *(low, low, low, 0),
            inode.gid & 0xFFFF,
            links,
            inode.sectors & 0xFFFF_FFFF,
            inode.flags,
            0,
            inode.root,
            0,
            inode.attribute_block & 0xFFFF_FFFF,
            inode.size >> 32,
            0,
            inode.sectors >> 32,
            inode.attribute_block >> 32,
            inode.uid >> 16,
            inode.gid >> 16,
            *(0, 0),
            *(EXTRA, 0),
            *(high, high, high, low, high, 0),
        )
    )
    data = data.ljust(128 + EXTRA, b"\0") + inode.attributes
    checksum = crc32c(seed, bytes(data).ljust(INODE, b"\0"))
    struct.pack_into("<H", data, _CHECKSUM_LOW_AT, checksum & 0xFFFF)
    struct.pack_into("<H", data, _CHECKSUM_HIGH_AT, checksum >> 16)
    return bytes(data).ljust(INODE, b"\0")


def _time(seconds: int) -> tuple[int, int]:
    """Return the lower 32 bits of a time, and the field with the two bits above them."""
    bounded = min(max(seconds, MIN_TIME), MAX_TIME)
    low = bounded & 0xFFFF_FFFF
    signed = low - (1 << 32) if low >> 31 else low
    return low, bounded - signed >> 32 & 3


def device_root(major: int, minor: int) -> bytes:
    """Return what the inode of a device has in place of its blocks."""
    if major < 256 and minor < 256:
        return struct.pack("<2I", major << 8 | minor, 0).ljust(60, b"\0")
    return struct.pack("<2I", 0, minor & 0xFF | major << 8 | (minor & ~0xFF) << 12).ljust(60, b"\0")
