"""Values, collections and rows that belong together."""

from __future__ import annotations

from rdcompose.inspect.compare.changes import Changed, Shifted, changed, pair, shifted


def test_values() -> None:
    before, now = {"a": "1", "b": "2", "c": "3"}, {"d": "4", "c": "3", "b": "5"}
    assert [*changed(before, now)] == [
        Changed("d", "", "4"),
        Changed("b", "2", "5"),
        Changed("a", "1", ""),
    ]


def test_collections() -> None:
    before = {"a": {"x", "y"}, "b": {"z"}, "c": {"w"}}
    now = {"a": {"y", "v", "u"}, "b": {"z"}}
    assert [*shifted(before, now)] == [
        Shifted("a", ("u", "v"), ("x",)),
        Shifted("c", (), ("w",)),
    ]


def test_rows_belong_together_by_the_first_key_that_is_theirs_alone() -> None:
    keys = (str, lambda text: text[0])
    assert pair(["a1", "b2", "c1", "c2"], ["b3", "a1", "a2", "c9"], keys) == {0: "a1", 1: "b3"}
    assert pair([], ["a"], keys) == {}
