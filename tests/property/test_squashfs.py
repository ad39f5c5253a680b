from __future__ import annotations

import dataclasses
import io
from typing import TYPE_CHECKING, Final

from hypothesis import given, settings
from hypothesis import strategies as st

from rdcompose.errors import FormatError, UnsupportedError
from rdcompose.formats.squashfs.reader import SquashfsImage
from rdcompose.formats.squashfs.writer import write_squashfs
from rdcompose.tree import (
    Bytes,
    Directory,
    Entry,
    File,
    Node,
    NodeKind,
    Symlink,
    Tree,
    decode_name,
    read_all,
)
from tests.support.dump import dump
from tests.support.squashfs import SquashfsReader, independent_dump

if TYPE_CHECKING:
    from collections.abc import Sequence

BLOCK: Final = 4096

# Names of every byte that may stand in one, of few so that they meet, and of the longest kind.
NAME_CHARACTERS: Final = st.characters(codec="utf-8", exclude_characters="\0/")
TEXT_NAMES: Final = st.one_of(
    st.text(NAME_CHARACTERS, min_size=1, max_size=8),
    st.text("ab-._Z\u00e9", min_size=1, max_size=4),
    st.integers(200, 255).map(lambda length: "n" * length),
).filter(lambda name: name not in {".", ".."})
RAW_NAMES: Final = st.lists(
    st.sampled_from([*range(1, ord("/")), *range(ord("/") + 1, 256)]), min_size=1, max_size=9
).map(lambda name: decode_name(b"n" + bytes(name)))
NAMES: Final = TEXT_NAMES | RAW_NAMES
PATHS: Final = st.lists(NAMES, min_size=1, max_size=4).map("/".join)

SIZES: Final = st.one_of(
    st.integers(0, 64),
    st.builds(lambda n, delta: max(0, n * BLOCK + delta), st.integers(0, 4), st.integers(-2, 2)),
    st.integers(0, 80_000),
)
# Few different seeds, so that contents are often equal.
CONTENTS: Final = st.builds(
    lambda size, seed: Bytes((seed * (size // len(seed) + 1))[:size]),
    SIZES,
    st.sampled_from([b"\0", b"a", bytes(range(251)), b"\0" * BLOCK + b"x" * 77]),
)
MODES: Final = st.integers(0, 0o7777)
OWNERS: Final = st.sampled_from([0, 0, 1000, 0xFFFF_FFFF])
FILES: Final = st.builds(File, path=PATHS, mode=MODES, uid=OWNERS, gid=OWNERS, content=CONTENTS)
ENTRIES: Final = st.one_of(
    FILES,
    FILES,
    FILES,
    st.builds(Directory, path=PATHS, mode=MODES, uid=OWNERS, gid=OWNERS),
    st.builds(
        Symlink,
        path=PATHS,
        target=PATHS,
    ),
    st.builds(
        Node,
        path=PATHS,
        mode=MODES,
        kind=st.sampled_from([NodeKind.BLOCK, NodeKind.CHARACTER]),
        major=st.integers(0, 0xFFF),
        minor=st.integers(0, 0xF_FFFF),
    ),
    st.builds(Node, path=PATHS, kind=st.sampled_from([NodeKind.FIFO, NodeKind.SOCKET])),
)


def make_tree(entries: Sequence[Entry]) -> Tree:
    """A tree of the entries that fit: nothing below a file, no directory that vanishes."""
    tree = Tree()
    for entry in entries:
        parts = entry.path.split("/")
        parents = ["/".join(parts[:end]) for end in range(1, len(parts))]
        free = all(isinstance(tree.get(parent), Directory | None) for parent in parents)
        if free and entry.path not in tree:
            tree.add(entry)
    return tree


TREES: Final = st.lists(ENTRIES, min_size=4, max_size=15).map(make_tree)


def image(tree: Tree, compressor: str = "zstd", threads: int = 1) -> bytes:
    out = io.BytesIO()
    write_squashfs(
        out, tree, mtime=7, compressor=compressor, level=1, block_size=BLOCK, threads=threads
    )
    return out.getvalue()


@settings(max_examples=80)
@given(TREES, st.sampled_from(["zstd", "xz", "gzip", "lz4"]))
def test_strict_reader_finds_the_tree(tree: Tree, compressor: str) -> None:
    reader = SquashfsReader(image(tree, compressor))
    # Listings are in the order of the names; a tree is so too, but as whole paths.
    assert sorted(dump(reader.entries()).items()) == sorted(dump(tree).items())


@settings(max_examples=20)
@given(TREES)
def test_threads_change_nothing(tree: Tree) -> None:
    assert image(tree, threads=1) == image(tree, threads=4)


# PySquashfsImage takes names for UTF-8, and lz4 blocks for lz4 frames.
TEXT_PATHS: Final = st.lists(TEXT_NAMES, min_size=1, max_size=4).map("/".join)
TEXT_TREES: Final = st.lists(
    st.builds(lambda entry, path: dataclasses.replace(entry, path=path), ENTRIES, TEXT_PATHS),
    min_size=4,
    max_size=15,
).map(make_tree)


@settings(max_examples=80)
@given(TEXT_TREES, st.sampled_from(["zstd", "xz", "gzip"]))
def test_independent_reader_finds_the_tree(tree: Tree, compressor: str) -> None:
    assert independent_dump(image(tree, compressor)) == dump(tree)


@settings(max_examples=80)
@given(TREES, st.sampled_from(["zstd", "xz", "gzip", "lz4"]))
def test_reader_finds_the_tree(tree: Tree, compressor: str) -> None:
    found = SquashfsImage(io.BytesIO(image(tree, compressor))).entries()
    assert sorted(dump(found).items()) == sorted(dump(tree).items())


DAMAGE: Final = st.lists(st.tuples(st.integers(0), st.integers(0, 255)), min_size=1, max_size=4)


@settings(max_examples=300)
@given(TREES, st.sampled_from(["zstd", "gzip", "lz4"]), DAMAGE)
def test_damaged_images_end_in_an_error_or_in_entries(
    tree: Tree, compressor: str, damage: list[tuple[int, int]]
) -> None:
    data = bytearray(image(tree, compressor))
    for place, value in damage:
        # Mostly in the superblock and in the tables, which stand at the end.
        span = 96 if value % 3 == 0 else 700 if value % 3 == 1 else len(data)
        data[place % span if value % 3 == 0 else -1 - place % min(span, len(data))] = value
    try:
        for entry in SquashfsImage(io.BytesIO(data)).entries():
            if isinstance(entry, File) and entry.content.size < 1 << 20:
                read_all(entry.content)
    except (FormatError, UnsupportedError):
        pass
