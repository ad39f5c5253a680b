from __future__ import annotations

import pytest

from rdcompose.boards.rootprogram import Program, first_programs
from rdcompose.formats.ext4.contents import Files
from rdcompose.tree import Bytes, Directory, Entry, File, Symlink, Tree
from tests.support.programs import make_program

ARM64 = (183, 64, "little")


def files(*entries: Entry, **links: str) -> Files:
    tree = Tree()
    for entry in entries:
        tree.add(entry)
    return Files(tree=tree, links={path.replace("_", "/"): to for path, to in links.items()})


def program(path: str, data: bytes | None = None) -> File:
    content = make_program(machine=183) if data is None else data
    return File(path=path, content=Bytes(content))


def test_through_links_as_debian_has_it() -> None:
    found = first_programs(
        files(
            Symlink(path="sbin", target="usr/sbin"),
            Symlink(path="usr/sbin/init", target="../lib/systemd/systemd"),
            program("usr/lib/systemd/systemd"),
            Symlink(path="bin", target="usr/bin"),
            Symlink(path="usr/bin/sh", target="/usr/bin/dash"),
            program("usr/bin/dash", b"#!"),
        )
    )
    assert found == (Program("sbin/init", ARM64), Program("bin/sh", None))


def test_further_names_of_a_file() -> None:
    found = first_programs(files(program("bin/busybox"), sbin_init="bin/busybox"))
    assert found == (Program("sbin/init", ARM64),)


@pytest.mark.parametrize(
    "entries",
    [
        (),
        (Directory(path="sbin/init"),),
        (Symlink(path="sbin/init", target="none"),),
        (Symlink(path="sbin/init", target="/"),),
        (Symlink(path="sbin/init", target="init"),),
        (Symlink(path="sbin", target="s"), Symlink(path="s", target="sbin")),
    ],
    ids=["empty", "directory", "nowhere", "root", "itself", "circle"],
)
def test_nothing_to_start(entries: tuple[Entry, ...]) -> None:
    assert first_programs(files(*entries)) == ()


@pytest.mark.parametrize(
    "data", [b"", b"\x7fELF", make_program(machine=183)[:60]], ids=["empty", "magic", "cut"]
)
def test_what_tells_no_machine(data: bytes) -> None:
    assert first_programs(files(program("sbin/init", data))) == (Program("sbin/init", None),)
