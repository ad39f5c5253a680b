"""The squashfs superblock: the 96 bytes at the start of an image.

References:
- squashfs-tools-ng, ``doc/format.adoc``, section "The Superblock"
- Linux, ``Documentation/filesystems/squashfs.rst`` and ``fs/squashfs/super.c``
"""

from __future__ import annotations

import dataclasses
import enum
import struct
from typing import Final

MAGIC: Final = 0x73717368
VERSION: Final = (4, 0)
MIN_BLOCK_SIZE: Final = 4 * 1024
MAX_BLOCK_SIZE: Final = 1024 * 1024
# Stands for a table that is not there.
NO_TABLE: Final = 0xFFFF_FFFF_FFFF_FFFF
# s_magic, inodes, mkfs_time, block_size, fragments, compression, block_log, flags, no_ids,
# s_major, s_minor, root_inode, bytes_used, id_table_start, xattr_id_table_start,
# inode_table_start, directory_table_start, fragment_table_start, lookup_table_start
SUPERBLOCK: Final = struct.Struct("<5I6H8Q")


class Flag(enum.IntFlag):
    """Superblock flags that this writer sets; all but the options flag only inform."""

    DUPLICATES = 0x0040
    EXPORTABLE = 0x0080
    NO_XATTRS = 0x0200
    COMPRESSOR_OPTIONS = 0x0400


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Superblock:
    """What the superblock tells; table starts are offsets from the start of the image."""

    inodes: int
    mtime: int
    block_size: int
    fragments: int
    compressor: int
    flags: Flag
    ids: int
    root: int
    bytes_used: int
    id_table: int
    inode_table: int
    directory_table: int
    fragment_table: int
    export_table: int

    def pack(self) -> bytes:
        """Return the 96 bytes."""
        return SUPERBLOCK.pack(
            MAGIC,
            self.inodes,
            self.mtime,
            self.block_size,
            self.fragments,
            self.compressor,
            self.block_size.bit_length() - 1,
            self.flags,
            self.ids,
            *VERSION,
            self.root,
            self.bytes_used,
            self.id_table,
            NO_TABLE,
            self.inode_table,
            self.directory_table,
            self.fragment_table,
            self.export_table,
        )
