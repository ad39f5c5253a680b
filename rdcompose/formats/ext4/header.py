"""The superblock and the group descriptors as they are written.

The features are those that mke2fs of Debian 12 sets, and so are the defaults.

Reference: Documentation/filesystems/ext4/super.rst and group_descr.rst of Linux.
"""

from __future__ import annotations

import dataclasses
import struct
from typing import TYPE_CHECKING, Final

from rdcompose.formats.ext4 import geometry as geo
from rdcompose.formats.ext4.checksum import START, crc32c
from rdcompose.formats.ext4.inodes import EXTRA

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rdcompose.formats.ext4.geometry import Group

SIZE: Final = 1024
FIRST_INODE: Final = 11
JOURNAL_INODE: Final = 8
_MAGIC: Final = 0xEF53
# has_journal, ext_attr, resize_inode, dir_index
_COMPATIBLE: Final = 0x4 | 0x8 | 0x10 | 0x20
# filetype, extent, 64bit, flex_bg
_INCOMPATIBLE: Final = 0x2 | 0x40 | 0x80 | 0x200
# sparse_super, large_file, huge_file, dir_nlink, extra_isize, metadata_csum
_READ_ONLY: Final = 0x1 | 0x2 | 0x8 | 0x20 | 0x40 | 0x400
# user_xattr and acl
_MOUNT_OPTIONS: Final = 0xC
_UNSIGNED_HASH: Final = 2
_HALF_MD4: Final = 1
_CRC32C: Final = 1
_RESERVED_PART: Final = 20
_GROUP_OF_COPY_AT: Final = 0x5A
_CHECKSUM_AT: Final = SIZE - 4
_TABLE_IS_ZEROED: Final = 0x4


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What the superblock says; blocks are of 4096 bytes.

    ``journal_root`` are the 60 bytes of the journal's inode, ``journal_size`` its bytes.
    """

    blocks: int
    free_blocks: int
    inodes: int
    free_inodes: int
    inodes_per_group: int
    reserved_descriptors: int
    uuid: bytes
    label: bytes
    time: int
    hash_seed: Sequence[int]
    journal_root: bytes
    journal_size: int


def pack_superblock(header: Header, group: int) -> bytes:
    """Return the superblock, or the copy of it that a group has."""
    data = bytearray(SIZE)
    low = 0xFFFF_FFFF
    kept = header.blocks // _RESERVED_PART
    time = header.time & low
    for offset, form, values in (
        (0x00, "4I", (header.inodes, header.blocks & low, kept & low, header.free_blocks & low)),
        (0x10, "4I", (header.free_inodes, 0, 2, 2)),
        (0x20, "3I", (geo.BLOCKS_PER_GROUP, geo.BLOCKS_PER_GROUP, header.inodes_per_group)),
        # last mounted, written, count of mounts and their maximum, state, on errors
        (0x2C, "2I2H", (0, time, 0, 0xFFFF)),
        (0x38, "3H", (_MAGIC, 1, 1)),
        # last checked, creator, revision
        (0x40, "4I", (time, 0, 0, 1)),
        (0x54, "I2H", (FIRST_INODE, geo.INODE, group)),
        (0x5C, "3I", (_COMPATIBLE, _INCOMPATIBLE, _READ_ONLY)),
        (0x68, "16s16s", (header.uuid, header.label)),
        (0xCE, "H", (header.reserved_descriptors,)),
        (0xE0, "I", (JOURNAL_INODE,)),
        (0xEC, "4I", tuple(header.hash_seed)),
        # the copy of the journal's inode is one of its blocks
        (0xFC, "2BH", (_HALF_MD4, 1, geo.DESCRIPTOR)),
        (0x100, "I", (_MOUNT_OPTIONS,)),
        (0x108, "I60s", (time, header.journal_root)),
        (0x148, "2I", (header.journal_size >> 32, header.journal_size & low)),
        (0x150, "3I", (header.blocks >> 32, kept >> 32, header.free_blocks >> 32)),
        (0x15C, "2HI", (EXTRA, EXTRA, _UNSIGNED_HASH)),
        (0x174, "2B", (geo.LOG_GROUPS_PER_FLEX, _CRC32C)),
        # upper parts of the times written, last mounted, made and last checked
        (0x274, "4B", (header.time >> 32, 0, header.time >> 32, header.time >> 32)),
    ):
        struct.pack_into(f"<{form}", data, offset, *values)
    struct.pack_into("<I", data, _CHECKSUM_AT, crc32c(START, bytes(data[:_CHECKSUM_AT])))
    return bytes(data)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What of a group is in use, by its bitmaps; ``unused`` inodes are at the end of its table."""

    free_blocks: int
    free_inodes: int
    directories: int
    unused: int
    block_bitmap: bytes
    inode_bitmap: bytes


# Lower halves: places of the bitmaps and of the table, free blocks and inodes, directories,
# flags, checksums of the bitmaps, unused inodes, checksum
_LOW: Final = struct.Struct("<3I4H4x4H")
# Upper halves of the same
_HIGH: Final = struct.Struct("<3I4H4x2H4x")


def pack_descriptor(group: Group, number: int, usage: Usage, seed: int) -> bytes:
    """Return the descriptor of a group."""
    blocks = crc32c(seed, usage.block_bitmap)
    inodes = crc32c(seed, usage.inode_bitmap)
    places = (group.block_bitmap, group.inode_bitmap, group.inode_table)
    counts = (usage.free_blocks, usage.free_inodes, usage.directories)
    low = (*(place & 0xFFFF_FFFF for place in places), *counts, _TABLE_IS_ZEROED)
    high = _HIGH.pack(*(place >> 32 for place in places), *(0,) * 4, blocks >> 16, inodes >> 16)
    sums = (blocks & 0xFFFF, inodes & 0xFFFF, usage.unused)
    start = crc32c(seed, struct.pack("<I", number))
    checksum = crc32c(start, _LOW.pack(*low, *sums, 0) + high) & 0xFFFF
    return _LOW.pack(*low, *sums, checksum) + high
