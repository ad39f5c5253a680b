"""Writes where the blocks of a file are: four extents in its inode, or a tree of them.

Reference: Documentation/filesystems/ext4/ifork.rst of Linux.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final, NamedTuple

from rdcompose.errors import UnsupportedError
from rdcompose.formats.ext4.checksum import crc32c
from rdcompose.formats.ext4.geometry import BLOCK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rdcompose.formats.ext4.space import Stretch

_MAGIC: Final = 0xF30A
# magic, entries, room for entries, depth
_HEADER: Final = struct.Struct("<4H4x")
# logical block, length, upper and lower half of the place
_LEAF: Final = struct.Struct("<I2HI")
# logical block, lower and upper half of the place
_INDEX: Final = struct.Struct("<2IH2x")
_IN_INODE: Final = 4
_IN_BLOCK: Final = (BLOCK - _HEADER.size) // _LEAF.size
_ROOT_SIZE: Final = _HEADER.size + _IN_INODE * _LEAF.size
# Longer ones would count as not written yet.
_MAX_LENGTH: Final = 32768


class ExtentTree(NamedTuple):
    """The 60 bytes of an inode, and the blocks that these lead to, by their places."""

    root: bytes
    blocks: dict[int, bytes]


def extent_tree(
    stretches: Sequence[Stretch], take: Callable[[], int], inode_seed: int
) -> ExtentTree:
    """Write the extents of a file; ``take`` gives a free block for a node.

    ``inode_seed`` is where the checksums of what belongs to the inode start.

    :raises UnsupportedError: they are more than a tree of two levels holds.
    """
    leaves = list(_leaves(stretches))
    if len(leaves) <= _IN_INODE:
        return ExtentTree(_node(leaves, 0, _IN_INODE).ljust(_ROOT_SIZE, b"\0"), {})
    blocks: dict[int, bytes] = {}
    indexes = []
    for start in range(0, len(leaves), _IN_BLOCK):
        place = take()
        part = leaves[start : start + _IN_BLOCK]
        node = _node(part, 0, _IN_BLOCK).ljust(BLOCK - 4, b"\0")
        blocks[place] = node + struct.pack("<I", crc32c(inode_seed, node))
        indexes.append(_INDEX.pack(_LEAF.unpack(part[0])[0], place & 0xFFFF_FFFF, place >> 32))
    if len(indexes) > _IN_INODE:
        raise UnsupportedError("a file is too large for the ext4 filesystem")
    return ExtentTree(_node(indexes, 1, _IN_INODE).ljust(_ROOT_SIZE, b"\0"), blocks)


def _leaves(stretches: Sequence[Stretch]) -> Iterator[bytes]:
    logical = 0
    for stretch in stretches:
        for start in range(stretch.start, stretch.end, _MAX_LENGTH):
            length = min(_MAX_LENGTH, stretch.end - start)
            yield _LEAF.pack(logical, length, start >> 32, start & 0xFFFF_FFFF)
            logical += length


def _node(entries: Sequence[bytes], depth: int, room: int) -> bytes:
    return _HEADER.pack(_MAGIC, len(entries), room, depth) + b"".join(entries)
