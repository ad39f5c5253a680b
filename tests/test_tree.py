from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from rdcompose.errors import SpecError
from rdcompose.tree import (
    Bytes,
    Directory,
    File,
    Node,
    NodeKind,
    Pieces,
    Symlink,
    Tree,
    checked_path,
    decode_name,
    encode_name,
    read_all,
)
from tests.support.dump import dump

if TYPE_CHECKING:
    from collections.abc import Iterator


def tree(*entries: Directory | File | Node | Symlink) -> Tree:
    made = Tree()
    for entry in entries:
        made.add(entry)
    return made


def test_parents_come_by_themselves_and_first() -> None:
    made = tree(
        File(path="a/b/c", content=Bytes(b"x")),
        Symlink(path="a-b", target="a"),
        Node(path="a/n", kind=NodeKind.BLOCK, major=8),
    )
    assert [entry.path for entry in made] == ["a", "a/b", "a/b/c", "a/n", "a-b"]
    assert made.get("a/b") == Directory(path="a/b", mode=0o755)
    assert len(made) == 5
    assert "a/n" in made
    assert made.get("a/x") is None


def test_the_order_is_that_of_the_bytes_whatever_the_order_of_adding() -> None:
    names = ["a", "a.b", "a/b", "a b", "B", "é", "\udcff", "a/b/c", "z"]
    entries = [Directory(path=name) for name in names]
    wanted = [entry.path for entry in tree(*entries)]
    assert wanted == ["B", "a", "a/b", "a/b/c", "a b", "a.b", "z", "é", "\udcff"]
    for seed in range(5):
        random.Random(seed).shuffle(entries)
        assert [entry.path for entry in tree(*entries)] == wanted


def test_a_directory_takes_a_new_mode_and_keeps_its_contents() -> None:
    made = tree(File(path="d/f", content=Bytes(b"")), Directory(path="d", mode=0o700))
    assert dump(made) == {"d": "dir 0700", "d/f": dump(made)["d/f"]}


def test_replacing_what_is_no_directory() -> None:
    made = tree(Symlink(path="x", target="y"), Directory(path="x"))
    assert made.get("x") == Directory(path="x")


def test_a_directory_that_holds_something_stays() -> None:
    made = tree(File(path="d/f", content=Bytes(b"")))
    with pytest.raises(SpecError, match="'d' cannot replace a directory that holds 'd/f'"):
        made.add(Symlink(path="d", target="e"))


def test_an_empty_directory_can_be_replaced() -> None:
    assert tree(Directory(path="d"), Symlink(path="d", target="e")).get("d") == Symlink(
        path="d", target="e"
    )


@pytest.mark.parametrize("path", ["f/x", "f/x/y"])
def test_nothing_lies_below_a_file(path: str) -> None:
    made = tree(File(path="f", content=Bytes(b"")))
    with pytest.raises(SpecError, match="'f' is not a directory, so nothing can be put in it"):
        made.add(Directory(path=path))


def test_removing_takes_what_is_below_along() -> None:
    made = tree(Directory(path="a/b/c"), Directory(path="a/bc"))
    made.remove("a/b")
    made.remove("never/there")
    assert [entry.path for entry in made] == ["a", "a/bc"]


@pytest.mark.parametrize(
    "path",
    ["", "/", "/a", "a/", "a//b", ".", "a/.", "..", "a/../b", "a\0b", "x" * 256, "a/" * 4000 + "a"],
    ids=lambda path: repr(path[:12]),
)
def test_paths_that_are_refused(path: str) -> None:
    with pytest.raises(SpecError):
        checked_path(path)
    with pytest.raises(SpecError):
        tree(Directory(path=path))


def test_long_paths_are_cut_in_messages() -> None:
    with pytest.raises(SpecError) as caught:
        checked_path("a/" * 4000 + "a")
    assert len(caught.value.message) < 300


@pytest.mark.parametrize("raw", [b"plain", b"\xff\xfe", "é".encode()])
def test_names_of_any_bytes(raw: bytes) -> None:
    assert encode_name(decode_name(raw)) == raw


class Halves:
    """Content that is not in memory as a whole."""

    size = 6

    def chunks(self, size: int) -> Iterator[bytes]:
        assert size >= 6
        yield from (b"abc", b"def")


@pytest.mark.parametrize("size", [1, 2, 5, 6, 7, 100])
def test_content_in_memory_in_pieces(size: int) -> None:
    content = Bytes(b"abcdef")
    pieces = list(content.chunks(size))
    assert b"".join(pieces) == b"abcdef"
    assert {len(piece) for piece in pieces[:-1]} <= {size}
    assert read_all(content) == b"abcdef"


def test_empty_content_has_no_pieces() -> None:
    assert list(Bytes(b"").chunks(5)) == []
    assert read_all(Bytes(b"")) == b""


def test_reading_all_of_other_content() -> None:
    assert read_all(Halves()) == b"abcdef"


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("bin/sh", "bin/sh"),
        ("usr/bin/awk", "bin/awk"),
        ("lib/modules/1/x", "usr/lib/modules/1/x"),
        ("deep/way/x", "usr/lib/x"),
        ("absolute/x", "usr/lib/x"),
        ("outside/x", "etc/x"),
        ("usr/bin", "usr/bin"),
    ],
)
def test_paths_through_links(path: str, wanted: str) -> None:
    made = tree(
        Directory(path="bin"),
        Symlink(path="usr/bin", target="../bin"),
        Symlink(path="lib", target="usr/lib"),
        Symlink(path="absolute", target="/usr/./lib"),
        Symlink(path="deep/way", target="../lib/"),
        Symlink(path="outside", target="../../../etc"),
    )
    assert made.resolved(path) == wanted


def test_links_in_a_circle() -> None:
    made = tree(Symlink(path="a", target="b"), Symlink(path="b", target="a"))
    with pytest.raises(SpecError, match="the links on the way to 'a/x' lead in a circle"):
        made.resolved("a/x")


@pytest.mark.parametrize("size", [1, 3, 4, 100])
def test_pieces_of_any_size(size: int) -> None:
    content = Pieces(10, lambda: iter([b"ab", b"", b"cdefg", b"hij"]))
    assert content.size == 10
    for _ in range(2):
        chunks = list(content.chunks(size))
        assert b"".join(chunks) == b"abcdefghij"
        assert {len(chunk) for chunk in chunks[:-1]} <= {size}
    assert read_all(content) == b"abcdefghij"
    assert list(Pieces(0, lambda: iter([b""])).chunks(4)) == []
