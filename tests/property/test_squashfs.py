from __future__ import annotations

import dataclasses
import io
from typing import TYPE_CHECKING, Final

from hypothesis import given, settings
from hypothesis import strategies as st

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
    encode_name,
)
from tests.support.dump import dump
from tests.support.squashfs import SquashfsReader, independent_dump

if TYPE_CHECKING:
    from collections.abc import Sequence

BLOCK: Final = 4096

# Every byte that may stand in a name, a few that often meet, and names of the longest kind.
NAME_BYTES: Final = st.one_of(
    st.binary(min_size=1, max_size=12),
    st.text("ab-._Z\u00e9", min_size=1, max_size=4).map(str.encode),
    st.integers(200, 255).map(lambda length: b"n" * length),
).filter(lambda name: name not in {b".", b".."} and not {0, ord("/")} & set(name))


def is_utf8(name: bytes) -> bool:
    """Whether a name needs no surrogates."""
    return encode_name(name.decode("utf-8", "replace")) == name


NAMES: Final = NAME_BYTES.map(decode_name)
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
ENTRIES: Final = st.one_of(
    st.builds(File, path=PATHS, mode=MODES, uid=OWNERS, gid=OWNERS, content=CONTENTS),
    st.builds(Directory, path=PATHS, mode=MODES, uid=OWNERS, gid=OWNERS),
    st.builds(
        Symlink,
        path=PATHS,
        target=st.binary(min_size=1, max_size=300)
        .filter(lambda target: 0 not in target)
        .map(decode_name),
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


TREES: Final = st.lists(ENTRIES, max_size=25).map(make_tree)


def image(tree: Tree, compressor: str = "zstd", threads: int = 1) -> bytes:
    out = io.BytesIO()
    write_squashfs(
        out, tree, mtime=7, compressor=compressor, level=1, block_size=BLOCK, threads=threads
    )
    return out.getvalue()


@settings(max_examples=60)
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
UTF8_NAMES: Final = NAME_BYTES.filter(is_utf8).map(bytes.decode)
UTF8_TREES: Final = st.lists(
    ENTRIES.flatmap(
        lambda entry: st.lists(UTF8_NAMES, min_size=1, max_size=4).map(
            lambda names: dataclasses.replace(entry, path="/".join(names))
        )
    ),
    max_size=25,
).map(make_tree)


@settings(max_examples=60)
@given(UTF8_TREES, st.sampled_from(["zstd", "xz", "gzip"]))
def test_independent_reader_finds_the_tree(tree: Tree, compressor: str) -> None:
    assert independent_dump(image(tree, compressor)) == dump(tree)
