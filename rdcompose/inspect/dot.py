"""Chains as a graph in the DOT language of Graphviz (https://graphviz.org/doc/info/lang.html).

Modules are ellipses, those that are asked about are filled; lines of lists are boxes. What a
module cannot do without is a solid arrow, soft dependencies are dashed, weak ones dotted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rdcompose.inspect.findings import printable
from rdcompose.kernel.needs import NeedKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rdcompose.inspect.explained import Explanation
    from rdcompose.kernel.needs import Need

_STYLES: Final = {
    NeedKind.HARD: "solid",
    NeedKind.PRE: "dashed",
    NeedKind.POST: "dashed",
    NeedKind.WEAK: "dotted",
}


def drawing(found: Iterable[Explanation]) -> str:
    """Return a graph of all chains, and of what those need that have none."""
    explained = [one for one in found if one.is_known]
    rows = [
        "digraph modules {",
        "  rankdir=LR;",
        '  node [fontname="sans-serif"]; edge [fontname="sans-serif", fontsize=10];',
    ]
    rows += [
        f"  {_module(one.name)} [label={_quoted(one.name)}, style=filled];" for one in explained
    ]
    rows += dict.fromkeys(row for one in explained for row in _of(one))
    return "\n".join([*rows, "}"]) + "\n"


def _of(one: Explanation) -> Iterator[str]:
    for chain in one.chains:
        if chain.start is not None:
            start = _quoted(f"reason {chain.start}")
            yield f"  {start} [label={_quoted(str(chain.start))}, shape=box];"
            yield f"  {start} -> {_module(chain.first)};"
        for need in chain.needs:
            yield from _arrow(need)
    if not one.chains:
        for need in (*one.needs, *one.needed_by):
            yield from _arrow(need)


def _arrow(need: Need) -> Iterator[str]:
    for name in (need.by, need.name):
        yield f"  {_module(name)} [label={_quoted(name)}];"
    label = "" if need.kind is NeedKind.HARD else f", label={_quoted(need.alias or need.kind)}"
    yield f"  {_module(need.by)} -> {_module(need.name)} [style={_STYLES[need.kind]}{label}];"


def _module(name: str) -> str:
    return _quoted(f"module {name}")


def _quoted(text: str) -> str:
    """Return a text as an identifier of DOT, in which only quotes and backslashes are special."""
    escaped = printable(text).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
