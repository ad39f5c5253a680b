"""newc: any tree comes back as it was, and arbitrary bytes raise nothing but FormatError."""

from __future__ import annotations

import io

from hypothesis import given, settings
from hypothesis import strategies as st

from rdcompose.errors import FormatError
from rdcompose.formats.cpio import read_newc, record_size, write_newc
from rdcompose.formats.newc import TRAILER
from rdcompose.tree import Bytes, Directory, Entry, File, Node, NodeKind, Symlink, Tree
from tests.support.dump import dump
from tests.support.newc import segments

CHARACTERS = st.characters(exclude_characters="/\0", exclude_categories=["Cs"])
PART = st.text(CHARACTERS, min_size=1, max_size=6).filter(lambda part: part not in {".", ".."})
PATH = st.lists(PART, min_size=1, max_size=3).map("/".join)
MODE = st.integers(0, 0o7777)
OWNER = st.integers(0, 2**32 - 1)
COMMON = {"path": PATH, "mode": MODE, "uid": OWNER, "gid": OWNER}
ENTRY = st.one_of(
    st.builds(File, **COMMON, content=st.builds(Bytes, st.binary(max_size=50))),
    st.builds(Directory, **COMMON),
    st.builds(Symlink, **COMMON, target=st.text(CHARACTERS, min_size=1, max_size=20)),
    st.builds(
        Node,
        **COMMON,
        kind=st.sampled_from([NodeKind.CHARACTER, NodeKind.BLOCK]),
        major=st.integers(0, 0xFFF),
        minor=st.integers(0, 0xFFFFF),
    ),
)


def make_tree(entries: list[Entry]) -> Tree:
    """Return a tree of those entries that fit, the first ones first."""
    tree = Tree()
    for entry in entries:
        parents = [entry.path[:n] for n, char in enumerate(entry.path) if char == "/"]
        if entry.path not in tree and all(
            isinstance(tree.get(parent), Directory | None) for parent in parents
        ):
            tree.add(entry)
    return tree


@given(st.lists(ENTRY, max_size=8), st.integers(0, 2**32 - 1))
@settings(max_examples=100, deadline=None)
def test_there_and_back(entries: list[Entry], mtime: int) -> None:
    tree = make_tree(entries)
    out = io.BytesIO()
    write_newc(out, tree, mtime=mtime)
    reader = read_newc(out.getvalue())
    assert dump(reader) == dump(tree)
    sizes = [record_size(record.name, record.data_size) for record in reader.records]
    assert sum(sizes) + record_size(TRAILER) == reader.end
    assert {record.mtime for record in reader.records} <= {mtime}


@given(st.lists(ENTRY, min_size=1, max_size=3), st.data())
@settings(max_examples=200, deadline=None)
def test_damage(entries: list[Entry], data: st.DataObject) -> None:
    out = io.BytesIO()
    write_newc(out, make_tree(entries), mtime=0)
    archive = bytearray(out.getvalue())
    place = data.draw(st.integers(0, len(archive) - 1))
    archive[place : place + 3] = data.draw(st.binary(max_size=6))
    try:
        for segment in segments(bytes(archive), 1 << 20):
            for entry in segment.entries:
                assert not entry.path.startswith("/")
    except FormatError as error:
        assert "\n" not in error.message  # noqa: PT017


@given(st.binary(max_size=300))
@settings(max_examples=100)
def test_arbitrary_bytes(data: bytes) -> None:
    for start in (b"", b"070701", b"070702" + b"0" * 94):
        try:
            list(read_newc(start + data))
        except FormatError:
            continue
