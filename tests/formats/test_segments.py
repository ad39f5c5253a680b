from __future__ import annotations

import gzip
import io
from typing import TYPE_CHECKING

import pytest

from rdcompose.errors import FormatError, UnsupportedError
from rdcompose.formats import segments
from rdcompose.formats.newc_links import members
from rdcompose.formats.segments import is_initramfs, read_segments
from tests.support.artifacts import cpio, tree_of
from tests.support.newc import TRAILER, record

if TYPE_CHECKING:
    from collections.abc import Iterator


def walk(data: bytes, limit: int = 1 << 30) -> Iterator[tuple[int, str]]:
    """Offsets of segments, and paths."""
    for segment in read_segments(io.BytesIO(data), len(data), limit=limit):
        for archive in segment.archives():
            for member in members(archive):
                yield segment.offset, member.entry.path


ONE = cpio(tree_of({"one": b"1"}))
TWO = gzip.compress(cpio(tree_of({"two": b"2"})) + bytes(512) + cpio(tree_of({"three": b"3"})))


def test_places_and_sizes() -> None:
    data = ONE + TWO + bytes(7) + b"\0" * (-(len(ONE + TWO) + 7) % 4) + ONE
    last = len(data) - len(ONE)
    assert list(walk(data)) == [(0, "one"), (512, "two"), (512, "three"), (last, "one")]
    sizes = []
    for segment in read_segments(io.BytesIO(data), len(data), limit=1 << 30):
        for archive in segment.archives():
            list(members(archive))
        sizes.append((segment.size, segment.unpacked))
    assert sizes[1] == (len(TWO), 3 * 512)
    assert sizes[0] == sizes[2]


def test_what_comes_before_damage_is_there() -> None:
    rows = walk(ONE + b"junk")
    assert next(rows) == (0, "one")
    with pytest.raises(FormatError, match="at offset 512 is neither"):
        next(rows)


def test_lzo_in_the_second_place() -> None:
    with pytest.raises(UnsupportedError, match="packed with lzo"):
        list(walk(ONE + b"\x89LZO\0\r\n\x1a\n"))


def test_no_more_than_the_limit_is_unpacked() -> None:
    bomb = gzip.compress(record("zeros", bytes(30 << 20)) + TRAILER, 1)
    with pytest.raises(FormatError, match="gzip data unpacks to more than 20000000 bytes"):
        list(walk(bomb, 20_000_000))
    twice = gzip.compress(record("zeros", bytes(6 << 20)) + TRAILER, 1)
    assert len(list(walk(twice, 10_000_000))) == 1
    with pytest.raises(FormatError, match="to more than"):
        list(walk(twice * 2, 10_000_000))


def test_no_more_segments_than_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments, "MAX_SEGMENTS", 3)
    with pytest.raises(FormatError, match="more than 3 segments"):
        list(walk(ONE * 4))


def test_no_archive_inside() -> None:
    for data in (gzip.compress(b"text"), gzip.compress(bytes(100)), bytes(100), b"", b"text"):
        assert not is_initramfs(io.BytesIO(data), len(data))
    data = bytes(512) + gzip.compress(bytes(4) + ONE)
    assert is_initramfs(io.BytesIO(data), len(data))


def test_zeros_without_end_are_not_waited_for() -> None:
    data = gzip.compress(bytes(80 << 20), 1)
    with pytest.raises(FormatError, match="to more than"):
        is_initramfs(io.BytesIO(data), len(data))
