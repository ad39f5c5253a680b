from __future__ import annotations

import os
import socket
import stat
from typing import TYPE_CHECKING

import pytest

from rdcompose.compose import template
from rdcompose.compose.template import (
    builtin_template,
    builtin_template_path,
    overlay,
    read_template,
)
from rdcompose.errors import SpecError
from rdcompose.tree import Bytes, Directory, File, Node, Symlink, Tree
from tests.support.dump import digest, dump

if TYPE_CHECKING:
    from pathlib import Path


def tree_of(*entries: File | Directory | Symlink | Node) -> Tree:
    tree = Tree()
    for entry in entries:
        tree.add(entry)
    return tree


def write(path: Path, data: bytes = b"", mode: int = 0o644) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    path.chmod(mode)
    return path


def with_list(directory: Path, *lines: str) -> Path:
    write(directory / "template.list", "\n".join(lines).encode("utf-8", "surrogateescape"))
    return directory


def test_user_directory_keeps_kinds_and_modes(tmp_path: Path) -> None:
    write(tmp_path / "init", b"start", 0o750)
    write(tmp_path / "bin" / "su", b"su", 0o4755)
    (tmp_path / "tmp").mkdir()
    (tmp_path / "tmp").chmod(0o1777)
    (tmp_path / "bin").chmod(0o711)
    (tmp_path / "bin" / "sh").symlink_to("busybox")
    (tmp_path / "absolute").symlink_to("/nowhere/at/all")
    os.mkfifo(tmp_path / "fifo", 0o600)
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(os.fspath(tmp_path / "socket"))
    (tmp_path / "socket").chmod(0o660)

    assert dump(read_template(tmp_path)) == {
        "absolute": "symlink /nowhere/at/all",
        "bin": "dir 0711",
        "bin/sh": "symlink busybox",
        "bin/su": f"file 4755 {digest(b'su')}",
        "fifo": "fifo 0600",
        "init": f"file 0750 {digest(b'start')}",
        "socket": "socket 0660",
        "tmp": "dir 1777",
    }


def test_device_numbers_survive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Only root can make device nodes: let lstat say that these files are some.
    write(tmp_path / "console")
    write(tmp_path / "vda")
    real = os.lstat
    numbers = {
        b"console": (stat.S_IFCHR | 0o600, os.makedev(5, 1)),
        b"vda": (stat.S_IFBLK | 0o660, os.makedev(254, 16)),
    }

    def lstat(path: bytes) -> os.stat_result:
        mode, device = numbers[path.rpartition(b"/")[2]]
        names = {"st_rdev": device}
        return os.stat_result((mode, *real(path)[1:]), names)

    monkeypatch.setattr(os, "lstat", lstat)
    assert dump(read_template(tmp_path)) == {
        "console": "char 0600 5:1",
        "vda": "block 0660 254:16",
    }


@pytest.mark.parametrize("umask_mode", [0o600, 0o644, 0o664])
def test_inexact_modes_do_not_depend_on_the_umask(tmp_path: Path, umask_mode: int) -> None:
    write(tmp_path / "etc" / "fstab", b"", umask_mode)
    write(tmp_path / "init", b"", umask_mode | 0o100)
    (tmp_path / "etc").chmod(umask_mode | 0o111)
    assert dump(read_template(tmp_path, exact=False)) == {
        "etc": "dir 0755",
        "etc/fstab": "file 0644 empty",
        "init": "file 0755 empty",
    }


def test_hard_links_become_files_of_their_own(tmp_path: Path) -> None:
    write(tmp_path / "a", b"same", 0o755)
    (tmp_path / "b").hardlink_to(tmp_path / "a")
    assert dump(read_template(tmp_path)) == {
        "a": f"file 0755 {digest(b'same')}",
        "b": f"file 0755 {digest(b'same')}",
    }


def test_git_files_are_left_out(tmp_path: Path) -> None:
    write(tmp_path / ".git" / "config", b"")
    write(tmp_path / ".gitignore", b"")
    write(tmp_path / "proc" / ".gitkeep", b"")
    write(tmp_path / ".profile", b"")
    assert list(dump(read_template(tmp_path))) == [".profile", "proc"]


