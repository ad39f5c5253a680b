from __future__ import annotations

from typing import TYPE_CHECKING

import hypothesis
import pytest
from hypothesis import strategies as st

from rdcompose.errors import FormatError
from rdcompose.formats.bytestream import ByteStream

if TYPE_CHECKING:
    from collections.abc import Iterator

PIECES = [b"ab", b"", b"cdefg", b"h"]


def test_reading() -> None:
    stream = ByteStream(PIECES)
    assert stream.peek(3) == b"abc"
    assert (stream.read(1), stream.read(4), stream.position) == (b"a", b"bcde", 5)
    assert stream.skip(1) == 1
    assert (stream.peek(9), stream.position) == (b"gh", 6)
    assert (stream.read(9), stream.read(1), stream.peek(1)) == (b"gh", b"", b"")
    assert stream.position == 8
    assert stream.skip(3) == 0


def test_places() -> None:
    assert ByteStream([b"abc", b"d"], start=2).read(9) == b"cd"
    assert ByteStream([b"abc", b"d"], start=2).position == 2
    stream = ByteStream([b"abc"], position=100)
    assert (stream.read(2), stream.position) == (b"ab", 102)


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        ([], (False, 0)),
        ([bytes(5), bytes(3)], (False, 8)),
        ([bytes(5), b"\0\0x\0"], (True, 7)),
        ([b"x"], (True, 0)),
    ],
)
def test_zeros(pieces: list[bytes], expected: tuple[bool, int]) -> None:
    stream = ByteStream(pieces)
    assert (stream.skip_zeros(), stream.position) == expected


@hypothesis.given(
    st.lists(st.binary(max_size=5)), st.lists(st.tuples(st.booleans(), st.integers(0, 7)))
)
def test_as_one_buffer(pieces: list[bytes], steps: list[tuple[bool, int]]) -> None:
    whole, at = b"".join(pieces), 0
    stream = ByteStream(pieces)
    for skip, size in steps:
        expected = whole[at : at + size]
        if skip:
            assert stream.skip(size) == len(expected)
        else:
            assert stream.peek(size) == expected
            assert b"".join(stream.pieces(size)) == expected
        at += len(expected)
        assert stream.position == at


def test_damage_does_not_look_like_an_end() -> None:
    def damaged() -> Iterator[bytes]:
        yield b"good"
        raise FormatError("damaged")

    stream = ByteStream(damaged())
    assert stream.read(2) == b"go"
    for read in (stream.peek, stream.read, stream.skip, stream.read):
        with pytest.raises(FormatError, match="damaged"):
            read(3)
