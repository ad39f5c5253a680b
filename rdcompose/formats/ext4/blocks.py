"""Where the blocks of a file are: extents, and the block maps of ext2 and ext3.

Reference: Documentation/filesystems/ext4/blockmap.rst and ifork.rst of Linux.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final, NamedTuple

from rdcompose.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_EXTENT_MAGIC: Final = 0xF30A
_MAX_DEPTH: Final = 5
# Longer ones are not written yet, and read as zeros.
_MAX_LENGTH: Final = 32768
_HEADER: Final = struct.Struct("<4H4x")
# logical block, length, upper and lower half of the place
_LEAF: Final = struct.Struct("<I2HI")
# logical block, lower and upper half of the place
_INDEX: Final = struct.Struct("<2IH2x")
_DIRECT: Final = 12


class Run(NamedTuple):
    """Blocks that follow each other; ``place`` is ``None`` for a hole."""

    logical: int
    length: int
    place: int | None


def extents(root: bytes, read: Callable[[int], bytes]) -> Iterator[Run]:
    """Yield the runs of a file by the extent tree in its inode, in their order.

    :raises FormatError: the tree is damaged.
    """
    end = 0
    for run in _node(root, read, None):
        # Strictly on, so that no tree can be longer than what it stands for.
        if run.logical < end or not run.length:
            raise FormatError("the extents of a file of the ext4 image overlap")
        end = run.logical + run.length
        yield run


def _node(data: bytes, read: Callable[[int], bytes], below: int | None) -> Iterator[Run]:
    magic, count, _, depth = _HEADER.unpack_from(data)
    if (
        magic != _EXTENT_MAGIC
        or depth > _MAX_DEPTH
        or (below is not None and depth != below - 1)
        or _HEADER.size + count * _LEAF.size > len(data)
    ):
        raise FormatError("a node of the extents of the ext4 image is damaged")
    last = -1
    for number in range(count):
        at = _HEADER.size + number * _LEAF.size
        if depth:
            logical, low, high = _INDEX.unpack_from(data, at)
            if logical <= last:
                raise FormatError("the extents of a file of the ext4 image overlap")
            last = logical
            yield from _node(read(high << 32 | low), read, depth)
        else:
            logical, length, high, low = _LEAF.unpack_from(data, at)
            written = length <= _MAX_LENGTH
            place = high << 32 | low
            yield Run(
                logical,
                length if written else length - _MAX_LENGTH,
                place if written else None,
            )


def block_map(root: bytes, count: int, read: Callable[[int], bytes]) -> Iterator[Run]:
    """Yield the first ``count`` blocks of a file by the map in its inode, one by one.

    :raises FormatError: the map ends too early.
    """
    numbers = struct.unpack("<15I", root)
    levels = (numbers[:_DIRECT], *((number,) for number in numbers[_DIRECT:]))
    logical = 0
    for depth, starts in enumerate(levels):
        for place in _places(starts, depth, read):
            if logical == count:
                return
            yield Run(logical, 1, place or None)
            logical += 1
    if logical < count:
        raise FormatError("a file of the ext4 image is longer than its blocks can be")


def _places(starts: tuple[int, ...], depth: int, read: Callable[[int], bytes]) -> Iterator[int]:
    """Yield the places behind pointers of a depth; a hole yields one zero for each block."""
    if not depth:
        yield from starts
        return
    for start in starts:
        block = read(start)
        yield from _places(struct.unpack(f"<{len(block) // 4}I", block), depth - 1, read)
