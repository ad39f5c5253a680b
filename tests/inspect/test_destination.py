from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING

import pytest

from rdcompose.errors import FormatError, OutputError
from rdcompose.inspect.destination import Destination
from rdcompose.tree import Bytes, Node, NodeKind, Pieces

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[Path]:
    """A directory that nothing is to be written in."""
    path = tmp_path / "outside"
    path.mkdir()
    (path / "kept").write_text("as it was")
    yield path
    assert [file.name for file in path.iterdir()] == ["kept"]
    assert (path / "kept").read_text() == "as it was"


def test_files(tmp_path: Path) -> None:
    old = os.umask(0o077)
    try:
        with Destination(tmp_path / "new/out") as out:
            out.file("a/b/c", Bytes(b"data"), mode=0o4751, mtime=12345)
            out.symlink("a/link", "/etc", mtime=12345)
            for path in ("a/b", "a"):
                out.settle(path, mode=0o755, mtime=54321)
    finally:
        os.umask(old)
    top = tmp_path / "new/out"
    status = (top / "a/b/c").stat()
    assert (stat.S_IMODE(status.st_mode), status.st_mtime) == (0o4751, 12345)
    assert (top / "a/b/c").read_bytes() == b"data"
    assert ((top / "a/link").readlink().as_posix(), (top / "a/link").lstat().st_mtime) == (
        "/etc",
        12345,
    )
    assert stat.S_IMODE((top / "a").stat().st_mode) == 0o755
    assert (top / "a").stat().st_mtime == (top / "a/b").stat().st_mtime == 54321


def test_nothing_is_made_before_it_is_needed(tmp_path: Path) -> None:
    with Destination(tmp_path / "out"):
        pass
    assert not (tmp_path / "out").exists()


def test_a_directory_that_is_not_empty(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="is not empty") as caught:
        Destination(tmp_path)
    assert "--force" in str(caught.value.hint)
    with pytest.raises(OutputError, match="file: Not a directory"):
        Destination(tmp_path / "file")
    with (
        Destination(tmp_path / "file", force=True) as out,
        pytest.raises(OutputError, match=r"cannot write .*file/x: File exists"),
    ):
        out.file("x", Bytes(b""), mode=0o644)


@pytest.mark.parametrize("kind", ["directory", "file"])
def test_links_in_the_way_are_not_followed(tmp_path: Path, outside: Path, kind: str) -> None:
    """Neither those that were there, nor those that someone puts there meanwhile."""
    top = tmp_path / "out"
    top.mkdir()
    (top / "a").symlink_to(outside if kind == "directory" else outside / "kept")
    path = "a/kept" if kind == "directory" else "a"
    with Destination(top, force=True) as out:
        out.file(path, Bytes(b"new"), mode=0o600)
    assert (top / path).read_bytes() == b"new"
    assert not (top / "a").is_symlink()
    with Destination(tmp_path / "later") as out:
        out.file("first", Bytes(b""), mode=0o600)
        (tmp_path / "later/d").mkdir()
        with pytest.raises(OutputError, match="is there already, under a name"):
            out.file("d/x", Bytes(b"new"), mode=0o600)
        assert list((tmp_path / "later/d").iterdir()) == []
    for late in ("b", "c"):
        with Destination(tmp_path / f"late-{late}") as out:
            out.file("first", Bytes(b""), mode=0o600)
            (tmp_path / f"late-{late}/b").symlink_to(outside)
            with pytest.raises(OutputError, match="is there already, under a name"):
                out.file("b/kept" if late == "b" else "b", Bytes(b"new"), mode=0o600)
        assert sorted(file.name for file in (tmp_path / f"late-{late}").iterdir()) == ["b", "first"]


def test_what_was_written_makes_way(tmp_path: Path) -> None:
    with Destination(tmp_path / "out") as out:
        out.directory("a/b")
        out.remove("a/b")
        out.file("a/b", Bytes(b"1"), mode=0o644)
        out.file("a/b", Bytes(b"2"), mode=0o644)
        out.symlink("a/b", "x")
        out.symlink("a/b", "y")
        out.directory("a/b")
        out.file("a/b", Bytes(b"3"), mode=0o644)
        out.remove("gone")
        with pytest.raises(OutputError, match=r"out/a: Directory not empty"):
            out.file("a", Bytes(b""), mode=0o644)
        assert out.has("a/b")
        assert not out.has("a/c")
    assert [path.name for path in (tmp_path / "out/a").iterdir()] == ["b"]
    assert (tmp_path / "out/a/b").read_bytes() == b"3"


