from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from rdcompose.errors import RdcomposeError, SpecError
from rdcompose.kernel.modlist import Include, ListEntry, parse_autoload, parse_modules
from rdcompose.kernel.modmatch import ModuleIndex
from rdcompose.kernel.selection import WhyKind, select
from tests.support.graphs import FakeGraph, FakeModule

if TYPE_CHECKING:
    from collections.abc import Sequence

NAMES = [f"m{number}" for number in range(8)]
FOLDERS = ["kernel/a", "kernel/a/b", "kernel/c", "updates"]


@st.composite
def graphs(draw: st.DrawFn) -> FakeGraph:
    graph = FakeGraph()
    for name in draw(st.lists(st.sampled_from(NAMES), unique=True)):
        path = f"{draw(st.sampled_from(FOLDERS))}/{name}.ko"
        if draw(st.integers(0, 4)) == 0:
            graph.builtin[name] = path
        else:
            graph.modules[name] = FakeModule(path)
        graph.facts[name] = {}
    some = st.lists(st.sampled_from(sorted(graph.modules)), max_size=3) if graph.modules else None
    for name in graph.modules:
        assert some is not None
        facts = graph.facts[name]
        facts["needs"] = tuple(draw(some))
        for key in ("pre", "post", "weak"):
            facts[key] = tuple(draw(st.lists(st.sampled_from(NAMES), max_size=1)))
    return graph


WORDS = st.sampled_from([*NAMES, "m*", "a", "a/b", "a/", "c/m[0-4]", "**/m1", "updates", "zzz"])
LINES = st.tuples(st.sampled_from(["", "!"]), WORDS, st.sampled_from(["?", "?", ""])).map("".join)
LISTS = st.lists(LINES, max_size=6)


def entries(lines: Sequence[str]) -> list[ListEntry]:
    parsed = parse_modules("\n".join(lines).encode(), file="list")
    return [entry for entry in parsed if not isinstance(entry, Include)]


@settings(max_examples=100)
@given(graphs(), LISTS, st.lists(st.sampled_from(NAMES), max_size=2))
def test_selection_is_closed_and_complete(
    graph: FakeGraph, lines: list[str], names: list[str]
) -> None:
    autoload = parse_autoload("\n".join(f"{name}?" for name in names).encode(), file="auto")
    try:
        found = select(graph, entries(lines), autoload)
    except SpecError:
        return
    chosen = set(found.ramdisk)
    assert chosen.isdisjoint(found.disk)
    assert sorted([*found.ramdisk, *found.disk]) == sorted(graph.modules)
    for part in (found.ramdisk, found.disk):
        paths = [graph.modules[name].path for name in part]
        assert paths == sorted(paths)
    assert all(chosen.issuperset(graph.direct(name)) for name in chosen)
    assert chosen.issuperset(found.autoload)
    assert set(found.reasons) == chosen
    for name, why in found.reasons.items():
        if why.kind is WhyKind.DEPENDENCY:
            assert name in graph.direct(why.by)
    assert select(graph, entries(lines), autoload) == found


@settings(max_examples=100)
@given(graphs(), LISTS)
def test_excluded_last_stays_out(graph: FakeGraph, lines: list[str]) -> None:
    try:
        found = select(graph, entries([*lines, "!a?"]))
    except SpecError:
        return
    assert not [n for n in found.ramdisk if graph.modules[n].path.startswith("kernel/a/")]


@settings(max_examples=100)
@given(st.binary(max_size=60) | st.text("ab/*?[]!@# .\n\t", max_size=40).map(str.encode))
def test_any_bytes_parse_or_are_refused(data: bytes) -> None:
    index = ModuleIndex({"m": FakeModule("kernel/a/b/m.ko")}, {"n": "kernel/a/n.ko"})
    for parse in (parse_modules, parse_autoload):
        try:
            found = parse(data, file="list")
        except SpecError:
            continue
        for item in found:
            assert 1 <= item.line.number <= data.count(b"\n") + data.count(b"\r") + 1
            if isinstance(item, ListEntry):
                index.match(item.pattern)
                index.near(item.pattern)


@given(st.text("ab/-_*", min_size=1, max_size=20))
def test_dashes_and_suffixes_make_no_difference(text: str) -> None:
    index = ModuleIndex(
        {"a_b": FakeModule("kernel/a/a-b.ko"), "b": FakeModule("kernel/b_a/b.ko")}, {}
    )
    try:
        (entry,) = entries([text])
    except RdcomposeError:
        return
    match = index.match(entry.pattern)
    assert index.match(entry.pattern.replace("-", "_")) == match
    assert index.match(entry.pattern.replace("_", "-")) == match
    if not entry.pattern.endswith("/"):
        assert set(index.match(entry.pattern + ".ko").modules) <= set(match.modules)
