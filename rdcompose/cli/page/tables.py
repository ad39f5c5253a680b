"""Tables of the page: with headings, sortable by them where scripts run, and bounded."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final

from rdcompose.cli.page.markup import put, shown
from rdcompose.cli.terminal import size_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from xml.etree.ElementTree import Element

# Kernels have four thousand modules; a table of more is nobody's to read.
MAX_ROWS: Final = 6000
# Texts that need no more room than they have.
_SHORT: Final = 24


@dataclasses.dataclass(frozen=True, slots=True)
class Size:
    """A cell with a size in bytes; ``None`` where it is not known."""

    value: int | None


@dataclasses.dataclass(frozen=True, slots=True)
class Share:
    """A cell with a part of a whole, both in bytes."""

    value: int | None
    whole: int


@dataclasses.dataclass(frozen=True, slots=True)
class Number:
    """A cell with a number."""

    value: int | None


@dataclasses.dataclass(frozen=True, slots=True)
class Toned:
    """A cell with a text, and the colour of the chart in front of it."""

    text: str
    tone: str


@dataclasses.dataclass(frozen=True, slots=True)
class Path:
    """A cell with long words, which may be broken anywhere: paths, lists of modules."""

    text: str


Cell = str | Size | Share | Number | Toned | Path


def add_table(
    parent: Element, caption: str, heads: Sequence[str], rows: Sequence[Sequence[Cell]]
) -> None:
    """Add a table; the first cell of a row names it. Columns with nothing in them are left out."""
    kept = [index for index in range(len(heads)) if any(not _empty(row[index]) for row in rows)]
    heads = [heads[index] for index in kept]
    rows = [[row[index] for index in kept] for row in rows]
    box = put(parent, "div", class_="scroll", tabindex="0", role="region", aria_label=caption)
    table = put(box, "table")
    put(table, "caption", caption)
    head = put(put(table, "thead"), "tr")
    for name, cell in zip(heads, rows[0], strict=True):
        attributes = {"class_": "n"} if isinstance(cell, Size | Share | Number) else {}
        put(head, "th", name, scope="col", **attributes)
    body = put(table, "tbody")
    for row in rows[:MAX_ROWS]:
        line = put(body, "tr")
        for index, cell in enumerate(row):
            _add_cell(line, cell, header=not index)
    if len(rows) > MAX_ROWS:
        put(parent, "p", f"and {len(rows) - MAX_ROWS} more")


def _empty(cell: Cell) -> bool:
    match cell:
        case str():
            return not cell
        case Path(text) | Toned(text):
            return not text
        case Size(value) | Share(value) | Number(value):
            return value is None


def _add_cell(line: Element, cell: Cell, *, header: bool) -> None:
    place = put(line, "th", scope="row") if header else put(line, "td")
    match cell:
        case str():
            place.text = shown(cell)
        case Path():
            place.text = shown(cell.text)
            if len(cell.text) > _SHORT:
                place.set("class", "p")
        case Toned():
            swatch = put(place, "svg", class_="swatch", width="12", height="12", aria_hidden="true")
            put(swatch, "rect", class_=cell.tone, width="12", height="12")
            swatch.tail = f" {shown(cell.text)}"
            place.set("class", "p" if len(cell.text) > _SHORT else "w")
        case Size() | Share() | Number():
            place.set("class", "n")
            if cell.value is not None:
                place.set("data-v", str(cell.value))
                place.text = _number(cell, cell.value)


def _number(cell: Size | Share | Number, value: int) -> str:
    if isinstance(cell, Share):
        return f"{100 * value / max(1, cell.whole):.1f} %"
    if isinstance(cell, Number):
        return str(value)
    return size_text(value) if value >= 0 else f"-{size_text(-value)}"
