"""The block-parallel xz reader: all shapes of files, damage, and limits."""

from __future__ import annotations

import io
import lzma
import random
import struct
import threading
import zlib
from typing import TYPE_CHECKING, BinaryIO

import pytest

from rdcompose.errors import FormatError, UnsupportedError
from rdcompose.formats import decoding, xz

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

THREADS = pytest.mark.parametrize("threads", [1, 2, 3])


def make_block(data: bytes, check: int = lzma.CHECK_CRC64) -> tuple[bytes, int, int, bytes]:
    """Return a block with its padding, its unpadded size, its decoded size and the flags."""
    stream = lzma.compress(data, check=check, preset=0)
    (block,) = xz.read_index(io.BytesIO(stream), 0, len(stream))
    raw = stream[block.offset : block.offset + block.padded_size]
    return raw, block.unpadded_size, block.size, block.stream_flags


def number(value: int) -> bytes:
    out = b""
    while value > 127:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])


def make_index(records: Sequence[tuple[int, int]], *, count: int | None = None) -> bytes:
    index = b"\0" + number(len(records) if count is None else count)
    index += b"".join(number(unpadded) + number(size) for unpadded, size in records)
    index += bytes(-len(index) % 4)
    return index + struct.pack("<I", zlib.crc32(index))


def make_stream(body: bytes, index: bytes, flags: bytes = b"\0\4", backward: int = -1) -> bytes:
    backward = len(index) // 4 - 1 if backward < 0 else backward
    tail = struct.pack("<I", backward) + flags
    header = b"\xfd7zXZ\0" + flags + struct.pack("<I", zlib.crc32(flags))
    return header + body + index + struct.pack("<I", zlib.crc32(tail)) + tail + b"YZ"


def multi_block(parts: Sequence[bytes], check: int = lzma.CHECK_CRC64) -> bytes:
    """Return a stream of one block a part, as xz with threads writes it."""
    blocks = [make_block(part, check) for part in parts]
    index = make_index([(unpadded, size) for _, unpadded, size, _ in blocks])
    return make_stream(b"".join(raw for raw, *_ in blocks), index, blocks[0][3])


def decode(data: bytes, threads: int) -> bytes:
    return b"".join(xz.decode(io.BytesIO(data), 0, len(data), threads=threads))


PARTS = [random.Random(n).randbytes(50_000) + bytes(600_000 * n) for n in range(4)]
PLAIN = b"".join(PARTS)
FILE = multi_block(PARTS)


@THREADS
@pytest.mark.parametrize(
    "check", [lzma.CHECK_NONE, lzma.CHECK_CRC32, lzma.CHECK_CRC64, lzma.CHECK_SHA256]
)
def test_many_blocks(threads: int, check: int) -> None:
    data = multi_block(PARTS, check)
    assert lzma.decompress(data) == PLAIN
    assert decode(data, threads) == PLAIN


@THREADS
@pytest.mark.parametrize(
    ("data", "plain"),
    [
        pytest.param(lzma.compress(b""), b"", id="empty-content"),
        pytest.param(lzma.compress(b"x"), b"x", id="one-block"),
        pytest.param(make_stream(b"", make_index([])), b"", id="no-blocks"),
        pytest.param(lzma.compress(b"a") + lzma.compress(b"b"), b"ab", id="two-streams"),
        pytest.param(
            lzma.compress(b"a") + bytes(8) + FILE + bytes(4), b"a" + PLAIN, id="stream-padding"
        ),
        pytest.param(
            lzma.compress(b"a", check=lzma.CHECK_CRC32) + lzma.compress(b"b"), b"ab", id="checks"
        ),
        pytest.param(lzma.compress(b"a") + bytes(600_000), b"a", id="long-padding"),
    ],
)
def test_shapes(data: bytes, plain: bytes, threads: int) -> None:
    assert decode(data, threads) == plain


def test_part_of_a_larger_file() -> None:
    source = io.BytesIO(b"before" + FILE + b"behind")
    assert b"".join(xz.decode(source, 6, len(FILE), threads=2)) == PLAIN


@THREADS
def test_pieces_are_bounded(threads: int) -> None:
    assert max(map(len, xz.decode(io.BytesIO(FILE), 0, len(FILE), threads=threads))) <= 1 << 20


