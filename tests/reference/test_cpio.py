"""newc against GNU cpio: its listing and its extraction of ours, and ours of its."""

from __future__ import annotations

import io
import os
import stat
from typing import TYPE_CHECKING

import pytest

from rdcompose.formats.cpio import read_newc, write_newc
from rdcompose.tree import Bytes, Directory, Entry, File, Node, NodeKind, Symlink
from tests.support.dump import dump
from tests.support.tools import run, run_bytes, tool

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.reference

PLAIN: list[Entry] = [
    Directory(path="bin"),
    File(path="bin/busybox", mode=0o4755, content=Bytes(b"program" * 12_345)),
    Symlink(path="bin/sh", target="busybox"),
    Directory(path="empty", mode=0o700),
    File(path="init", mode=0o755, content=Bytes(b"#!/bin/sh\n")),
    File(path="nothing", mode=0o600, content=Bytes(b"")),
    Directory(path="tmp", mode=0o1777),
    File(path="tmp/name with spaces äöü", content=Bytes(b"x")),
    File(path="tmp/caf\udce9", content=Bytes(b"y")),
]
NODES: list[Entry] = [
    Directory(path="dev"),
    Node(path="dev/console", mode=0o600, kind=NodeKind.CHARACTER, major=5, minor=1),
    Node(path="dev/vda", mode=0o660, kind=NodeKind.BLOCK, major=254, minor=16, gid=6),
    Node(path="dev/pipe", mode=0o644, kind=NodeKind.FIFO, uid=1000),
]
TIME = 1_700_000_000


def write(entries: list[Entry]) -> bytes:
    out = io.BytesIO()
    write_newc(out, entries, mtime=TIME)
    return out.getvalue()


def test_listing() -> None:
    listing = run(tool("cpio"), "-itv", "--numeric-uid-gid", "--quiet", stdin=write(PLAIN + NODES))
    rows = [line.split(maxsplit=8) for line in listing.splitlines()]
    # mode, links, owner, group, size or numbers, month, day, year, name
    assert [(row[0], row[1], row[8]) for row in rows if row[0][0] in "-dl"] == [
        ("drwxr-xr-x", "2", "bin"),
        ("-rwsr-xr-x", "1", "bin/busybox"),
        ("lrwxrwxrwx", "1", "bin/sh -> busybox"),
        ("drwx------", "2", "empty"),
        ("-rwxr-xr-x", "1", "init"),
        ("-rw-------", "1", "nothing"),
        ("drwxrwxrwt", "2", "tmp"),
        ("-rw-r--r--", "1", "tmp/name with spaces äöü"),
        ("-rw-r--r--", "1", "tmp/caf\udce9"),
        ("drwxr-xr-x", "2", "dev"),
    ]
    nodes = [line.split() for line in listing.splitlines() if line[0] in "cbp"]
    assert [(node[0], *node[2:6]) for node in nodes[:2]] == [
        ("crw-------", "0", "0", "5,", "1"),
        ("brw-rw----", "0", "6", "254,", "16"),
    ]
    assert nodes[2][:4] == ["prw-r--r--", "1", "1000", "0"]


def test_extraction(tmp_path: Path) -> None:
    run(tool("cpio"), "-idm", "--quiet", "--no-preserve-owner", cwd=tmp_path, stdin=write(PLAIN))
    assert sorted(dump(scan(tmp_path)).items()) == sorted(dump(PLAIN).items())
    # cpio sets a directory's time before it fills it, and a link's not at all.
    names = [entry.path for entry in PLAIN if isinstance(entry, File)]
    assert {int((tmp_path / name).stat().st_mtime) for name in names} == {TIME}


def scan(root: Path) -> list[Entry]:
    entries: list[Entry] = []
    for path in sorted(root.rglob("*"), key=os.fsencode):
        name, status = path.relative_to(root).as_posix(), path.lstat()
        mode = stat.S_IMODE(status.st_mode)
        if path.is_symlink():
            entries.append(Symlink(path=name, target=str(path.readlink())))
        elif path.is_dir():
            entries.append(Directory(path=name, mode=mode))
        else:
            entries.append(File(path=name, mode=mode, content=Bytes(path.read_bytes())))
    return entries


@pytest.mark.parametrize("kind", ["newc", "crc"])
def test_archives_of_cpio(tmp_path: Path, kind: str) -> None:
    (tmp_path / "usr").mkdir()
    (tmp_path / "usr/a").write_bytes(b"\xff" * 70_001)
    (tmp_path / "usr/b").hardlink_to(tmp_path / "usr/a")
    (tmp_path / "usr/z").symlink_to("a")
    os.mkfifo(tmp_path / "fifo", 0o600)
    names = "\n".join([".", "./usr", "./usr/a", "./usr/b", "./usr/z", "./fifo"])
    options = ["-o", "-H", kind, "--quiet", "-R", "0:0"]
    data = run_bytes(tool("cpio"), *options, cwd=tmp_path, stdin=names.encode())
    expected: list[Entry] = [
        entry for entry in scan(tmp_path / "usr") if not isinstance(entry, Directory)
    ]
    found = dump(read_newc(data))
    usr = stat.S_IMODE((tmp_path / "usr").stat().st_mode)
    assert found.pop("usr") == f"dir {usr:04o}"
    assert found.pop("fifo") == "fifo 0600"
    assert found == {f"usr/{path}": text for path, text in dump(expected).items()}
