"""Entries of all kinds, in any order, on few paths: what lies where, and nothing outside."""

from __future__ import annotations

import dataclasses
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from rdcompose.compose.template import read_template
from rdcompose.inspect.destination import Destination
from rdcompose.inspect.landing import Landing, NoPlaceError
from rdcompose.inspect.patterns import PathPatterns
from rdcompose.inspect.unpack import Wish, unpack
from rdcompose.tree import Bytes, Directory, Entry, File, Node, NodeKind, Symlink, Tree
from tests.support.dump import dump
from tests.support.walked import walked

NAMES = st.sampled_from(["a", "b", "c", ".git", "A"])
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)
MODES = st.sampled_from([0, 0o644, 0o755, 0o4711, 0o1777, 0o2070])
OWNERS = st.sampled_from([0, 0, 1000])
CONTENTS = st.sampled_from([Bytes(b""), Bytes(b"one"), Bytes(b"two")])
TARGETS = st.one_of(
    PATHS,
    PATHS.map("/{}".format),
    st.sampled_from(["..", "../../outside", "/", ".", "../a", "b c"]),
)
COMMON = {"path": PATHS, "uid": OWNERS}
ENTRIES = st.one_of(
    st.builds(File, **COMMON, mode=MODES, content=CONTENTS),
    st.builds(Directory, **COMMON, mode=MODES),
    st.builds(Symlink, **COMMON, target=TARGETS),
    st.builds(Node, **COMMON, mode=MODES, kind=st.just(NodeKind.CHARACTER), major=st.just(5)),
)


def expected(entries: list[Entry]) -> tuple[dict[str, str], int]:
    """Return what a template with just these entries has, and how many have no place in it."""
    landing = Landing()
    contents: dict[str, Bytes] = {}
    lost = 0
    for entry in entries:
        try:
            path = landing.land(entry)
        except NoPlaceError:
            lost += 1
            continue
        if isinstance(entry, File):
            contents[path] = Bytes(b"".join(entry.content.chunks(10)))
    tree = Tree()
    for path, stub in sorted(landing.entries.items()):
        if isinstance(stub, File):
            tree.add(dataclasses.replace(stub, content=contents[path]))
        else:
            tree.add(stub)
    return dump(tree), lost


# Each writes a tree to the disk, and a dozen entries meet in most.
@settings(max_examples=30)
@given(st.lists(ENTRIES, max_size=12))
def test_unpacked_as_it_lands(entries: list[Entry]) -> None:
    tree, lost = expected(entries)
    with tempfile.TemporaryDirectory() as scratch:
        top = Path(scratch) / "top"
        with Destination(top / "out") as destination:
            wish = Wish(patterns=PathPatterns(()))
            done = unpack(walked(*entries), destination, wish, lambda _: None)
        assert len(done.lost) == lost
        assert [path.name for path in Path(scratch).iterdir()] == (["top"] if tree else [])
        if tree:
            assert [path.name for path in top.iterdir()] == ["out"]
            assert dump(read_template(top / "out")) == tree