def test_blocks_are_decoded_by_several_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: set[str] = set()
    inner = xz._decode_block

    def spy(*args: object) -> None:
        seen.add(threading.current_thread().name)
        inner(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(xz, "_decode_block", spy)
    assert decode(FILE, 2) == PLAIN
    assert seen <= {"xz_0", "xz_1"}
    assert seen


def test_little_memory_still_makes_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xz, "MAX_AHEAD", 1)
    monkeypatch.setattr(xz, "MAX_AT_START", 1)
    assert decode(FILE, 2) == PLAIN


@pytest.mark.parametrize(("at_start", "behind_the_first"), [(1, False), (1 << 30, True)])
def test_more_is_read_ahead_at_the_start(
    at_start: int, behind_the_first: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocks = xz.read_index(io.BytesIO(FILE), 0, len(FILE))
    begun: list[int] = []

    def spy(source: BinaryIO, offset: int, size: int) -> Iterator[bytes]:
        begun.append(offset)
        return inner(source, offset, size)

    inner = decoding.read_range
    monkeypatch.setattr(xz, "MAX_AHEAD", 1)
    monkeypatch.setattr(xz, "MAX_AT_START", at_start)
    monkeypatch.setattr(decoding, "read_range", spy)
    pieces = xz.decode(io.BytesIO(FILE), 0, len(FILE), threads=2)
    next(pieces)
    assert blocks[0].offset in begun
    assert (blocks[-1].offset in begun) is behind_the_first
    assert next(pieces)
    pieces.close()  # type: ignore[attr-defined]


def test_large_blocks_are_decoded_as_they_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xz, "MAX_BLOCK", 1_000_000)
    monkeypatch.setattr(xz, "_decode_blocks", None)
    assert decode(FILE, 2) == PLAIN


def test_threads_end_when_the_reader_stops() -> None:
    before = threading.active_count()
    pieces = xz.decode(io.BytesIO(FILE), 0, len(FILE), threads=2)
    next(pieces)
    pieces.close()  # type: ignore[attr-defined]
    assert threading.active_count() == before


@THREADS
@pytest.mark.parametrize("cut", [1, 12, 60_000, len(FILE) - 13])
def test_cut(cut: int, threads: int) -> None:
    with pytest.raises(FormatError):
        decode(FILE[:-cut], threads)


class Changing(io.BytesIO):
    """A file that becomes another one when its start is read for the second time."""

    def __init__(self, first: bytes, second: bytes) -> None:
        super().__init__(first)
        self._second: bytes | None = second
        self._starts = 0

    def seek(self, offset: int, whence: int = 0, /) -> int:
        self._starts += offset == 0
        if self._starts == 2 and self._second is not None:
            super().seek(0)
            self.write(self._second)
        return super().seek(offset, whence)


def test_a_file_that_changes_while_it_is_read() -> None:
    first, second = lzma.compress(bytes(1000)), lzma.compress(bytes(1001))
    assert len(first) == len(second)
    with pytest.raises(FormatError, match="holds 1001 bytes, and its index says otherwise"):
        list(xz.decode(Changing(first, second), 0, len(first)))


@THREADS
def test_empty(threads: int) -> None:
    with pytest.raises(FormatError, match="too small for a stream"):
        decode(b"", threads)


SMALL = multi_block([b"one" * 9, b"two" * 20])


@pytest.mark.parametrize("threads", [1, 2])
def test_any_flipped_bit_is_noticed(threads: int) -> None:
    assert decode(SMALL, threads) == b"one" * 9 + b"two" * 20
    for place in range(len(SMALL)):
        damaged = bytearray(SMALL)
        damaged[place] ^= 1 << place % 8
        with pytest.raises((FormatError, UnsupportedError)):
            decode(bytes(damaged), threads)


def test_cut_anywhere() -> None:
    for length in range(len(SMALL)):
        with pytest.raises(FormatError):
            decode(SMALL[:length], 1)


BLOCK, UNPADDED, SIZE, _FLAGS = make_block(b"some content" * 50)
GOOD = (UNPADDED, SIZE)


def one(records: list[tuple[int, int]], *, count: int | None = None, blocks: int = 2) -> bytes:
    return make_stream(BLOCK * blocks, make_index(records, count=count))


