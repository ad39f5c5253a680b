"""What ``rdcompose diff`` tells of modules."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from rdcompose.cli.diff_row import MANY, Row, sizes_text, together

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from rdcompose.inspect.compare.changes import Changed, Shifted
    from rdcompose.inspect.compare.modules import (
        ModuleChange,
        ModulesDifference,
        PlacedModule,
    )

# As many names of one kind as fit into a line.
_NAMES: Final = 6
_COUNTED: Final = "alias"
_PLACE: Final = "in"
# Digests of the sources say nothing but that they differ.
_SOURCES: Final = "srcversion"


def modules_title(modules: ModulesDifference) -> str:
    """Return the numbers in one line."""
    numbers = {
        "new": len(modules.new),
        "gone": len(modules.gone),
        "moved": sum(_sign(row) == ">" for row in modules.changed),
        "changed": sum(_sign(row) != ">" for row in modules.changed),
        "the same": modules.same,
    }
    told = ", ".join(f"{number} {what}" for what, number in numbers.items() if number)
    before, now = modules.aliases
    return f"modules: {told}" + (f"; aliases {before} → {now}" if before != now else "")


def module_rows(modules: ModulesDifference, *, whole: bool, places: bool) -> Iterator[Row]:
    """Yield a row for each module that says more than that it was built again.

    Where many say the same, they get a row together, unless the ``whole`` is asked for. With
    ``places`` it is told where those that are new or gone lie.
    """
    for row in modules.new:
        yield Row("+", row.facts.name, _placed(row, "was built in", places=places))
    for row in modules.gone:
        yield Row("-", row.facts.name, _placed(row, "now built in", places=places))
    common = _common(modules)
    said = {change.name: "; ".join(_said(change, common)) for change in modules.changed}
    rows = [Row(_sign(row), row.name, said[row.name]) for row in modules.changed if said[row.name]]
    yield from rows if whole else together(rows, "modules")
    for shared, number in common.items():
        yield Row("~", f"{number} modules", _text(shared))
    rest = [change for change in modules.changed if not said[change.name] and change.content]
    if not common or whole:
        yield from (Row("~", change.name, _content(change)) for change in rest)
    elif rest:
        yield Row("~", f"{len(rest)} modules", "built anew, with nothing else to tell")


def _sign(change: ModuleChange) -> str:
    return ">" if any(row.what == _PLACE for row in change.texts) else "~"


def _placed(row: PlacedModule, builtin: str, *, places: bool) -> str:
    said = [row.facts.inner, *([" and ".join(row.places)] if places else [])]
    if version := row.facts.says.texts["version"]:
        said.append(f"version {version}")
    return ", ".join([*said, builtin] if row.builtin else said)


def _common(modules: ModulesDifference) -> dict[Changed, int]:
    """Return what changed in the same way in many modules; where they lie is told of each."""
    found = Counter(row for change in modules.changed for row in change.texts if row.what != _PLACE)
    return {row: number for row, number in found.items() if number >= MANY}


def _said(change: ModuleChange, common: Collection[Changed]) -> Iterator[str]:
    yield from (_text(row) for row in change.texts if row not in common)
    yield from map(_set, change.sets)


def _text(row: Changed) -> str:
    if row.what == _SOURCES and row.before and row.now:
        return "other sources"
    both = f"{row.before.strip() or 'none'} → {row.now.strip() or 'none'}"
    return both if row.what == _PLACE else f"{row.what} {both}"


def _set(row: Shifted) -> str:
    if row.what == _COUNTED:
        signs = {"+": len(row.new), "-": len(row.gone)}
        told = [f"{sign}{number}" for sign, number in signs.items() if number]
        return f"aliases {' '.join(told)}"
    return f"{row.what} {' '.join([*_names('+', row.new), *_names('-', row.gone)])}"


def _names(sign: str, names: tuple[str, ...]) -> Iterator[str]:
    yield from (f"{sign}{name}" for name in names[:_NAMES])
    if len(names) > _NAMES:
        yield f"{sign}{len(names) - _NAMES} others"


def _content(change: ModuleChange) -> str:
    return f"content, {sizes_text(change.before.says.size, change.now.says.size)}"
