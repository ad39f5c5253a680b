from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from rdcompose.inspect.opened import open_image
from rdcompose.tree import Directory, Entry, File, Node, NodeKind, Symlink, read_all

if TYPE_CHECKING:
    from pathlib import Path


def entries(path: Path) -> dict[str, Entry]:
    with open_image(path) as opened:
        found = {one.entry.path: one.entry for one in opened.entries()}
        assert opened.problem is None
    return found


def test_a_directory(tmp_path: Path) -> None:
    (tmp_path / "b" / "deep").mkdir(parents=True)
    (tmp_path / "b" / "file").write_bytes(b"data")
    (tmp_path / "a").symlink_to("/nowhere/at all")
    (tmp_path / "c").symlink_to("b")
    os.mkfifo(tmp_path / "pipe")
    os.utime(tmp_path / "b" / "file", (1, 1_700_000_000))
    os.link(tmp_path / "b" / "file", tmp_path / "d")
    found = entries(tmp_path)
    # Links are not followed, and what is in a directory comes behind what is beside it.
    assert list(found) == ["a", "b", "c", "d", "pipe", "b/deep", "b/file"]
    assert isinstance(found["b"], Directory)
    assert isinstance(link := found["a"], Symlink)
    assert link.target == "/nowhere/at all"
    assert isinstance(file := found["b/file"], File)
    assert read_all(file.content) == b"data"
    assert isinstance(pipe := found["pipe"], Node)
    assert (pipe.kind, pipe.major, pipe.minor) == (NodeKind.FIFO, 0, 0)
    with open_image(tmp_path) as opened:
        rows = {one.entry.path: (one.mtime, one.links) for one in opened.entries()}
    assert rows["b/file"] == rows["d"] == (1_700_000_000, 2)


def test_a_directory_that_goes_away(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "y").mkdir()
    with open_image(tmp_path) as opened:
        walk = opened.entries()
        assert next(walk).entry.path == "x"
        (tmp_path / "x").rmdir()
        assert [one.entry.path for one in walk] == ["y"]
        assert opened.problem is not None
        assert opened.problem.message == f"cannot read {tmp_path / 'x'}: No such file or directory"


def test_deep_directories(tmp_path: Path) -> None:
    (tmp_path / "/".join("d" * 70)).mkdir(parents=True)
    with open_image(tmp_path) as opened:
        assert len(list(opened.entries())) == 64
        assert opened.problem is not None
        assert "too deep" in opened.problem.message


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_directory_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir(mode=0o000)
    with open_image(tmp_path) as opened:
        assert len(list(opened.entries())) == 1
        assert opened.problem is not None
        assert "Permission denied" in opened.problem.message
