"""A treemap: rectangles in rectangles, each as large as what it stands for.

Laid out by the method of "Squarified Treemaps" (Bruls, Huizing and van Wijk, 2000), which keeps
rectangles near to squares. The same numbers give the same rectangles.
"""

from __future__ import annotations

import dataclasses
import itertools
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# What boxes with a heading keep free, in the units of the chart.
HEADING: Final = 18.0
_MARGIN: Final = 2.0
_HEADED: Final = (60.0, 44.0)


@dataclasses.dataclass(frozen=True, slots=True)
class Node:
    """What a rectangle stands for: ``value`` is its size, and at least that of its children.

    ``tip`` is what a pointer over it shows; ``tone`` names its colour.
    """

    label: str
    value: float
    tip: str = ""
    tone: str = ""
    children: tuple[Node, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Box:
    """A place in the chart."""

    x: float
    y: float
    width: float
    height: float


@dataclasses.dataclass(frozen=True, slots=True)
class Cell:
    """A node in its place; ``headed`` is on where children leave room for its label above them."""

    node: Node
    box: Box
    headed: bool = False


def lay_out(nodes: Sequence[Node], box: Box) -> Iterator[Cell]:
    """Yield nodes and what is in them, outer ones first; what has no size gets no place."""
    shown = sorted(
        (node for node in nodes if node.value > 0), key=lambda node: (-node.value, node.label)
    )
    for node, place in zip(shown, squarified([node.value for node in shown], box), strict=True):
        headed = bool(node.children) and place.width > _HEADED[0] and place.height > _HEADED[1]
        yield Cell(node, place, headed)
        if node.children:
            yield from lay_out(node.children, _inside(place, HEADING if headed else 0.0))


def _inside(box: Box, heading: float) -> Box:
    margin = _MARGIN if heading else 0.0
    return Box(
        box.x + margin,
        box.y + heading,
        box.width - 2 * margin,
        box.height - heading - margin,
    )


def squarified(values: Sequence[float], box: Box) -> Iterator[Box]:
    """Yield a place in the box for each value; they come largest first, and none is zero."""
    left = [*itertools.accumulate(reversed(values))][::-1]
    start = 0
    while start < len(values):
        area = box.width * box.height
        if not area:
            # What is too small to be told from nothing.
            yield from (Box(box.x, box.y, 0.0, 0.0) for _ in values[start:])
            return
        side = min(box.width, box.height)
        end = _row_end(values, start, side * side * left[start] / area)
        row = sum(values[start:end])
        part = row / left[start]
        yield from _row(values[start:end], row, box, part)
        box = _rest(box, part)
        start = end


def _row_end(values: Sequence[float], start: int, square: float) -> int:
    """Return where a row ends that begins at ``start``: before its worst ratio would get worse.

    ``square`` is the square of the side that the row lies along, in units of the values.
    """
    total = values[start]
    worst = max(square / total, total / square)
    for end in range(start + 1, len(values)):
        total += values[end]
        ratio = max(
            square * values[start] / (total * total), total * total / (square * values[end])
        )
        if ratio > worst:
            return end
        worst = ratio
    return len(values)


def _row(values: Sequence[float], row: float, box: Box, part: float) -> Iterator[Box]:
    x, y = box.x, box.y
    for value in values:
        if box.width >= box.height:
            height = box.height * value / row
            yield Box(x, y, box.width * part, height)
            y += height
        else:
            width = box.width * value / row
            yield Box(x, y, width, box.height * part)
            x += width


def _rest(box: Box, part: float) -> Box:
    if box.width >= box.height:
        taken = box.width * part
        return Box(box.x + taken, box.y, max(0.0, box.width - taken), box.height)
    taken = box.height * part
    return Box(box.x, box.y + taken, box.width, max(0.0, box.height - taken))
