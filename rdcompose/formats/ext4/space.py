"""Which blocks are taken, and who gets the next ones: one after the other, from the front."""

from __future__ import annotations

import bisect
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

_NO_ROOM: Final = "no room for the blocks"


class Stretch(NamedTuple):
    """Blocks that follow each other."""

    start: int
    length: int

    @property
    def end(self) -> int:
        """The block behind the last one."""
        return self.start + self.length


class Space:
    """The blocks of a filesystem."""

    def __init__(self, blocks: int) -> None:
        self._blocks = blocks
        # Sorted, with gaps between them.
        self._taken: list[Stretch] = []
        self._next = 0

    @property
    def free(self) -> int:
        """Blocks that nobody has."""
        return self._blocks - sum(stretch.length for stretch in self._taken)

    def taken(self) -> Iterator[Stretch]:
        """Yield what is taken, in order."""
        return iter(self._taken)

    def occupy(self, start: int, length: int) -> None:
        """Take blocks that are free.

        :raises ValueError: they are not, or not there.
        """
        end = start + length
        at = bisect.bisect_right(self._taken, start, key=lambda stretch: stretch.start)
        before = self._taken[at - 1] if at else Stretch(0, 0)
        after = self._taken[at] if at < len(self._taken) else Stretch(self._blocks, 0)
        if before.end > start or after.start < end:
            raise ValueError(_NO_ROOM)
        first = at - 1 if at and before.end == start else at
        last = at + 1 if at < len(self._taken) and after.start == end else at
        joined_start = before.start if first < at else start
        joined_end = after.end if last > at else end
        self._taken[first:last] = [Stretch(joined_start, joined_end - joined_start)]

    def _gaps(self, start: int) -> Iterator[Stretch]:
        """Yield the free stretches from a block on."""
        at = bisect.bisect_right(self._taken, start, key=lambda stretch: stretch.start)
        position = max(start, self._taken[at - 1].end if at else 0)
        for stretch in self._taken[at:]:
            if stretch.start > position:
                yield Stretch(position, stretch.start - position)
            position = stretch.end
        if position < self._blocks:
            yield Stretch(position, self._blocks - position)

    def take_together(self, start: int, length: int) -> int:
        """Take the first blocks from ``start`` on that are free and follow each other.

        :raises ValueError: there are none.
        """
        for gap in self._gaps(start):
            if gap.length >= length:
                self.occupy(gap.start, length)
                return gap.start
        raise ValueError(_NO_ROOM)

    def take(self, length: int) -> tuple[Stretch, ...]:
        """Take the next free blocks, in as few stretches as there are gaps on the way.

        :raises ValueError: there are not so many.
        """
        found: list[Stretch] = []
        left = length
        for gap in self._gaps(self._next):
            if not left:
                break
            found.append(Stretch(gap.start, min(gap.length, left)))
            left -= found[-1].length
        if left:
            raise ValueError(_NO_ROOM)
        for stretch in found:
            self.occupy(*stretch)
            self._next = stretch.end
        return tuple(found)
