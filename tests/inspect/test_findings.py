from __future__ import annotations

from rdcompose.inspect.findings import (
    Check,
    contradiction,
    contradictions,
    count,
    printable,
    remark,
    some,
)


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


def test_few_of_many() -> None:
    found = list(contradictions((f"m{n}" for n in range(8)), more="files"))
    assert [finding.message for finding in found] == [
        *(f"m{n}" for n in range(5)),
        "the same of 3 more files",
    ]
    assert list(contradictions([], more="files")) == []


def test_names_cannot_command_a_terminal() -> None:
    hostile = "bin/\x1b]0;title\x07 \udcff\n é"
    assert printable(hostile) == "bin/\\x1b]0;title\\x07 \\udcff\\n é"
    assert contradiction(hostile).message == remark(hostile).message == printable(hostile)
