from __future__ import annotations

import pytest

from rdcompose.cli.listing import entry_line, entry_row, mode_text, shown_name, tree_lines
from rdcompose.inspect.walks import Located
from rdcompose.tree import Bytes, Directory, Entry, File, Node, NodeKind, Symlink

EMPTY = Bytes(b"")


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("usr/lib/ä", "usr/lib/ä"),
        ("a b", "a b"),
        ("a\nb\t", "a\\nb\\t"),
        ("\x1b[31m", "\\033[31m"),
        ("back\\slash", "back\\\\slash"),
        ("caf\udce9", "caf\\351"),
        ("\u202e", "\\342\\200\\256"),
    ],
)
def test_names(name: str, shown: str) -> None:
    assert shown_name(name) == shown


@pytest.mark.parametrize(
    ("entry", "text"),
    [
        (File(path="a", content=EMPTY), "-rw-r--r--"),
        (File(path="a", mode=0o4755, content=EMPTY), "-rwsr-xr-x"),
        (File(path="a", mode=0o6644, content=EMPTY), "-rwSr-Sr--"),
        (Directory(path="a", mode=0o1777), "drwxrwxrwt"),
        (Directory(path="a", mode=0o1700), "drwx-----T"),
        (Symlink(path="a", target="b"), "lrwxrwxrwx"),
        (Node(path="a", kind=NodeKind.BLOCK), "brw-------"),
        (Node(path="a", kind=NodeKind.FIFO, mode=0), "p---------"),
    ],
)
def test_modes(entry: Entry, text: str) -> None:
    assert mode_text(entry) == text


def test_lines() -> None:
    file = File(path="a", uid=1000, gid=5, content=Bytes(b"123"))
    assert entry_line(Located(0, file, 1_700_000_000, 2)) == (
        "-rw-r--r--  2 1000    5          3 2023-11-14 22:13 a"
    )
    link = Symlink(path="a", target="b\nc")
    assert entry_line(Located(0, link)) == (
        "lrwxrwxrwx  1    0    0          3 ---------------- a -> b\\nc"
    )
    node = Node(path="dev/vda", kind=NodeKind.BLOCK, mode=0o660, major=254, minor=16)
    assert entry_line(Located(0, node, 0)) == (
        "brw-rw----  1    0    0    254, 16 1970-01-01 00:00 dev/vda"
    )


def test_rows() -> None:
    node = Node(path="n", kind=NodeKind.CHARACTER, major=5, minor=1)
    common = {"mode": "0600", "uid": 0, "gid": 0, "mtime": None, "links": 1, "part": 3}
    row = entry_row(Located(3, node))
    assert row == {"path": "n", "type": "character device", "major": 5, "minor": 1} | common
    assert entry_row(Located(0, Symlink(path="a", target="b")))["target"] == "b"
    assert entry_row(Located(0, File(path="a", content=Bytes(b"12"))))["size"] == 2


def test_trees() -> None:
    entries: list[Entry] = [
        Directory(path="b"),
        File(path="b/x", content=EMPTY),
        Directory(path="a"),
        Directory(path="a/deep"),
        Symlink(path="a/deep/link", target="/x"),
        File(path="a/y\n", content=EMPTY),
    ]
    assert list(tree_lines({entry.path: entry for entry in entries}, {"b/x": 7})) == [
        "├── a/",
        "│   ├── deep/",
        "│   │   └── link -> /x",
        "│   └── y\\n",
        "└── b/",
        "    └── x  [7]",
    ]
