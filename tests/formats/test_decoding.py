"""Streams of the standard library's decoders: bounded pieces, and no silent end."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import random

import pytest

from rdcompose.errors import FormatError
from rdcompose.formats.decoding import (
    BZIP2,
    GZIP,
    LZMA,
    PIECE,
    XZ,
    Format,
    decode_first,
    decode_stream,
    read_range,
)

PLAIN = random.Random(5).randbytes(70_000) + b"abc" * 700_000
PACKED = {
    GZIP: gzip.compress(PLAIN, mtime=0),
    BZIP2: bz2.compress(PLAIN),
    XZ: lzma.compress(PLAIN),
    LZMA: lzma.compress(PLAIN, lzma.FORMAT_ALONE),
}
EACH = pytest.mark.parametrize("kind", PACKED, ids=lambda kind: kind.name)


def pieces(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


@EACH
@pytest.mark.parametrize("size", [1 << 20, 4096, 977])
def test_decode(kind: Format, size: int) -> None:
    out = list(decode_stream(kind, pieces(PACKED[kind], size)))
    assert b"".join(out) == PLAIN
    assert max(map(len, out)) <= PIECE


@EACH
@pytest.mark.parametrize("size", [1 << 20, 1])
def test_concatenated_streams(kind: Format, size: int) -> None:
    one = next(decode_packed for known, decode_packed in SMALL.items() if known is kind)
    assert b"".join(decode_stream(kind, pieces(one * 3, size))) == b"small" * 3


SMALL = {
    GZIP: gzip.compress(b"small", mtime=0),
    BZIP2: bz2.compress(b"small"),
    XZ: lzma.compress(b"small"),
    LZMA: lzma.compress(b"small", lzma.FORMAT_ALONE),
}


@EACH
def test_cut_anywhere(kind: Format) -> None:
    for length in range(len(SMALL[kind])):
        with pytest.raises(FormatError, match="cut short"):
            list(decode_stream(kind, [SMALL[kind][:length]]))
        with pytest.raises(FormatError, match="cut short"):
            decode_first(kind, SMALL[kind][:length], limit=100)


@EACH
def test_junk_behind(kind: Format) -> None:
    with pytest.raises(FormatError):
        list(decode_stream(kind, [SMALL[kind], b"\xffjunk" * 10]))
    end = len(SMALL[kind])
    assert decode_first(kind, SMALL[kind] + b"\xffjunk", limit=5) == (b"small", end)


@pytest.mark.parametrize("kind", [GZIP, XZ, BZIP2], ids=lambda kind: kind.name)
def test_a_flipped_bit_never_changes_content(kind: Format) -> None:
    noticed = 0
    for place in range(len(SMALL[kind])):
        damaged = bytearray(SMALL[kind])
        damaged[place] ^= 16
        try:
            out = b"".join(decode_stream(kind, [bytes(damaged)]))
        except FormatError:
            noticed += 1
        else:  # unused bits, and the time and system in a gzip header
            assert out == b"small"
    assert noticed > len(SMALL[kind]) // 2


@pytest.mark.parametrize(
    ("kind", "zeros", "good"),
    [(XZ, 8, True), (XZ, 7, False), (GZIP, 3, True), (BZIP2, 4, False), (LZMA, 4, False)],
    ids=lambda value: getattr(value, "name", str(value)),
)
@pytest.mark.parametrize("more", [False, True], ids=["last", "between"])
def test_padding(kind: Format, zeros: int, good: bool, more: bool) -> None:
    data = SMALL[kind] + bytes(zeros) + SMALL[kind] * more
    if good:
        assert b"".join(decode_stream(kind, pieces(data, 1))) == b"small" * (1 + more)
    else:
        with pytest.raises(FormatError):
            list(decode_stream(kind, pieces(data, 1)))


@EACH
def test_limit(kind: Format) -> None:
    assert decode_first(kind, SMALL[kind], limit=5) == (b"small", len(SMALL[kind]))
    for limit in (0, 4):
        with pytest.raises(FormatError, match=f"to more than {limit} bytes"):
            decode_first(kind, SMALL[kind], limit=limit)
    with pytest.raises(FormatError, match="to more than 1000000 bytes"):
        decode_first(kind, PACKED[kind], limit=1_000_000)


def test_output_that_ends_at_a_piece() -> None:
    # zlib has taken all input, and still holds the trailer back.
    for length in (PIECE - 1, PIECE, PIECE + 1, 2 * PIECE):
        plain = bytes(length)
        packed = gzip.compress(plain, mtime=0)
        assert b"".join(decode_stream(GZIP, [packed])) == plain
        assert b"".join(decode_stream(GZIP, pieces(packed, 1))) == plain


def test_read_range() -> None:
    source = io.BytesIO(b"0123456789")
    assert list(read_range(source, 2, 5, piece=2)) == [b"23", b"45", b"6"]
    assert list(read_range(source, 3, 0)) == []
    with pytest.raises(FormatError, match="ends at offset 10, 3 bytes too early"):
        list(read_range(source, 8, 5))
