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

from rdcompose.errors import FormatError, UnsupportedError

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
    """Superblock flags that the writer sets; all but the options flag only inform."""

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
    xattr_table: int = NO_TABLE

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
            self.xattr_table,
            self.inode_table,
            self.directory_table,
            self.fragment_table,
            self.export_table,
        )


def read_superblock(data: bytes) -> Superblock:
    """Read the superblock that an image starts with.

    :raises FormatError: it is no squashfs image, or contradicts itself.
    :raises UnsupportedError: it is of another version than 4.0.
    """
    if data[:4] in {b"sqsh", b"qshs", b"shsq"}:
        raise UnsupportedError("the squashfs image is of a version before 4.0")
    if len(data) < SUPERBLOCK.size or data[:4] != MAGIC.to_bytes(4, "little"):
        raise FormatError("no squashfs image: it starts with " + (data[:4].hex(" ") or "nothing"))
    fields = SUPERBLOCK.unpack_from(data)
    _, inodes, mtime, block_size, fragments, compressor, block_log, flags, ids = fields[:9]
    major, minor, root, bytes_used, id_table, _, inode_table, directories = fields[9:17]
    if (major, minor) != VERSION:
        raise UnsupportedError(f"the squashfs image is of version {major}.{minor}, not 4.0")
    if not MIN_BLOCK_SIZE <= block_size <= MAX_BLOCK_SIZE or block_size != 1 << block_log:
        raise FormatError(f"the squashfs image has blocks of {block_size} bytes")
    if not SUPERBLOCK.size <= inode_table < directories < bytes_used:
        raise FormatError("the tables of the squashfs image are not where they can be")
    return Superblock(
        inodes=inodes,
        mtime=mtime,
        block_size=block_size,
        fragments=fragments,
        compressor=compressor,
        flags=Flag(flags),
        ids=ids,
        root=root,
        bytes_used=bytes_used,
        id_table=id_table,
        inode_table=inode_table,
        directory_table=directories,
        fragment_table=fields[17],
        export_table=fields[18],
    )