def test_names_that_are_no_utf8_survive(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"caf\xe9")).symlink_to(os.fsdecode(b"\xff"))
    [entry] = read_template(tmp_path)
    assert isinstance(entry, Symlink)
    assert (entry.path, entry.target) == ("caf\udce9", "\udcff")


def test_not_a_directory(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"the template .*/missing is not a directory"):
        read_template(tmp_path / "missing")


@pytest.mark.parametrize("function", ["scandir", "lstat"])
def test_unreadable_names_the_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, function: str
) -> None:
    write(tmp_path / "etc" / "secret", b"")
    real = getattr(os, function)
    bad = os.fsencode(tmp_path / "etc")

    def refuse(path: bytes) -> object:
        if path.startswith(bad):
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, function, refuse)
    with pytest.raises(SpecError, match=r"cannot read .*/etc of the template: Permission denied"):
        read_template(tmp_path)


def test_list_syntax(tmp_path: Path) -> None:
    write(tmp_path / "files" / "busybox", b"bb", 0o600)
    write(tmp_path / "init", b"init", 0o600)
    with_list(
        tmp_path,
        "# a comment",
        "",
        "  # another",
        "file /init init 0755 0 0",
        "file /bin/busybox files/busybox 4755 1 2 /bin/sh bin/ls",
        "dir /tmp 1777 0 0",
        "nod /dev/console 0600 0 5 c 5 1",
        "nod /dev/vda 660 0 6 b 254 0",
        "slink /sbin/init ../bin/busybox 0777 3 4",
        "pipe /run/pipe 0640 0 0",
        "sock /run/sock 0666 0 0",
    )
    assert dump(read_template(tmp_path)) == {
        "bin": "dir 0755",
        "bin/busybox": f"file 4755 {digest(b'bb')} 1:2",
        "bin/ls": f"file 4755 {digest(b'bb')} 1:2",
        "bin/sh": f"file 4755 {digest(b'bb')} 1:2",
        "dev": "dir 0755",
        "dev/console": "char 0600 5:1 0:5",
        "dev/vda": "block 0660 254:0 0:6",
        "files": "dir 0755",
        "files/busybox": f"file 0600 {digest(b'bb')}",
        "init": f"file 0755 {digest(b'init')}",
        "run": "dir 0755",
        "run/pipe": "fifo 0640",
        "run/sock": "socket 0666",
        "sbin": "dir 0755",
        "sbin/init": "symlink ../bin/busybox 3:4",
        "tmp": "dir 1777",
    }


def test_list_in_a_subdirectory_is_an_ordinary_file(tmp_path: Path) -> None:
    with_list(tmp_path / "etc", "not a list")
    assert list(dump(read_template(tmp_path))) == ["etc", "etc/template.list"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("directory /a 0755 0 0", r"'directory' is no kind of entry"),
        ("dir /a 0755 0", r"dir takes 4 words after it, not 3"),
        ("dir /a 0755 0 0 0", r"dir takes 4 words after it, not 5"),
        ("file /a a 0755 0", r"file takes 5 or more words after it, not 4"),
        ("dir", r"dir takes 4 words after it, not 0"),
        ("dir /a 0855 0 0", r"'0855' is no mode"),
        ("dir /a 10000 0 0", r"'10000' is no mode"),
        ("dir /a -755 0 0", r"'-755' is no mode"),
        ("dir /a 0o755 0 0", r"'0o755' is no mode"),
        ("dir /a 7_5 0 0", r"'7_5' is no mode"),
        ("dir /a 0755 root 0", r"'root' is no user number"),
        ("dir /a 0755 ٣ 0", r"'٣' is no user number"),
        ("dir /a 0755 0 4294967296", r"'4294967296' is no group number"),
        ("dir /a 0755 0 " + "0" * 5000, r"is no group number"),
        ("nod /a 0600 0 0 x 1 1", r"the device type 'x' is neither c nor b"),
        ("nod /a 0600 0 0 c 4096 1", r"'4096' is no major number"),
        ("nod /a 0600 0 0 c 1 1048576", r"'1048576' is no minor number"),
        ("dir /../a 0755 0 0", r"holds the component '\.\.'"),
        ("dir //a 0755 0 0", r"'/a' is not a relative path"),
        ("dir / 0755 0 0", r"'' is not a relative path"),
        ("dir /a\0b 0755 0 0", r"holds a NUL"),
        ("dir /" + "a/" * 70 + "b 0755 0 0", r"too deep"),
        ("file /a missing 0755 0 0", r"cannot read .*/missing of the template: No such file"),
        ("file /a ${HOME}/x 0755 0 0", r"holds a variable"),
        ("file /a . 0755 0 0", r"cannot read .* of the template: Is a directory"),
        ("dir /plain/inside 0755 0 0", r"'plain' is not a directory"),
        ("slink /full x 0777 0 0", r"'full' cannot replace a directory that holds"),
    ],
)
def test_wrong_list_names_the_line(tmp_path: Path, line: str, message: str) -> None:
    write(tmp_path / "plain", b"")
    write(tmp_path / "full" / "file", b"")
    with_list(tmp_path, "# first", line)
    with pytest.raises(SpecError, match=message) as caught:
        read_template(tmp_path)
    assert f"{tmp_path}/template.list, line 2: " in caught.value.message


