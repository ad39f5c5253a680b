"""The inode that owns the blocks kept for descriptors of a filesystem that grows.

Its map of blocks is of the old kind: one block of pointers, each to a kept block behind the
descriptors of the first group, which in turn lists those at the same place in the copies.

Reference: lib/ext2fs/res_gdt.c of e2fsprogs; fs/ext4/resize.c of Linux, ``reserve_backup_gdb``.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from rdcompose.formats.ext4.geometry import BLOCK, BLOCKS_PER_GROUP, POINTERS, Geometry
from rdcompose.formats.ext4.inodes import REGULAR, SECTORS_PER_BLOCK, Inode

if TYPE_CHECKING:
    from collections.abc import Sequence

RESIZE_INODE: Final = 7
_DOUBLE: Final = 13
_POINTERS_IN_INODE: Final = 12
# All that the inode and two levels of pointers could reach.
_SIZE: Final = (POINTERS * POINTERS + POINTERS + _POINTERS_IN_INODE) * BLOCK


def resize_inode(geometry: Geometry, place: int, *, mtime: int) -> tuple[Inode, dict[int, bytes]]:
    """Return the inode and the blocks that it leads to; ``place`` is a free block for pointers."""
    copies = [group for group in geometry.copies() if group]
    kept = geometry.reserved_descriptors
    first = geometry.descriptor_blocks
    pointers = [0] * POINTERS
    blocks: dict[int, bytes] = {}
    for index in range(first, first + kept):
        pointers[index % POINTERS] = 1 + index
        blocks[1 + index] = _block([1 + index + group * BLOCKS_PER_GROUP for group in copies])
    blocks[place] = _block(pointers)
    inode = Inode(
        mode=REGULAR | 0o600,
        size=_SIZE,
        mtime=mtime,
        sectors=(1 + kept * (1 + len(copies))) * SECTORS_PER_BLOCK,
        root=struct.pack("<15I", *(place if at == _DOUBLE else 0 for at in range(15))),
    )
    return inode, blocks


def _block(numbers: Sequence[int]) -> bytes:
    return struct.pack(f"<{len(numbers)}I", *numbers).ljust(BLOCK, b"\0")