def test_no_half_file(tmp_path: Path) -> None:
    def damaged() -> Iterator[bytes]:
        yield b"x" * (1 << 20)
        raise FormatError("damaged")

    with Destination(tmp_path / "out") as out:
        out.file("a", Bytes(b"old"), mode=0o644)
        with pytest.raises(FormatError, match="damaged"):
            out.file("a", Pieces(2 << 20, damaged), mode=0o644)
    assert [(file.name, file.read_bytes()) for file in (tmp_path / "out").iterdir()] == [
        ("a", b"old")
    ]


def test_zeros_become_holes(tmp_path: Path) -> None:
    size = (64 << 20) + 5

    def pieces() -> Iterator[bytes]:
        yield b"start"
        for _ in range(64):
            yield bytes(1 << 20)

    with Destination(tmp_path / "out") as out:
        out.file("zeros", Pieces(size, pieces), mode=0o644)
        out.file("small", Bytes(bytes(7)), mode=0o644)
    status = (tmp_path / "out/zeros").stat()
    assert status.st_size == size
    assert status.st_blocks * 512 < 1 << 20
    assert (tmp_path / "out/small").read_bytes() == bytes(7)


def test_names_of_all_kinds(tmp_path: Path) -> None:
    names = ["new\nline", "M\udcfcller", " ", "x" * 255, "\x1b[2J", "-rf"]
    with Destination(tmp_path / "out") as out:
        for name in names:
            out.file(f"{name}/{name}", Bytes(b"x"), mode=0o644)
        with pytest.raises(OutputError) as caught:
            out.file("\x1b[2J/" + "x" * 256, Bytes(b""), mode=0o644)
    assert sorted(os.listdir(tmp_path / "out")) == sorted(names)  # noqa: PTH208
    assert caught.value.message.isprintable()


def test_a_refusal_names_the_file(tmp_path: Path) -> None:
    with (
        Destination(tmp_path / "out") as out,
        pytest.raises(OutputError, match=r"cannot write .*out/x+: File name too long"),
    ):
        out.file("x" * 256, Bytes(b""), mode=0o644)


def test_fifos(tmp_path: Path) -> None:
    owner = (os.geteuid(), os.getegid())
    fifo = Node(path="fifo", kind=NodeKind.FIFO, mode=0o6622, uid=owner[0], gid=owner[1])
    with Destination(tmp_path / "out") as out:
        out.node("fifo", fifo, mtime=1)
        out.file("fifo-not", Bytes(b""), mode=0o644, owner=owner)
        out.symlink("link", "x", owner=owner)
        assert out.read("fifo", 5) == b"", "nobody writes to it"
        assert out.read("gone", 5) is None
    status = (tmp_path / "out/fifo").lstat()
    assert stat.S_ISFIFO(status.st_mode)
    assert (stat.S_IMODE(status.st_mode) & 0o777, status.st_mtime) == (0o622, 1)


def test_further_names(tmp_path: Path) -> None:
    with Destination(tmp_path / "out") as out:
        out.file("a/b", Bytes(b"1"), mode=0o644)
        out.file("c/d", Bytes(b"2"), mode=0o644)
        assert out.link("c/d", "a/b")
        with pytest.raises(OutputError, match=r"cannot write .*out/e: No such file"):
            out.link("e", "a/gone")
    assert (tmp_path / "out/c/d").samefile(tmp_path / "out/a/b")
    assert (tmp_path / "out/a/b").read_bytes() == b"1"


def test_a_directory_that_cannot_be_entered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    with Destination(tmp_path / "out") as out:
        out.file("a", Bytes(b""), mode=0o644)
        monkeypatch.setattr(os, "open", refuse)
        with pytest.raises(OutputError, match=r"cannot write .*out/b/c: Permission denied"):
            out.file("b/c", Bytes(b""), mode=0o644)
