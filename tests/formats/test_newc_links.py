from __future__ import annotations

from typing import Final

import pytest

from rdcompose.errors import FormatError
from rdcompose.formats import newc_links
from rdcompose.formats.bytestream import ByteStream
from rdcompose.formats.newc import Archive
from rdcompose.formats.newc_links import members
from rdcompose.tree import File, read_all
from tests.support.newc import TRAILER, record


def contents(*records: bytes) -> list[tuple[str, bytes]]:
    """Names and contents, each read when it comes."""
    archive = Archive(ByteStream([b"".join(records) + TRAILER]))
    return [(row.entry.path, _content(row.entry)) for row in members(archive)]


def _content(entry: object) -> bytes:
    assert isinstance(entry, File)
    return read_all(entry.content)


LAST: Final = [
    record("x", b"before"),
    record("a", ino=7, nlink=3),
    record("b", ino=7, nlink=3),
    record("c", b"data", ino=7, nlink=3),
    record("y", b"behind"),
]


def test_content_at_the_last_name() -> None:
    assert contents(*LAST) == [
        ("x", b"before"),
        ("a", b"data"),
        ("b", b"data"),
        ("c", b"data"),
        ("y", b"behind"),
    ]


def test_content_at_the_first_name_and_others_between() -> None:
    found = contents(
        record("a", b"data", ino=7, nlink=3),
        record("x", b"between"),
        record("b", ino=7, nlink=3),
        record("c", ino=7, nlink=3),
        # The number is used again once all names were there.
        record("d", b"other", ino=7, nlink=2),
        record("e", ino=7, nlink=2),
    )
    assert [data for _, data in found] == [
        b"data",
        b"between",
        b"data",
        b"data",
        b"other",
        b"other",
    ]


def test_others_between_names_that_wait() -> None:
    found = contents(
        record("a", ino=7, nlink=2),
        record("x", b"between"),
        record("d", ino=8, nlink=2),
        record("b", b"data", ino=7, nlink=2),
        record("y"),
    )
    # Of the other file there is no name with a content.
    assert found == [("a", b"data"), ("x", b"between"), ("d", b""), ("b", b"data"), ("y", b"")]


def test_no_more_is_held_than_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(newc_links, "_MAX_HELD", 2)
    empty = [record(name, ino=7, nlink=3) for name in "abc"]
    others = [record(name, b"1") for name in "uvw"]
    assert len(contents(empty[0], *others, empty[1], *others, empty[2])) == 9
    with pytest.raises(FormatError, match="'z' in the cpio archive lies too far from its content"):
        contents(empty[0], *others, record("z", b"late", ino=7, nlink=3))


def test_no_more_is_kept_than_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(newc_links, "MAX_KEPT", 8)
    files = [record(f"f{number}", b"12345", ino=number, nlink=2) for number in range(3)]
    assert len(contents(*files)) == 3
    assert contents(*files, record("again", ino=2, nlink=2))[-1] == ("again", b"12345")
    with pytest.raises(FormatError, match="'again' in the cpio archive lies too far"):
        contents(*files, record("again", ino=0, nlink=2))
    large = record("large", b"123456789", ino=9, nlink=2)
    assert contents(record("a", ino=8, nlink=2), large)[-1] == ("large", b"123456789")
    with pytest.raises(FormatError, match="too far"):
        contents(large, record("more", ino=9, nlink=2))
