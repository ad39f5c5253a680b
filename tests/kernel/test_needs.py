from __future__ import annotations

import pytest

from rdcompose.errors import FormatError
from rdcompose.kernel import needs
from rdcompose.kernel.needs import Need, NeedKind, Needs, needs_of
from tests.support.graphs import FakeGraph

KERNEL = FakeGraph.parse("""
module kernel/a.ko needs=b,c pre=crypto-x post=d,gone weak=e
module kernel/b.ko needs=c
module kernel/c.ko
module kernel/d.ko needs=a
module kernel/e-f.ko
module kernel/x1.ko alias=crypto-x
module kernel/x2.ko alias=crypto-x
module kernel/e.ko pre=e,built
builtin kernel/built.ko
""")


def test_needs_of_one_module() -> None:
    assert list(needs_of(KERNEL, "a")) == [
        Need(by="a", name="b", kind=NeedKind.HARD),
        Need(by="a", name="c", kind=NeedKind.HARD),
        Need(by="a", name="x1", kind=NeedKind.PRE, alias="crypto-x"),
        Need(by="a", name="x2", kind=NeedKind.PRE, alias="crypto-x"),
        Need(by="a", name="d", kind=NeedKind.POST),
        Need(by="a", name="e", kind=NeedKind.WEAK),
    ]


def test_both_directions_among_some() -> None:
    found = Needs(KERNEL, ["a", "b", "c", "d", "e"])
    assert [need.name for need in found.of("a")] == ["b", "c", "d", "e"]
    assert [(need.by, need.kind) for need in found.by("c")] == [
        ("a", NeedKind.HARD),
        ("b", NeedKind.HARD),
    ]
    assert [need.by for need in found.by("a")] == ["d"]
    # What is itself, or not among them, is none.
    assert found.of("e") == found.by("x1") == found.of("x1") == ()


def test_hard_needs_come_first() -> None:
    graph = FakeGraph.parse("""
    module kernel/a.ko weak=z
    module kernel/b.ko needs=z
    module kernel/c.ko pre=z
    module kernel/z.ko
    """)
    assert [need.by for need in Needs(graph, graph.modules).by("z")] == ["b", "c", "a"]


def test_more_needs_than_any_kernel_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(needs, "MAX_NEEDS", 7)
    assert Needs(KERNEL, ["a", "b", "c", "d", "e"]).by("a")
    monkeypatch.setattr(needs, "MAX_NEEDS", 5)
    with pytest.raises(FormatError, match="in more than 5 ways"):
        Needs(KERNEL, ["a", "b", "c", "d", "e"])
