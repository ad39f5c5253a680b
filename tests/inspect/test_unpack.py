from __future__ import annotations

import errno
import io
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rdcompose.compose.template import read_template
from rdcompose.errors import FormatError, OutputError, SpecError
from rdcompose.formats.cpio import read_newc, write_newc
from rdcompose.inspect.destination import Destination
from rdcompose.inspect.patterns import PathPatterns
from rdcompose.inspect.unpack import Unpacked, Wish, unpack
from rdcompose.tree import (
    Bytes,
    Directory,
    Entry,
    File,
    Node,
    NodeKind,
    Pieces,
    Symlink,
    Tree,
)
from tests.support.dump import dump
from tests.support.walked import MTIME, walked, walked_parts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rdcompose.inspect.opened import Opened

STRANGE = 'a b\n"M\udcfcller\\101$x'
EVERYTHING: tuple[Entry, ...] = (
    File(path="init", mode=0o755, content=Bytes(b"#!/bin/sh\n")),
    Directory(path="dev"),
    Node(path="dev/console", kind=NodeKind.CHARACTER, major=5, minor=1),
    Node(path="dev/vda", kind=NodeKind.BLOCK, mode=0o660, gid=6, major=254),
    Node(path="dev/fifo", kind=NodeKind.FIFO),
    Node(path="dev/log", kind=NodeKind.SOCKET, mode=0o666),
    Node(path=f"dev/{STRANGE}", kind=NodeKind.CHARACTER, major=0xFFF, minor=0xFFFFF),
    Directory(path="proc", mode=0o555),
    Directory(path="closed", mode=0),
    File(path="closed/shadow", mode=0, content=Bytes(b"secret")),
    Directory(path="tmp", mode=0o1777),
    Directory(path="mail", mode=0o2775, gid=8),
    File(path="mail/root", uid=1000, gid=8, content=Bytes(b"mail")),
    Directory(path="bin"),
    File(path="bin/su", mode=0o4755, content=Bytes(b"su")),
    File(path=f"bin/{STRANGE}", mode=0o2755, content=Bytes(b"strange")),
    File(path="bin/plain name", content=Bytes(b"plain")),
    Symlink(path="bin/sh", target="/bin/su"),
    Symlink(path="bin/theirs", target="t o", uid=7),
    Symlink(path="lib", target="../../usr/lib"),
    Directory(path="usr"),
    Directory(path="usr/lib"),
    Directory(path="usr/lib/.git", mode=0o700),
    File(path="usr/lib/.git/config", content=Bytes(b"[core]")),
    Symlink(path="usr/lib/.gitignore", target="x"),
    File(path="usr/lib/empty", content=Bytes(b"")),
)


def run(opened: Opened, directory: Path, *patterns: str, force: bool = False) -> Unpacked:
    wish = Wish(patterns=PathPatterns(patterns))
    with Destination(directory, force=force) as destination:
        return unpack(opened, destination, wish, lambda _: None)


def tree_of(*entries: Entry) -> dict[str, str]:
    """Return entries as a template with just them would have them."""
    tree = Tree()
    for entry in entries:
        tree.add(entry)
    return dump(tree)


