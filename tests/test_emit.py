from __future__ import annotations

import hashlib
import io
import os
from typing import TYPE_CHECKING

import pytest

from rdcompose.compose.spec import EmitForm
from rdcompose.compose.template import LIST_NAME, read_template, tree_bytes
from rdcompose.emit import directory_name, emitted_files, listing, write_directory
from rdcompose.errors import OutputError
from rdcompose.formats.cpio import read_newc
from rdcompose.tree import Bytes, Directory, File, Node, NodeKind, Symlink, Tree

if TYPE_CHECKING:
    from pathlib import Path

MTIME = 1_700_000_000


def sample() -> Tree:
    tree = Tree()
    for entry in (
        File(path="init", mode=0o755, content=Bytes(b"#!/bin/sh\n")),
        Directory(path="root", mode=0o700),
        Directory(path="locked", mode=0o555),
        File(path="locked/file", mode=0o400, content=Bytes(b"x" * 3)),
        Symlink(path="bin/sh", target="busybox"),
        Node(path="dev/console", kind=NodeKind.CHARACTER, major=5, minor=1),
        File(path="etc/owned", content=Bytes(b"mine"), uid=7, gid=8),
    ):
        tree.add(entry)
    return tree


def contents(tree: Tree, *forms: EmitForm) -> dict[str, bytes]:
    written = {}
    for name, write in emitted_files("R", tree, forms, mtime=MTIME).items():
        out = io.BytesIO()
        write(out)
        written[name] = out.getvalue()
    return written


def test_an_archive() -> None:
    files = contents(sample(), EmitForm.CPIO)
    assert list(files) == ["embed-R.cpio"]
    again = Tree()
    for entry in read_newc(files["embed-R.cpio"]):
        again.add(entry)
    assert tree_bytes(again) == tree_bytes(sample())
    assert directory_name("R", [EmitForm.CPIO, EmitForm.TREE]) is None


def test_what_a_directory_and_its_list_hold_is_the_tree_again(tmp_path: Path) -> None:
    tree = sample()
    write_directory(tmp_path, tree, mtime=MTIME)
    assert {int(path.lstat().st_mtime) for path in [tmp_path, *tmp_path.rglob("*")]} == {MTIME}
    files = contents(tree, EmitForm.DIRECTORY)
    assert list(files) == ["embed-R.nodes"]
    lines = files["embed-R.nodes"].decode()
    assert lines == (
        "nod /dev/console 600 0 0 c 5 1\nfile /etc/owned embed-R.d/etc/owned 644 7 8\n"
    )
    # A template's locations are relative to itself.
    (tmp_path / LIST_NAME).write_text(lines.replace("embed-R.d/", ""), encoding="utf-8")
    assert tree_bytes(read_template(tmp_path)) == tree_bytes(tree)


def test_a_directory_that_holds_all_needs_no_list() -> None:
    tree = sample()
    for path in ("dev/console", "etc/owned"):
        tree.remove(path)
    assert contents(tree, EmitForm.DIRECTORY) == {}


def test_a_list_of_everything() -> None:
    files = contents(sample(), EmitForm.CPIO_LIST)
    assert list(files) == ["embed-R.list"]
    assert files["embed-R.list"].decode().splitlines() == [
        "dir /bin 755 0 0",
        "slink /bin/sh busybox 777 0 0",
        "dir /dev 755 0 0",
        "nod /dev/console 600 0 0 c 5 1",
        "dir /etc 755 0 0",
        "file /etc/owned embed-R.d/etc/owned 644 7 8",
        "file /init embed-R.d/init 755 0 0",
        "dir /locked 555 0 0",
        "file /locked/file embed-R.d/locked/file 400 0 0",
        "dir /root 700 0 0",
    ]
    for form in (EmitForm.CPIO_LIST, EmitForm.DIRECTORY):
        assert directory_name("R", [form]) == "embed-R.d"


def test_a_listing() -> None:
    tree = sample()
    tree.add(File(path="odd\nname\\", content=Bytes(b"")))
    lines = listing(tree).decode().splitlines()
    digest = hashlib.sha256(b"mine").hexdigest()
    empty = hashlib.sha256(b"").hexdigest()
    assert "drwx------ 0:0         0 - /root" in lines
    assert "lrwxrwxrwx 0:0         0 - /bin/sh -> busybox" in lines
    assert "crw------- 0:0       5,1 - /dev/console" in lines
    assert f"-rw-r--r-- 7:8         4 {digest} /etc/owned" in lines
    assert f"-rw-r--r-- 0:0         0 {empty} /odd\\nname\\\\" in lines
    assert contents(tree, EmitForm.TREE) == {"embed-R.tree": listing(tree)}


@pytest.mark.parametrize("mask", [0o000, 0o077])
def test_modes_do_not_depend_on_the_umask(tmp_path: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        write_directory(tmp_path, sample(), mtime=MTIME)
    finally:
        os.umask(before)
    modes = {
        str(path.relative_to(tmp_path)): path.lstat().st_mode & 0o7777
        for path in tmp_path.rglob("*")
        if not path.is_symlink()
    }
    assert modes == {
        "bin": 0o755,
        "dev": 0o755,
        "etc": 0o755,
        "etc/owned": 0o644,
        "init": 0o755,
        "locked": 0o555,
        "locked/file": 0o400,
        "root": 0o700,
    }


def test_a_file_system_that_refuses(tmp_path: Path) -> None:
    (tmp_path / "init").mkdir()
    with pytest.raises(OutputError, match=r"cannot write .*/init: File exists"):
        write_directory(tmp_path, sample(), mtime=MTIME)
