"""Where ext4 has its own structures: block groups, copies of the superblock, inode tables.

As mke2fs lays them out: groups of 128 MiB, copies of the superblock and of the descriptors in
the groups 0, 1 and the powers of 3, 5 and 7, the bitmaps and inode tables of sixteen groups in a
row at the first of them. Behind the descriptors, blocks are kept for those of a filesystem that
has grown a thousandfold.

References:
- Documentation/filesystems/ext4/blockgroup.rst and group_descr.rst of Linux
- mke2fs(8), ``resize_inode``
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final

from rdcompose.formats.ext4.space import Space

if TYPE_CHECKING:
    from collections.abc import Iterator

BLOCK: Final = 4096
INODE: Final = 256
DESCRIPTOR: Final = 64
BLOCKS_PER_GROUP: Final = 8 * BLOCK
GROUPS_PER_FLEX: Final = 16
LOG_GROUPS_PER_FLEX: Final = 4
POINTERS: Final = BLOCK // 4
_INODES_PER_BLOCK: Final = BLOCK // INODE
_MAX_INODES_PER_GROUP: Final = 8 * BLOCK
_MAX_BLOCKS: Final = (1 << 32) - 1
_GROWTH: Final = 1024
# As mke2fs: a last group with less room than this for files is left out.
_WORTHWHILE: Final = 50
# Blocks of the filesystem and of its journal, in their order; as mke2fs, up to 1 GiB.
_JOURNALS: Final = (
    (32768, 1024),
    (256 * 1024, 4096),
    (512 * 1024, 8192),
    (4096 * 1024, 16384),
    (8192 * 1024, 32768),
    (16384 * 1024, 65536),
    (32768 * 1024, 131072),
)
_LONGEST_JOURNAL: Final = 262144


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The first block of a group, and those in which it keeps what it has."""

    first: int
    block_bitmap: int
    inode_bitmap: int
    inode_table: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Geometry:
    """A filesystem of ``blocks`` blocks, and the room that its structures leave."""

    blocks: int
    inodes_per_group: int
    reserved_descriptors: int
    groups: tuple[Group, ...]
    space: Space

    @property
    def inodes(self) -> int:
        """How many there are, used or not."""
        return self.inodes_per_group * len(self.groups)

    @property
    def descriptor_blocks(self) -> int:
        """Blocks of the descriptors of all groups."""
        return _descriptor_blocks(len(self.groups))

    def copies(self) -> Iterator[int]:
        """Yield the groups that hold a copy of the superblock and of the descriptors."""
        return filter(has_copy, range(len(self.groups)))


def arrange(blocks: int, inodes: int) -> Geometry:
    """Lay out a filesystem of so many blocks, or a few less, with at least so many inodes.

    :raises ValueError: the structures alone do not fit.
    """
    if not 0 < blocks <= _MAX_BLOCKS:
        raise ValueError(f"no room for a filesystem in {blocks} blocks")
    groups = -(-blocks // BLOCKS_PER_GROUP)
    per_group = -(-inodes // (groups * _INODES_PER_BLOCK)) * _INODES_PER_BLOCK
    if per_group > _MAX_INODES_PER_GROUP:
        raise ValueError(f"no room for {inodes} inodes")
    reserved = _reserved(blocks, groups)
    rest = blocks % BLOCKS_PER_GROUP
    own = 2 + per_group // _INODES_PER_BLOCK
    if has_copy(groups - 1):
        own += 1 + _descriptor_blocks(groups) + reserved
    if rest and rest < own + _WORTHWHILE:
        return arrange(blocks - rest, inodes)
    space = Space(blocks)
    starts = range(0, blocks, BLOCKS_PER_GROUP)
    for number, start in enumerate(starts):
        if has_copy(number):
            space.occupy(start, 1 + _descriptor_blocks(groups) + reserved)
    return Geometry(
        blocks=blocks,
        inodes_per_group=per_group,
        reserved_descriptors=reserved,
        groups=tuple(_groups(starts, per_group, space)),
        space=space,
    )


def _groups(starts: range, per_group: int, space: Space) -> Iterator[Group]:
    for flex in range(0, len(starts), GROUPS_PER_FLEX):
        together = starts[flex : flex + GROUPS_PER_FLEX]
        bitmaps = [space.take_together(together[0], 1) for _ in range(2 * len(together))]
        for index, first in enumerate(together):
            yield Group(
                first=first,
                block_bitmap=bitmaps[index],
                inode_bitmap=bitmaps[len(together) + index],
                inode_table=space.take_together(together[0], per_group // _INODES_PER_BLOCK),
            )


def _descriptor_blocks(groups: int) -> int:
    return -(-groups * DESCRIPTOR // BLOCK)


def _reserved(blocks: int, groups: int) -> int:
    """Return how many blocks are kept for descriptors of a filesystem that has grown."""
    largest = -(-min(blocks * _GROWTH, _MAX_BLOCKS) // BLOCKS_PER_GROUP)
    return min(_descriptor_blocks(largest) - _descriptor_blocks(groups), POINTERS)


def has_copy(group: int) -> bool:
    """Whether a group holds a copy of the superblock."""
    if group < 2:
        return True
    for base in (3, 5, 7):
        power = base
        while power < group:
            power *= base
        if power == group:
            return True
    return False


def journal_blocks(blocks: int) -> int:
    """Return the length of the journal of a filesystem of so many blocks."""
    return next((length for limit, length in _JOURNALS if blocks < limit), _LONGEST_JOURNAL)
