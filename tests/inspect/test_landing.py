from __future__ import annotations

import pytest

from rdcompose.errors import FormatError
from rdcompose.inspect import landing as module
from rdcompose.inspect.landing import Landing, NoPlaceError
from rdcompose.tree import Bytes, Directory, Entry, File, Node, NodeKind, Symlink


def file(path: str) -> File:
    return File(path=path, content=Bytes(b"content"))


def landed(*entries: Entry) -> Landing:
    """Return where all these come to lie."""
    landing = Landing()
    for entry in entries:
        landing.land(entry)
    return landing


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("usr/lib", "usr/lib/x"),
        ("/usr/lib", "usr/lib/x"),
        ("../../../etc", "etc/x"),
        ("/", "x"),
        ("gone/far", "gone/far/x"),
    ],
)
def test_links_lead_nowhere_else(target: str, path: str) -> None:
    landing = landed(Symlink(path="lib", target=target))
    assert landing.land(file("lib/x")) == path
    assert landing.entries[path].path == path


def test_missing_directories_are_made() -> None:
    assert list(landed(file("a/b/c")).entries) == ["a", "a/b", "a/b/c"]


def test_later_entries_replace_earlier_ones() -> None:
    landing = landed(
        file("a"), Directory(path="a"), file("a/b"), Symlink(path="a/b", target="c"), file("a/b")
    )
    assert isinstance(landing.entries["a"], Directory)
    assert isinstance(landing.entries["a/b"], File)
    landing.land(Directory(path="a", mode=0o700))
    assert landing.entries["a"].mode == 0o700


def test_contents_are_not_kept() -> None:
    (kept,) = landed(file("a")).entries.values()
    assert isinstance(kept, File)
    assert kept.content.size == 0


@pytest.mark.parametrize(
    ("before", "entry", "why"),
    [
        (
            [Symlink(path="a", target="b"), Symlink(path="b", target="a")],
            file("a/x"),
            "in a circle",
        ),
        ([file("a")], file("a/x"), "'a', in which it is to lie, is no directory"),
        ([Node(path="a", kind=NodeKind.FIFO)], file("a/b/x"), "'a', in which"),
        ([file("a/x")], file("a"), "not empty"),
        ([Symlink(path="a", target="x/" * 63)], file("a/b/c"), "too deep or too long"),
        ([Symlink(path="a", target="x/" * 70)], file("a/b"), "or too far"),
    ],
    ids=["circle", "file", "node", "full", "deep", "far"],
)
def test_no_place(before: list[Entry], entry: Entry, why: str) -> None:
    landing = landed(*before)
    kept = dict(landing.entries)
    with pytest.raises(NoPlaceError, match=why):
        landing.land(entry)
    assert landing.entries == kept


def test_names_take_no_end_of_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MAX_NAMES", 8 << 20)
    landing = Landing()
    link = Symlink(path="a", target="x" * ((1 << 20) - 1))
    for _ in range(8):
        landing.land(link)
    with pytest.raises(FormatError, match="names and targets of links take more than 8 MiB"):
        landing.land(link)
