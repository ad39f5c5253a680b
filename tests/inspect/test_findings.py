from __future__ import annotations

from rdcompose.inspect.findings import Check, contradiction, count, remark, some


def test_contradictions_of_a_check() -> None:
    check = Check(name="n", summary="s", findings=(remark("a"), contradiction("b"), remark("c")))
    assert [finding.message for finding in check.contradictions] == ["b"]


def test_some() -> None:
    assert some([]) == ""
    assert some(["a", "b", "c"]) == "a, b, c"
    assert some(["a", "b", "c", "d"]) == "a, b, c, …"


def test_count() -> None:
    assert [count(n, "module") for n in (0, 1, 2)] == ["0 modules", "1 module", "2 modules"]
    assert count(2, "entry", "entries") == "2 entries"
