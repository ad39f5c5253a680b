"""Comparing trees: nothing is lost, and both directions tell the same."""

from __future__ import annotations

import dataclasses

from hypothesis import given
from hypothesis import strategies as st

from rdcompose.cli.diff_files import file_rows
from rdcompose.inspect.compare.files import EntryFacts, compare_files

RELEASES = ("6.1", "6.2")
PART = st.sampled_from(["usr", "lib", "bin", "a", "b-6.1", "6.1", "modules.dep"])
PATH = st.lists(PART, min_size=1, max_size=4).map("/".join)
ENTRY = st.builds(
    EntryFacts,
    path=PATH,
    kind=st.sampled_from(["file", "directory", "link"]),
    mode=st.sampled_from([0o644, 0o755]),
    uid=st.sampled_from([0, 1]),
    gid=st.just(0),
    size=st.sampled_from([0, 5]),
    sha256=st.sampled_from(["", "x", "y"]),
    target=st.sampled_from(["", "a"]),
)
TREE = st.lists(ENTRY, max_size=8, unique_by=lambda entry: entry.path)


def other_release(entry: EntryFacts) -> EntryFacts:
    return dataclasses.replace(entry, path=entry.path.replace(*RELEASES))


@given(TREE)
def test_a_tree_is_what_it_is(tree: list[EntryFacts]) -> None:
    names = ({RELEASES[0]: "R"}, {RELEASES[1]: "R"})
    for found in (
        compare_files(tree, tree[::-1]),
        compare_files(tree, [other_release(entry) for entry in tree], names),
    ):
        assert (found.new, found.gone, found.changed) == ((), (), ())
        assert found.same == len(tree)


@given(TREE, TREE)
def test_every_entry_is_told_once(before: list[EntryFacts], now: list[EntryFacts]) -> None:
    found = compare_files(before, now)
    assert len(found.gone) + len(found.changed) + found.same == len(before)
    assert len(found.new) + len(found.changed) + found.same == len(now)
    back = compare_files(now, before)
    assert (back.new, back.gone, back.same) == (found.gone, found.new, found.same)
    assert {(row.before, row.now, row.what) for row in found.changed} == {
        (row.now, row.before, row.what) for row in back.changed
    }
    told = [*file_rows(found, whole=True)]
    assert len(told) == len(found.new) + len(found.gone) + len(found.changed)
    assert len([*file_rows(found, whole=False)]) <= len(told)
