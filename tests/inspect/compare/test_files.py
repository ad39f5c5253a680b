"""Entries of trees: what differs, what only lies elsewhere."""

from __future__ import annotations

import hashlib

import pytest

from rdcompose.inspect.compare.files import (
    EntryFacts,
    FilesDifference,
    compare_files,
    entry_facts,
    neutral,
    unmerged,
)
from rdcompose.tree import Bytes, Directory, Entry, File, Node, NodeKind, Symlink


def facts(*entries: Entry) -> list[EntryFacts]:
    return [
        entry_facts(row, hashlib.sha256(row.content.data).hexdigest())
        if isinstance(row, File) and isinstance(row.content, Bytes)
        else entry_facts(row)
        for row in entries
    ]


def file(path: str, data: bytes = b"x", mode: int = 0o644) -> File:
    return File(path=path, mode=mode, content=Bytes(data))


def what(found: FilesDifference) -> dict[str, tuple[str, ...]]:
    return {change.now.path: change.what for change in found.changed}


def test_trees_that_are_the_same() -> None:
    rows = facts(Directory(path="a"), file("a/b"), Symlink(path="c", target="a"))
    assert compare_files(rows, reversed(rows)) == FilesDifference(same=3)


def test_new_and_gone_are_sorted_by_path() -> None:
    found = compare_files(
        facts(file("old/x", b""), Directory(path="old")),
        facts(file("new-x", b""), file("new/x", b""), Directory(path="new")),
    )
    assert [row.path for row in found.new] == ["new", "new/x", "new-x"]
    assert [row.path for row in found.gone] == ["old", "old/x"]


DEVICE = Node(path="n", kind=NodeKind.BLOCK, major=8, minor=1)
CHANGES = {
    "content": (file("n"), file("n", b"y"), ("content",)),
    "mode": (file("n"), file("n", mode=0o755), ("mode",)),
    "owner": (file("n"), File(path="n", gid=5, content=Bytes(b"x")), ("owner",)),
    "target": (Symlink(path="n", target="a"), Symlink(path="n", target="b"), ("target",)),
    "kind": (file("n"), Symlink(path="n", target="b"), ("kind",)),
    "device": (DEVICE, Node(path="n", kind=NodeKind.BLOCK, major=8, minor=2), ("device",)),
    "nodes": (DEVICE, Node(path="n", kind=NodeKind.CHARACTER, major=8, minor=1), ("kind",)),
    "all": (
        file("n"),
        File(path="n", mode=0o4755, uid=7, content=Bytes(b"")),
        ("content", "mode", "owner"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CHANGES)
def test_what_changed_is_said(name: str) -> None:
    before, now, changes = CHANGES[name]
    assert what(compare_files(facts(before), facts(now))) == {"n": changes}


def test_the_mode_of_a_link_is_nothing() -> None:
    before, now = (Symlink(path="n", target="a", mode=mode) for mode in (0o777, 0o755))
    assert compare_files(facts(before), facts(now)).changed == ()


def test_releases_in_paths_stand_for_each_other() -> None:
    before = facts(file("lib/modules/6.1/x"), file("boot/config-6.1"), file("doc/6.1.txt", b""))
    now = facts(file("lib/modules/6.2/x"), file("boot/config-6.2"), file("doc/6.1.txt", b""))
    found = compare_files(before, now, ({"6.1": "6.2"}, {"6.2": "6.2"}))
    assert found == FilesDifference(same=3)


def test_directories_merged_below_usr() -> None:
    before = facts(Symlink(path="bin", target="usr/bin"), file("usr/bin/a"), file("usr/lib/b/c"))
    now = facts(Directory(path="bin"), file("bin/a", b"y"), file("lib/b/c"))
    found = compare_files(before, now)
    assert what(found) == {"bin": ("kind",), "bin/a": ("path", "content"), "lib/b/c": ("path",)}
    assert (found.new, found.gone) == ((), ())


def test_both_places_on_one_side_are_two_files() -> None:
    before = facts(file("usr/bin/a"), file("bin/a", b"y"))
    found = compare_files(before, facts(file("bin/a", b"y")))
    assert [row.path for row in found.gone] == ["usr/bin/a"]


def test_a_file_that_moved() -> None:
    found = compare_files(facts(file("a/x", b"long")), facts(file("b/x", b"long")))
    assert what(found) == {"b/x": ("path",)}
    # One of several, or one that is empty, may be any.
    many = compare_files(facts(file("a/x")), facts(file("b/x"), file("c/x")))
    assert len(many.new) == 2
    empty = compare_files(facts(file("a/x", b"")), facts(file("b/x", b"")))
    assert len(empty.gone) == 1


def test_paths() -> None:
    assert unmerged("usr/lib64/x") == "lib64/x"
    assert unmerged("usr/share/x") == "usr/share/x"
    assert unmerged("usr/lib") == "usr/lib"
    assert neutral("a/b-6.1/c", {"6.1": "R"}) == "a/b-\0R/c"
    assert neutral("a/6.1.0/c", {"6.1": "R"}) == "a/6.1.0/c"
