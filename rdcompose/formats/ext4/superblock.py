"""The superblock, and which features an image may have to be read here.

Reference: Documentation/filesystems/ext4/super.rst of Linux.
"""

from __future__ import annotations

import dataclasses
import struct
from typing import Final

from rdcompose.errors import FormatError, UnsupportedError

OFFSET: Final = 1024
SIZE: Final = 1024
MAGIC: Final = 0xEF53
_MAX_LOG: Final = 6  # blocks of 64 KiB
# s_inodes_count, s_blocks_count_lo, s_first_data_block, s_log_block_size, s_blocks_per_group,
# s_inodes_per_group, s_magic, s_rev_level, s_inode_size, s_feature_incompat
_FIELDS: Final = struct.Struct("<2I12x2I4xI4xI12xH18xI8xH6xI")
_DESCRIPTOR_SIZE_AT: Final = 254
_BLOCKS_HIGH_AT: Final = 336
_OLD_INODE: Final = 128
_OLD_DESCRIPTOR: Final = 32

FILETYPE: Final = 0x2
_64BIT: Final = 0x80
# extents, MMP, flexible groups, values in inodes, seeded checksums, large directories, and
# names without case: none of them changes where the content of a file is.
_HARMLESS: Final = 0x40 | 0x100 | 0x200 | 0x400 | 0x2000 | 0x4000 | 0x20000
_REFUSED: Final = {
    0x1: "is compressed",
    0x4: "was not unmounted: its journal has to be replayed first (e2fsck)",
    0x8: "is a journal",
    0x10: "has its group descriptors in groups (meta_bg)",
    0x8000: "has files inside of inodes (inline_data)",
    0x10000: "is encrypted",
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Superblock:
    """What is needed to find inodes; sizes are in bytes, places in blocks."""

    block_size: int
    blocks: int
    first_block: int
    inodes: int
    inodes_per_group: int
    inode_size: int
    descriptor_size: int
    file_types: bool


def read_superblock(data: bytes) -> Superblock:
    """Read the 1024 bytes at offset 1024 of an image.

    :raises FormatError: it is none, or contradicts itself.
    :raises UnsupportedError: the image has a feature that is not handled.
    """
    if len(data) < SIZE:
        raise FormatError("the ext4 image is cut off in its superblock")
    fields = _FIELDS.unpack_from(data)
    inodes, blocks, first, log, _, per_group, magic, revision, inode_size, features = fields
    if magic != MAGIC:
        raise FormatError("no ext4 image")
    if revision == 0:
        inode_size, features = _OLD_INODE, 0
    _check_features(features)
    wide = bool(features & _64BIT)
    (descriptor,) = struct.unpack_from("<H", data, _DESCRIPTOR_SIZE_AT)
    (high,) = struct.unpack_from("<I", data, _BLOCKS_HIGH_AT)
    superblock = Superblock(
        block_size=1024 << min(log, _MAX_LOG + 1),
        blocks=blocks | (high << 32 if wide else 0),
        first_block=first,
        inodes=inodes,
        inodes_per_group=per_group,
        inode_size=inode_size,
        descriptor_size=descriptor if wide else _OLD_DESCRIPTOR,
        file_types=bool(features & FILETYPE),
    )
    _check(superblock, log)
    return superblock


def _check_features(features: int) -> None:
    for bit, what in _REFUSED.items():
        if features & bit:
            raise UnsupportedError(f"the ext4 image {what}")
    unknown = features & ~(_HARMLESS | FILETYPE | _64BIT)
    if unknown:
        raise UnsupportedError(f"the ext4 image has features that are not known: {unknown:#x}")


def _check(superblock: Superblock, log: int) -> None:
    if (
        log > _MAX_LOG
        or not superblock.inodes_per_group
        or not _OLD_INODE <= superblock.inode_size <= superblock.block_size
        or not _OLD_DESCRIPTOR <= superblock.descriptor_size <= superblock.block_size
    ):
        raise FormatError("the ext4 image has sizes that cannot be")