@pytest.fixture(params=["user", "nobody"])
def someone(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """An ordinary user under a strict umask, or whoever runs the tests, in an own directory."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.chdir(home)
    if request.param == "user":
        yield
        return
    if os.geteuid() != 0:
        pytest.skip("only root can become someone else")
    os.chown(home, 65534, 65534)
    old = os.umask(0o077)
    os.setegid(65534)
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.umask(old)


@pytest.mark.usefixtures("someone")
def test_a_template_has_the_same_entries_back() -> None:
    done = run(walked(*EVERYTHING), Path("out"))
    assert (done.entries, done.lost) == (len(EVERYTHING), [])
    assert dump(read_template(Path("out"))) == tree_of(*EVERYTHING)
    for path in Path("out").rglob("*"):
        status = path.lstat()
        assert status.st_uid == os.geteuid()
        assert status.st_mode & 0o6000 == 0
        assert stat.S_IFMT(status.st_mode) in {stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK}
        if path.name != "template.list":
            assert status.st_mtime == MTIME
    assert stat.S_IMODE(Path("out/tmp").stat().st_mode) == 0o1777
    assert stat.S_IMODE(Path("out/closed/shadow").stat().st_mode) == 0o400
    assert not list(Path("out").rglob(".*.tmp"))


def test_what_a_directory_holds_needs_no_list(tmp_path: Path) -> None:
    run(walked(*EVERYTHING), tmp_path / "out", "/init", "plain*", "usr/lib/empty")
    assert sorted(path.name for path in (tmp_path / "out").rglob("*")) == [
        *("bin", "empty", "init", "lib", "plain name", "usr"),
    ]


def test_preserve(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("devices take root")
    wish = Wish(patterns=PathPatterns(()), preserve=True)
    try:
        with Destination(tmp_path / "out") as destination:
            done = unpack(walked(*EVERYTHING), destination, wish, lambda _: None)
    except OutputError as error:
        pytest.skip(f"a container without devices: {error}")
    assert (done.listed, done.lost) == (0, [])
    for entry in EVERYTHING:
        status = (tmp_path / "out" / entry.path).lstat()
        assert (status.st_uid, status.st_gid) == (entry.uid, entry.gid)
        assert stat.S_IMODE(status.st_mode) == entry.mode
        assert status.st_mtime == MTIME
    assert (tmp_path / "out/dev/vda").lstat().st_rdev == os.makedev(254, 0)


def test_links_are_followed_inside_only(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    done = run(
        walked(
            Symlink(path="a", target=str(outside)),
            File(path="a/x", content=Bytes(b"1")),
            Symlink(path="b", target="../outside"),
            File(path="b/x", content=Bytes(b"2")),
            Symlink(path="c", target="../../etc/passwd"),
            File(path="c", content=Bytes(b"3")),
        ),
        tmp_path / "out",
    )
    assert done.lost == []
    assert list(outside.iterdir()) == []
    top = tmp_path / "out"
    assert (top / str(outside)[1:] / "x").read_bytes() == b"1"
    assert (top / "outside/x").read_bytes() == b"2"
    assert (top / "a").readlink() == outside
    assert not (top / "c").is_symlink()


def test_later_segments_replace_earlier_ones(tmp_path: Path) -> None:
    done = run(
        walked_parts(
            (
                "none",
                [
                    Node(path="dev/x", kind=NodeKind.FIFO),
                    File(path="su", mode=0o4755, content=Bytes(b"1")),
                    File(path="conf", content=Bytes(b"1")),
                    Directory(path="empty"),
                    Directory(path="bin"),
                ],
            ),
            (
                "zstd",
                [
                    File(path="dev/x", content=Bytes(b"2")),
                    File(path="su", mode=0o755, content=Bytes(b"2")),
                    Node(path="conf", kind=NodeKind.FIFO),
                    File(path="empty", content=Bytes(b"2")),
                    Symlink(path="bin", target="dev"),
                    File(path="bin/y", content=Bytes(b"2")),
                ],
            ),
        ),
        tmp_path / "out",
    )
    assert (done.entries, done.listed, done.lost) == (11, 1, [])
    assert (tmp_path / "out/template.list").read_text().splitlines()[1:] == ["pipe /conf 600 0 0"]
    top = tmp_path / "out"
    assert {path.name for path in top.iterdir()} == {"dev", "su", "empty", "bin", "template.list"}
    assert {(top / name).read_bytes() for name in ("dev/x", "dev/y", "su", "empty")} == {b"2"}


def test_segments_kept_apart(tmp_path: Path) -> None:
    def segments(*names: str) -> Opened:
        entries = [
            Node(path="dev/x", kind=NodeKind.FIFO),
            File(path="conf", content=Bytes(b"")),
        ]
        return walked_parts(*((name, entries) for name in names))

    expected = {
        ("none", "none", "zstd", "gzip", "none"): ["early", "early2", "main", "main2", "main3"],
        ("gzip",): ["main"],
        ("none",): ["main"],
        ("none", "none"): ["early", "main"],
    }
    for number, (names, directories) in enumerate(expected.items()):
        top = tmp_path / str(number)
        wish = Wish(patterns=PathPatterns(()), segments=True)
        with Destination(top) as destination:
            unpack(segments(*names), destination, wish, lambda _: None)
        assert sorted(path.name for path in top.iterdir()) == directories
        for name in directories:
            assert list(dump(read_template(top / name))) == ["conf", "dev", "dev/x"]


def test_directories_on_the_way_are_those_of_the_image(tmp_path: Path) -> None:
    run(walked(*EVERYTHING), tmp_path / "out", "mail/root", "shadow")
    assert dump(read_template(tmp_path / "out")) == tree_of(
        *(entry for entry in EVERYTHING if entry.path.startswith(("mail", "closed")))
    )


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        (File(path="init/x", content=Bytes(b"")), "'init', in which it is to lie, is no directory"),
        (File(path="dev", content=Bytes(b"")), "a directory that is not empty is in its place"),
        (File(path="template.list", content=Bytes(b"")), "its name is that of the list"),
    ],
    ids=["below", "over", "list"],
)
def test_what_has_no_place(tmp_path: Path, entry: Entry, why: str) -> None:
    done = run(walked(*EVERYTHING, entry), tmp_path / "out")
    assert [(lost.path, lost.why[: len(why)]) for lost in done.lost] == [(entry.path, why)]
    assert dump(read_template(tmp_path / "out")) == tree_of(*EVERYTHING)


def test_damaged_files_are_left_out(tmp_path: Path) -> None:
    def damaged() -> Iterator[bytes]:
        yield b"x"
        raise FormatError("its block is damaged")

    done = run(
        walked(
            File(path="a", content=Bytes(b"old")),
            File(path="a", content=Pieces(5, damaged)),
            File(path="b", mode=0o4755, content=Pieces(5, damaged)),
            File(path="c", content=Bytes(b"c")),
        ),
        tmp_path / "out",
    )
    assert [(lost.path, lost.why) for lost in done.lost] == [
        ("a", "its block is damaged"),
        ("b", "its block is damaged"),
    ]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["c"]


def test_limits(tmp_path: Path) -> None:
    files = [File(path=f"f{number}", content=Bytes(b"12345")) for number in range(4)]
    claims = File(path="claims", content=Pieces(1 << 50, lambda: iter(())))
    for wish, opened, message in (
        (Wish(patterns=PathPatterns(()), size=19), walked(*files), "more than 19 bytes"),
        (Wish(patterns=PathPatterns(())), walked(claims), "more than 4294967296 bytes"),
        (Wish(patterns=PathPatterns(()), entries=3), walked(*files), "more than 3 entries"),
    ):
        with (
            Destination(tmp_path / "out", force=True) as destination,
            pytest.raises(SpecError, match=message) as caught,
        ):
            unpack(opened, destination, wish, lambda _: None)
        assert "--max-" in str(caught.value.hint)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["f0", "f1", "f2"]
    wish = Wish(patterns=PathPatterns(()), size=20, entries=4)
    with Destination(tmp_path / "enough") as destination:
        assert unpack(walked(*files), destination, wish, lambda _: None).size == 20


def test_what_is_there_at_a_limit_is_whole(tmp_path: Path) -> None:
    wish = Wish(patterns=PathPatterns(()), entries=len(EVERYTHING))
    more = File(path="z", content=Bytes(b""))
    with Destination(tmp_path / "out") as destination, pytest.raises(SpecError):
        unpack(walked(*EVERYTHING, more), destination, wish, lambda _: None)
    assert dump(read_template(tmp_path / "out")) == tree_of(*EVERYTHING)


def test_into_a_directory_that_holds_something(tmp_path: Path) -> None:
    top = tmp_path / "out"
    run(walked(*EVERYTHING), top)
    (top / "mine").write_text("kept")
    run(walked(*EVERYTHING), top, force=True)
    mine = File(path="mine", content=Bytes(b"kept"))
    assert dump(read_template(top)) == tree_of(*EVERYTHING, mine)
    run(walked(File(path="init", content=Bytes(b"new"))), top, force=True)
    assert not (top / "template.list").exists(), "nothing is left of what it spoke of"
    assert (top / "init").read_bytes() == b"new"
    (top / "template.list").write_text("dir /mine 755 0 0\n")
    with pytest.raises(OutputError, match=r"template\.list was not written by rdcompose unpack"):
        run(walked(*EVERYTHING), top, force=True)
    assert (top / "init").read_bytes() == b"new"


def test_there_and_back_through_an_archive(tmp_path: Path) -> None:
    run(walked(*EVERYTHING), tmp_path / "out")
    archive = io.BytesIO()
    write_newc(archive, read_template(tmp_path / "out"), mtime=MTIME)
    assert dump(read_newc(archive.getvalue())) == tree_of(*EVERYTHING)


def test_names_of_one_file(tmp_path: Path) -> None:
    busybox, empty = Bytes(b"busybox"), Bytes(b"")
    done = run(
        walked(
            File(path="bin/sh", content=busybox),
            File(path="bin/ash", content=busybox),
            File(path="su", mode=0o755, content=busybox),
            File(path="sbin/init", content=busybox),
            *(File(path=f"empty{number}", content=empty) for number in range(2)),
        ),
        tmp_path / "out",
    )
    assert (done.entries, done.size) == (6, 14)
    assert (tmp_path / "out/bin/ash").samefile(tmp_path / "out/bin/sh")
    assert (tmp_path / "out/sbin/init").samefile(tmp_path / "out/bin/sh")
    assert (tmp_path / "out/su").stat().st_nlink == 1
    assert (tmp_path / "out/empty0").stat().st_nlink == 1


def test_names_of_a_file_that_is_replaced(tmp_path: Path) -> None:
    shared = Bytes(b"shared")
    run(
        walked(
            File(path="a", content=shared),
            File(path="b", content=shared),
            File(path="a", content=Bytes(b"new")),
            File(path="c", content=shared),
            Symlink(path="c", target="a"),
            File(path="d", content=shared),
        ),
        tmp_path / "out",
    )
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == {
        "a": b"new",
        "b": b"shared",
        "c": b"new",
        "d": b"shared",
    }


def test_where_files_have_one_name_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", refuse)
    shared = Bytes(b"shared")
    files = [File(path=name, content=shared) for name in "ab"]
    assert run(walked(*files), tmp_path / "out").size == 12
    assert (tmp_path / "out/b").read_bytes() == b"shared"
