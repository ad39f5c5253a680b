"""The inode records of all seven file types.

Each type has a basic and an extended record. The extended one is used where it must be:
a file of over 4 GiB, one that lies beyond 4 GiB or has holes, a directory with an index, and
whatever has extended attributes. Hard links are not supported: every inode has one name.

References:
- squashfs-tools-ng, ``doc/format.adoc``, section "Inode Table"
- Linux, ``fs/squashfs/inode.c`` and ``new_encode_dev`` in ``include/linux/kdev_t.h``
"""

from __future__ import annotations

import dataclasses
import struct
from typing import TYPE_CHECKING, Final

from rdcompose.tree import NodeKind

if TYPE_CHECKING:
    from rdcompose.formats.squashfs.directories import Listing

DIRECTORY: Final = 1
FILE: Final = 2
SYMLINK: Final = 3
NODE_TYPES: Final = {
    NodeKind.BLOCK: 4,
    NodeKind.CHARACTER: 5,
    NodeKind.FIFO: 6,
    NodeKind.SOCKET: 7,
}
EXTENDED: Final = 7  # added to a type
NO_XATTR: Final = 0xFFFF_FFFF
NO_FRAGMENT: Final = 0xFFFF_FFFF
_MAX_U16: Final = 0xFFFF
_MAX_U32: Final = 0xFFFF_FFFF
# Readers make up "." and "..", and the format counts three bytes for them.
LISTING_EXTRA: Final = 3

MAX_MAJOR: Final = 0xFFF
MAX_MINOR: Final = 0xF_FFFF

# type, mode, uid index, gid index, mtime, inode number
COMMON: Final = struct.Struct("<4H2I")
# block start, fragment, offset in the fragment block, size
FILE_RECORD: Final = struct.Struct("<4I")
# block start, size, bytes in holes, links, fragment, offset in the fragment block, xattr
LONG_FILE_RECORD: Final = struct.Struct("<3Q4I")
# listing's block start, links, listing's size, listing's offset, parent's inode number
DIRECTORY_RECORD: Final = struct.Struct("<2I2HI")
# links, listing's size, listing's block start, parent's number, index count, offset, xattr
LONG_DIRECTORY_RECORD: Final = struct.Struct("<4I2HI")
# links, length of the target
SYMLINK_RECORD: Final = struct.Struct("<2I")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Attributes:
    """What all inodes have; owners and ``xattrs`` are indexes into their tables."""

    mode: int
    uid: int
    gid: int
    mtime: int
    number: int
    xattrs: int = NO_XATTR

    @property
    def plain(self) -> bool:
        """Whether a basic record can tell all of it."""
        return self.xattrs == NO_XATTR

    def pack(self, kind: int) -> bytes:
        """Return the start of an inode record."""
        return COMMON.pack(kind, self.mode, self.uid, self.gid, self.mtime, self.number)

    def packed(self, kind: int, record: bytes) -> bytes:
        """Return a record that becomes an extended one by what stands behind it."""
        if self.plain:
            return self.pack(kind) + record
        return self.pack(kind + EXTENDED) + record + struct.pack("<I", self.xattrs)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FileData:
    """Where the content of a file is.

    ``blocks`` are the block sizes as stored: 0 is a hole, bit 24 means not compressed.
    ``holes`` is the number of bytes in holes.
    """

    size: int
    start: int = 0
    blocks: tuple[int, ...] = ()
    holes: int = 0
    fragment: int = NO_FRAGMENT
    offset: int = 0


def file_inode(attributes: Attributes, data: FileData) -> bytes:
    """Return the inode of a regular file."""
    if max(data.start, data.size) > _MAX_U32 or data.holes or not attributes.plain:
        head = attributes.pack(FILE + EXTENDED) + LONG_FILE_RECORD.pack(
            *(data.start, data.size, data.holes, 1),
            *(data.fragment, data.offset, attributes.xattrs),
        )
    else:
        head = attributes.pack(FILE) + FILE_RECORD.pack(
            data.start, data.fragment, data.offset, data.size
        )
    return head + struct.pack(f"<{len(data.blocks)}I", *data.blocks)


def directory_inode(
    attributes: Attributes, listing: Listing, *, subdirectories: int, parent: int
) -> bytes:
    """Return the inode of a directory; ``parent`` is an inode number."""
    links = 2 + subdirectories
    size = listing.size + LISTING_EXTRA
    if size <= _MAX_U16 and not listing.index and attributes.plain:
        return attributes.pack(DIRECTORY) + DIRECTORY_RECORD.pack(
            listing.block, links, size, listing.offset, parent
        )
    head = LONG_DIRECTORY_RECORD.pack(
        *(links, size, listing.block, parent),
        *(len(listing.index), listing.offset, attributes.xattrs),
    )
    index = b"".join(entry.pack() for entry in listing.index)
    return attributes.pack(DIRECTORY + EXTENDED) + head + index


def symlink_inode(attributes: Attributes, target: bytes) -> bytes:
    """Return the inode of a symbolic link."""
    return attributes.packed(SYMLINK, SYMLINK_RECORD.pack(1, len(target)) + target)


def node_inode(attributes: Attributes, kind: NodeKind, major: int, minor: int) -> bytes:
    """Return the inode of a device node, fifo or socket."""
    fields = [1]
    if kind in {NodeKind.BLOCK, NodeKind.CHARACTER}:
        fields.append((minor & 0xFF) | (major << 8) | ((minor & ~0xFF) << 12))
    return attributes.packed(NODE_TYPES[kind], struct.pack(f"<{len(fields)}I", *fields))
