"""The dump shows everything that an entry has."""

from __future__ import annotations

import pytest

from rdcompose.tree import Bytes, Directory, File, Node, NodeKind, Symlink
from tests.support.dump import dump


def test_every_kind_of_entry() -> None:
    assert dump(
        [
            File(path="init", mode=0o755, content=Bytes(b"abc")),
            File(path="none", uid=1, gid=2, content=Bytes(b"")),
            Directory(path="d", mode=0o1777),
            Symlink(path="l", target="x"),
            Node(path="c", mode=0o666, kind=NodeKind.CHARACTER, major=1, minor=3),
            Node(path="b", kind=NodeKind.BLOCK, major=8, minor=0, gid=6),
            Node(path="p", kind=NodeKind.FIFO),
            Node(path="s", kind=NodeKind.SOCKET),
        ]
    ) == {
        "init": "file 0755 ba7816bf",
        "none": "file 0644 empty 1:2",
        "d": "dir 1777",
        "l": "symlink x",
        "c": "char 0666 1:3",
        "b": "block 0600 8:0 0:6",
        "p": "fifo 0600",
        "s": "socket 0600",
    }


def test_a_path_that_comes_twice() -> None:
    with pytest.raises(AssertionError, match="a comes twice"):
        dump([Directory(path="a"), Symlink(path="a", target="b")])
