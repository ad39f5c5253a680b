"""The treemap of an image as SVG: what its files take of it.

Heights are fixed and widths are shares of the page's, so that labels stay as large as they are on
any screen, and are cut where their rectangle ends.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rdcompose.cli.page.markup import put
from rdcompose.cli.page.treemap import HEADING, Box, Node, lay_out
from rdcompose.cli.terminal import size_text
from rdcompose.inspect.filekinds import Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from xml.etree.ElementTree import Element

    from rdcompose.cli.page.treemap import Cell
    from rdcompose.inspect.weight import Part, Weight

# What the chart is laid out for; on narrower screens everything is narrower.
_BOX: Final = Box(0.0, 0.0, 1000.0, 480.0)
_NARROW: Final = 0.34
# More rectangles are too small to be seen; the smallest of a group become one.
_FILES: Final = 600
_GROUPS: Final = 60
_CHARACTER: Final = 6.8
_LINE: Final = 16.0
# Smaller ones are no more than their border.
_LABELLED: Final = 30.0

TONES: Final = {kind: f"k{number}" for number, kind in enumerate(Kind)}


def draw(parent: Element, weight: Weight, title: str, *, unpacked: bool) -> None:
    """Add a treemap: by the share of what is stored, or by what it is ``unpacked``."""
    picture = put(
        parent,
        "svg",
        class_="map",
        role="img",
        width="100%",
        height=f"{_BOX.height:g}",
        aria_label=title,
    )
    for cell in lay_out(_nodes(weight, unpacked=unpacked), _BOX):
        _draw_cell(picture, cell)


def _draw_cell(picture: Element, cell: Cell) -> None:
    box, node = cell.box, cell.node
    place = put(
        picture,
        "svg",
        x=f"{100 * box.x / _BOX.width:.3f}%",
        y=f"{box.y:.1f}",
        width=f"{100 * box.width / _BOX.width:.3f}%",
        height=f"{box.height:.1f}",
    )
    if node.tip:
        put(place, "title", node.tip)
    shape = put(place, "rect", width="100%", height="100%")
    if node.children:
        shape.set("class", f"{node.tone} group")
    else:
        shape.set("class", node.tone)
    height = HEADING if cell.headed else box.height
    if (cell.headed or not node.children) and height >= _LINE and box.width >= _LABELLED:
        text = put(place, "text", _cut(node.label, box.width), x="4", y="13")
        if len(node.label) * _CHARACTER > box.width * _NARROW:
            text.set("class", "wide")


def _cut(label: str, width: float) -> str:
    fitting = int((width - 6) / _CHARACTER)
    return label if len(label) <= fitting else f"{label[: max(1, fitting - 1)]}…"


def _nodes(weight: Weight, *, unpacked: bool) -> list[Node]:
    """Return what the treemap shows: kinds, in them groups, in these files."""
    value: Callable[[Part], int] = _size if unpacked else _share
    whole = weight.plain if unpacked else weight.size
    largest = sorted(map(value, weight.parts), reverse=True)
    smallest = largest[_FILES] if len(largest) > _FILES else 0
    found = []
    for kind in weight.kinds:
        files = [part for part in weight.parts if part.kind is kind.kind]
        groups = _grouped(files, value)
        inner = [_group(name, rows, value, smallest, whole) for name, rows in groups]
        if len(inner) == 1:
            inner = [*inner[0].children]
        found.append(
            Node(
                kind.name,
                sum(map(value, files)) if files else value(kind),
                _tip(kind.name, value(kind), whole),
                TONES[kind.kind],
                tuple(inner),
            )
        )
    return found


def _grouped(files: Iterable[Part], value: Callable[[Part], int]) -> list[tuple[str, list[Part]]]:
    """Return files by their group; of many groups, those with little are one."""
    found: dict[str, list[Part]] = {}
    for part in files:
        found.setdefault(part.group, []).append(part)
    rows = sorted(found.items(), key=lambda row: (-sum(map(value, row[1])), row[0]))
    rest = [part for _, parts in rows[_GROUPS:] for part in parts]
    return [*rows[:_GROUPS], *([("others", rest)] if rest else [])]


def _group(
    name: str, files: Sequence[Part], value: Callable[[Part], int], smallest: int, whole: int
) -> Node:
    tone = TONES[files[0].kind]
    shown = [part for part in files if value(part) > smallest]
    nodes = [
        Node(
            part.name.rpartition("/")[2],
            value(part),
            _tip(part.name, value(part), whole),
            tone,
        )
        for part in shown
    ]
    if rest := [value(part) for part in files if value(part) <= smallest]:
        label = f"{len(rest)} more"
        nodes.append(Node(label, sum(rest), _tip(f"{name}: {label}", sum(rest), whole), tone))
    total = sum(map(value, files))
    return Node(name, total, _tip(name, total, whole), tone, tuple(nodes))


def _tip(name: str, size: int, whole: int) -> str:
    return f"{name}: {size_text(size)}, {100 * size / max(1, whole):.1f} %"


def _share(part: Part) -> int:
    return part.share


def _size(part: Part) -> int:
    return part.size
