"""What of each group is in use, when everything has its place."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from rdcompose.formats.ext4.geometry import BLOCK, BLOCKS_PER_GROUP, Geometry
from rdcompose.formats.ext4.header import Usage, pack_descriptor

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence


def usages(geometry: Geometry, last: int, directories: Iterable[int]) -> list[Usage]:
    """Return the use of every group; ``last`` is the last inode, those before it are in use."""
    per_group = geometry.inodes_per_group
    folders = [0] * len(geometry.groups)
    for number in directories:
        folders[(number - 1) // per_group] += 1
    found = []
    for number, bitmap in enumerate(_bitmaps(geometry)):
        used = min(max(last - number * per_group, 0), per_group)
        found.append(
            Usage(
                free_blocks=BLOCKS_PER_GROUP - bitmap.bit_count(),
                free_inodes=per_group - used,
                directories=folders[number],
                unused=per_group - used,
                block_bitmap=bitmap.to_bytes(BLOCK, "little"),
                inode_bitmap=_ones(0, used).to_bytes(per_group // 8, "little"),
            )
        )
    return found


def _bitmaps(geometry: Geometry) -> Iterator[int]:
    """Yield the blocks in use of each group as a number; blocks that are not there are, too."""
    bitmaps = [0] * len(geometry.groups)
    end = len(bitmaps) * BLOCKS_PER_GROUP
    behind = ((geometry.blocks, end - geometry.blocks),)
    for start, length in itertools.chain(geometry.space.taken(), behind):
        at = start
        while at < start + length:
            group, first = divmod(at, BLOCKS_PER_GROUP)
            count = min(BLOCKS_PER_GROUP - first, start + length - at)
            bitmaps[group] |= _ones(first, count)
            at += count
    yield from bitmaps


def _ones(first: int, count: int) -> int:
    return ((1 << count) - 1) << first


def descriptors(geometry: Geometry, found: Sequence[Usage], seed: int) -> bytes:
    """Return the descriptors of all groups."""
    return b"".join(
        pack_descriptor(group, number, usage, seed)
        for number, (group, usage) in enumerate(zip(geometry.groups, found, strict=True))
    )
