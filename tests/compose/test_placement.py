"""rdcompose.compose.placement"""

from __future__ import annotations

import pytest

from rdcompose.compose.placement import place_additions, without_lost_scripts
from rdcompose.errors import SpecError
from rdcompose.tree import Bytes, Directory, Entry, File, Symlink, Tree
from tests.support.additions import LOADER, TRIPLET, add, c_library, contents, dynamic
from tests.support.programs import make_program

SEPARATE: list[Entry] = [Directory(path="lib"), Directory(path="usr/lib")]
MERGED: list[Entry] = [
    Symlink(path=name, target=f"usr/{name}") for name in ("bin", "lib", "lib64", "sbin")
]
# As on a machine where somebody did it the other way round.
REVERSED: list[Entry] = [
    Symlink(path="usr/lib", target="../lib"),
    Symlink(path="lib64", target="lib"),
]
PROGRAM: dict[str, bytes | str] = {
    "usr/sbin/tool": "../bin/real",
    "usr/bin/real": dynamic("libc.so.6"),
}


def tree_of(entries: list[Entry]) -> Tree:
    tree = Tree()
    for entry in entries:
        tree.add(entry)
    return tree


def end(tree: Tree, path: str) -> Entry | None:
    """What a path leads to, links followed as the kernel does."""
    for _ in range(40):
        path = tree.resolved(path)
        entry = tree.get(path)
        if not isinstance(entry, Symlink):
            return entry
        start = "" if entry.target.startswith("/") else path.rpartition("/")[0]
        path = resolve_dots(f"{start}/{entry.target}")
    raise AssertionError(path)


def resolve_dots(path: str) -> str:
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            parts.pop()
        elif part not in {"", "."}:
            parts.append(part)
    return "/".join(parts)


@pytest.mark.parametrize("template", [SEPARATE, MERGED, REVERSED], ids=["two", "usr", "root"])
@pytest.mark.parametrize("usr", ["", "usr/"])
def test_everything_is_found(template: list[Entry], usr: str) -> None:
    tree = tree_of(template)
    place_additions(tree, add("tool", contents("tool", PROGRAM, "libc6"), c_library(usr)))
    assert isinstance(end(tree, LOADER[1:]), File)
    libraries = (f"lib/{TRIPLET}/libc.so.6", f"usr/lib/{TRIPLET}/libc.so.6")
    assert any(isinstance(end(tree, path), File) for path in libraries)
    programs = [end(tree, path) for path in ("sbin/tool", "usr/sbin/tool", "bin/real")]
    assert all(isinstance(found, File) for found in programs)
    assert len({id(found) for found in programs}) == 1


def test_links_are_kept_where_they_lead_right() -> None:
    tree = tree_of(SEPARATE)
    place_additions(tree, add("tool", contents("tool", PROGRAM, "libc6"), c_library()))
    link = tree.get("usr/sbin/tool")
    assert isinstance(link, Symlink)
    assert link.target == "../bin/real"


def test_other_names_give_way() -> None:
    own = File(path="sbin/tool", content=Bytes(b"own"))
    tree = tree_of([own, Symlink(path="bin/real", target="busybox")])
    place_additions(tree, add("tool", contents("tool", PROGRAM, "libc6"), c_library()))
    assert tree.get("sbin/tool") is own
    assert isinstance(end(tree, "bin/real"), File)


def test_says_where_things_are() -> None:
    tree = tree_of(MERGED)
    additions = add("tool", contents("tool", {"bin/tool": make_program()}))
    assert place_additions(tree, additions) == {"usr/bin/tool"}


SCRIPTS: dict[str, bytes | str] = {
    "usr/bin/good": b"#!/bin/sh\n",
    "usr/bin/bad": b"#!/usr/bin/perl -w\n",
    "usr/bin/worse": "bad",
}


def test_scripts_that_nothing_runs_are_left_out() -> None:
    tree = tree_of([Symlink(path="bin/sh", target="busybox")])
    additions = add("tool", contents("tool", SCRIPTS))
    place_additions(tree, additions)
    kept, notes = without_lost_scripts(tree, additions)
    assert [added.entry.path for added in kept] == ["bin/good", "usr/bin/good"]
    assert [entry.path for entry in tree if not isinstance(entry, Directory)] == [
        "bin/good",
        "bin/sh",
        "usr/bin/good",
    ]
    assert notes == tuple(
        f"left out: /usr/bin/{name} is a script for /usr/bin/perl, which is not in the initramfs"
        for name in ("bad", "worse")
    )


def test_script_that_was_asked_for() -> None:
    tree = tree_of([Symlink(path="bin/sh", target="busybox")])
    additions = add("tool:/usr/bin/bad", contents("tool", SCRIPTS))
    place_additions(tree, additions)
    with pytest.raises(SpecError, match="/usr/bin/bad is a script for /usr/bin/perl"):
        without_lost_scripts(tree, additions)


def test_script_for_what_is_added_too() -> None:
    tree = tree_of(SEPARATE)
    perl = contents("perl-base", {"usr/bin/perl": make_program()})
    additions = add("tool:/usr/bin/bad perl-base", contents("tool", SCRIPTS), perl)
    place_additions(tree, additions)
    assert not without_lost_scripts(tree, additions)[1]