@THREADS
@pytest.mark.parametrize(
    ("data", "message"),
    [
        pytest.param(b"\0" * 64, "wrong stream padding", id="zeros"),
        pytest.param(FILE + b"\0", "wrong stream padding", id="odd-padding"),
        pytest.param(bytes(4) + FILE, "wrong stream padding", id="padding-first"),
        pytest.param(FILE + b"junk", "stream footer", id="junk-behind"),
        pytest.param(b"junk" + FILE, "too small", id="junk-in-front"),
        pytest.param(b"x" * 32 + FILE, "stream footer", id="more-junk-in-front"),
        pytest.param(one([GOOD, (UNPADDED, 2**62)]), "damaged", id="block-claims-2-exabytes"),
        pytest.param(one([GOOD, (UNPADDED, 0)]), "damaged|larger", id="block-claims-nothing"),
        pytest.param(one([GOOD, (UNPADDED, SIZE - 1)]), "damaged|larger", id="too-small"),
        pytest.param(one([GOOD, (UNPADDED, SIZE + 1)]), "damaged", id="too-large"),
        pytest.param(one([GOOD, (2**62, SIZE)]), "more than its stream", id="beyond-the-file"),
        pytest.param(one([GOOD, (0, SIZE)]), "a block of 0 bytes", id="zero-size-block"),
        pytest.param(one([GOOD, (4, SIZE)]), "a block of 4 bytes", id="tiny-block"),
        pytest.param(one([GOOD]), "does not start where", id="a-record-missing"),
        pytest.param(one([GOOD] * 3), "more than its stream", id="a-record-too-many"),
        pytest.param(one([GOOD, GOOD], count=2**60), "claims", id="count-huge"),
        pytest.param(one([GOOD, GOOD], count=1), "wrong padding", id="count-too-small"),
        pytest.param(one([GOOD, GOOD], count=3), "malformed number", id="count-too-large"),
        pytest.param(
            make_stream(BLOCK, make_index([GOOD]), backward=2**32 - 1),
            "starts before its stream",
            id="backward-size-huge",
        ),
        pytest.param(
            make_stream(BLOCK, b"\1" + make_index([GOOD])[1:]), "index is damaged", id="indicator"
        ),
    ],
)
def test_hostile(data: bytes, message: str, threads: int) -> None:
    with pytest.raises(FormatError, match=message):
        decode(data, threads)


def with_crc(index: bytes) -> bytes:
    index += bytes(-len(index) % 4)
    return index + struct.pack("<I", zlib.crc32(index))


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"\x80" * 10, id="too-long"),
        pytest.param(b"\x81\x00", id="padded"),
        pytest.param(b"\x80", id="unfinished"),
    ],
)
def test_malformed_numbers(raw: bytes) -> None:
    with pytest.raises(FormatError, match="malformed number"):
        decode(make_stream(BLOCK, with_crc(b"\0\1" + raw)), 1)


def test_too_many_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xz, "MAX_RECORDS", 3)
    with pytest.raises(UnsupportedError, match="more than 3 blocks"):
        decode(FILE, 2)


def test_too_large_an_index(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xz, "MAX_INDEX", 16)
    with pytest.raises(UnsupportedError, match="xz index has"):
        decode(FILE, 2)


@pytest.mark.parametrize("flags", [b"\0\2", b"\0\x0f", b"\0\x14", b"\1\4"])
def test_unknown_stream_flags(flags: bytes) -> None:
    # liblzma would pass over the check without a word.
    with pytest.raises(UnsupportedError, match="unknown check"):
        decode(make_stream(BLOCK, make_index([GOOD]), flags), 1)


def test_a_dictionary_of_a_gigabyte_is_refused() -> None:
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 4096}]
    stream = lzma.compress(b"x", filters=filters)
    (block,) = xz.read_index(io.BytesIO(stream), 0, len(stream))
    header = bytearray(stream[block.offset : block.offset + 12])
    place = header.index(b"\x21\x01") + 2  # filter ID, size of properties, dictionary size
    header[place] = 36  # 1 GiB
    header[8:12] = struct.pack("<I", zlib.crc32(header[:8]))
    stream = stream[: block.offset] + header + stream[block.offset + 12 :]
    with pytest.raises(FormatError, match=r"[Mm]emory usage limit"):
        decode(stream, 1)