def test_overlay_replaces_and_adds() -> None:
    base = tree_of(
        File(path="init", mode=0o755, content=Bytes(b"base")),
        Directory(path="etc", mode=0o700),
        File(path="etc/fstab", content=Bytes(b"base")),
        Directory(path="usr/bin"),
        File(path="bin/sh", content=Bytes(b"")),
    )
    other = tree_of(
        Directory(path="etc", mode=0o711),
        File(path="etc/motd", content=Bytes(b"hello")),
        Symlink(path="usr/bin", target="../bin"),
        Symlink(path="bin/sh", target="busybox"),
    )
    before = dump(base)
    assert dump(overlay(base, other)) == {
        "bin": "dir 0755",
        "bin/sh": "symlink busybox",
        "etc": "dir 0711",
        "etc/fstab": f"file 0644 {digest(b'base')}",
        "etc/motd": f"file 0644 {digest(b'hello')}",
        "init": f"file 0755 {digest(b'base')}",
        "usr": "dir 0755",
        "usr/bin": "symlink ../bin",
    }
    assert dump(base) == before


def test_overlay_loses_nothing_silently() -> None:
    base = tree_of(File(path="usr/bin/env", content=Bytes(b"")))
    with pytest.raises(SpecError, match="'usr/bin' cannot replace a directory that holds"):
        overlay(base, tree_of(Symlink(path="usr/bin", target="../bin")))


def test_builtin_template() -> None:
    tree = builtin_template()
    lines = dump(tree)
    assert lines.pop("init").startswith("file 0755 ")
    assert lines.pop("etc/fstab").startswith("file 0644 ")
    for name in ("console", "devices", "drivers", "finish", "modules", "options", "root"):
        assert lines.pop(f"etc/rdcompose/init/{name}.sh").startswith("file 0644 ")
    assert lines == {
        "bin": "dir 0755",
        "dev": "dir 0755",
        "dev/console": "char 0600 5:1",
        "dev/null": "char 0666 1:3",
        "etc": "dir 0755",
        "etc/rdcompose": "dir 0755",
        "etc/rdcompose/init": "dir 0755",
        "lib": "dir 0755",
        "modules-disk": "dir 0755",
        "newroot": "dir 0755",
        "proc": "dir 0555",
        "root": "dir 0700",
        "run": "dir 0755",
        "sbin": "dir 0755",
        "sys": "dir 0555",
        "tmp": "dir 1777",
        "usr": "dir 0755",
        "usr/bin": "dir 0755",
        "usr/lib": "dir 0755",
        "usr/sbin": "dir 0755",
    }


def test_builtin_template_of_an_installed_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = write(tmp_path / "site" / "rdcompose" / "compose" / "template.py")
    monkeypatch.setattr(template, "__file__", os.fspath(module))
    with pytest.raises(SpecError, match="the built-in template is missing"):
        builtin_template_path()
    checkout = tmp_path / "site" / "ramdisk-template"
    checkout.mkdir()
    assert builtin_template_path() == checkout
    installed = tmp_path / "site" / "rdcompose" / "data" / "ramdisk-template"
    installed.mkdir(parents=True)
    assert builtin_template_path() == installed
