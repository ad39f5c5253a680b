"""Treemaps: rectangles of the right size, that fill their place and do not overlap."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdcompose.cli.page.treemap import HEADING, Box, Node, lay_out, squarified

if TYPE_CHECKING:
    from collections.abc import Sequence

BOX: Final = Box(10.0, 20.0, 600.0, 400.0)


def overlap(one: Box, other: Box) -> float:
    """The area that two boxes have in common."""
    width = min(one.x + one.width, other.x + other.width) - max(one.x, other.x)
    height = min(one.y + one.height, other.y + other.height) - max(one.y, other.y)
    return max(0.0, width) * max(0.0, height)


def test_the_example_of_the_method() -> None:
    # Squarified Treemaps (2000), figure 4: these areas in a rectangle of 6 by 4.
    found = list(squarified([6, 6, 4, 3, 2, 2, 1], Box(0, 0, 6, 4)))
    assert found[0] == Box(0, 0, 3, 2)
    assert found[1] == Box(0, 2, 3, 2)
    assert (found[2].width, found[2].height) == pytest.approx((12 / 7, 7 / 3))
    assert [box.width * box.height for box in found] == pytest.approx([6, 6, 4, 3, 2, 2, 1])


@given(st.lists(st.integers(1, 10**9), min_size=1, max_size=60))
def test_areas_are_as_the_values(values: Sequence[int]) -> None:
    ordered = sorted(values, reverse=True)
    found = list(squarified(ordered, BOX))
    whole = BOX.width * BOX.height
    assert len(found) == len(ordered)
    for value, box in zip(ordered, found, strict=True):
        assert box.width * box.height == pytest.approx(whole * value / sum(values), abs=1e-3)
        assert overlap(box, BOX) == pytest.approx(box.width * box.height, abs=1e-3)
    for number, box in enumerate(found):
        assert sum(overlap(box, other) for other in found[number + 1 :]) < 1e-3


def test_what_is_as_good_as_nothing_gets_a_place_of_no_size() -> None:
    found = list(squarified([1e18, 1e-18, 1e-18], BOX))
    assert found[0] == BOX
    assert [box.width * box.height for box in found[1:]] == [0, 0]


def test_children_lie_below_the_label_of_their_parent() -> None:
    leaves = tuple(Node(f"leaf{number}", number) for number in range(4))
    outer, *inner = lay_out([Node("group", 6, children=leaves)], BOX)
    assert outer.headed
    assert outer.box == BOX
    # What is nothing is not drawn; the largest comes first.
    assert [cell.node.label for cell in inner] == ["leaf3", "leaf2", "leaf1"]
    for cell in inner:
        assert cell.box.y >= BOX.y + HEADING
        assert cell.box.y + cell.box.height <= BOX.y + BOX.height


def test_small_groups_have_no_label() -> None:
    leaves = (Node("one", 1), Node("two", 1))
    outer, *inner = lay_out([Node("group", 2, children=leaves)], Box(0, 0, 30, 30))
    assert not outer.headed
    assert sum(cell.box.width * cell.box.height for cell in inner) == pytest.approx(900)


def test_equal_ones_come_in_the_order_of_their_labels() -> None:
    nodes = [Node(label, 5) for label in "cab"]
    assert [cell.node.label for cell in lay_out(nodes, BOX)] == ["a", "b", "c"]
