"""The zstd reader: frames walked before they are decoded, no silent end."""

from __future__ import annotations

import io
import random

import pytest
import zstandard

from rdcompose.errors import FormatError
from rdcompose.formats import zstd

PLAIN = random.Random(6).randbytes(300_000) + b"abc" * 500_000
SKIPPABLE = b"\x53\x2a\x4d\x18" + b"\3\0\0\0" + b"xyz"


def pack(data: bytes, *, size: bool = True, checksum: bool = False, level: int = 3) -> bytes:
    return zstandard.ZstdCompressor(
        level=level, write_content_size=size, write_checksum=checksum
    ).compress(data)


def decode(data: bytes) -> bytes:
    return b"".join(zstd.decode(io.BytesIO(data), 0, len(data)))


@pytest.mark.parametrize("size", [True, False])
@pytest.mark.parametrize("checksum", [True, False])
@pytest.mark.parametrize(
    "plain", [b"", b"x", b"x" * 255, b"x" * 256, b"x" * 70_000, bytes(1 << 21), PLAIN]
)
def test_frames(plain: bytes, size: bool, checksum: bool) -> None:
    data = pack(plain, size=size, checksum=checksum)
    frame = zstd.read_frame(io.BytesIO(data), 0, len(data))
    assert (frame.offset, frame.size) == (0, len(data))
    assert frame.content_size == (len(plain) if size else None)
    assert decode(data) == plain
    assert zstd.decode_first(data + b"more", limit=len(plain)) == (plain, len(data))


def test_several_frames_within_a_file() -> None:
    data = SKIPPABLE + pack(b"one") + SKIPPABLE + pack(PLAIN, size=False) + pack(b"two")
    source = io.BytesIO(b"before" + data + b"behind")
    assert b"".join(zstd.decode(source, 6, len(data))) == b"one" + PLAIN + b"two"


def test_a_dictionary_id_is_read_over() -> None:
    samples: list[bytes | bytearray | memoryview[int]] = [
        b"some text %d and more of it" % n for n in range(2000)
    ]
    dictionary = zstandard.train_dictionary(4096, list(samples))
    data = zstandard.ZstdCompressor(dict_data=dictionary).compress(b"text")
    assert zstandard.get_frame_parameters(data).dict_id != 0
    assert zstd.read_frame(io.BytesIO(data), 0, len(data)).size == len(data)
    with pytest.raises(FormatError, match="zstd data is damaged"):
        decode(data)


def test_pieces_are_bounded() -> None:
    data = pack(bytes(10 << 20))
    assert max(map(len, zstd.decode(io.BytesIO(data), 0, len(data)))) <= 1 << 20


SMALL = pack(b"small" * 20, checksum=True)


def test_cut_anywhere() -> None:
    for length in range(len(SMALL)):
        with pytest.raises(FormatError, match="cut short"):
            decode(SMALL[:length])


@pytest.mark.parametrize("cut", [1, 100, 131_072, 300_000])
def test_cut_where_the_library_says_nothing(cut: int) -> None:
    with pytest.raises(FormatError, match="cut short"):
        decode(pack(PLAIN)[:-cut])


def test_a_flipped_bit() -> None:
    for place in range(len(SMALL)):
        damaged = bytearray(SMALL)
        damaged[place] ^= 4
        with pytest.raises(FormatError):
            decode(bytes(damaged))


@pytest.mark.parametrize("behind", [b"\0", b"junk", b"\x28\xb5\x2f", SKIPPABLE[:-1]])
def test_data_behind(behind: bytes) -> None:
    with pytest.raises(FormatError, match="cut short"):
        decode(SMALL + behind)


def test_limit_against_stated_and_unstated_sizes() -> None:
    for size in (True, False):
        with pytest.raises(FormatError, match="to more than 99 bytes"):
            zstd.decode_first(pack(b"small" * 20, size=size), limit=99)


def test_a_window_beyond_the_kernels() -> None:
    # Magic, no flags, Window_Descriptor of 2^28 bytes, one raw block that is the last.
    data = zstd.MAGIC + b"\0" + bytes([(28 - 10) << 3]) + b"\x09\0\0x"
    assert zstd.read_frame(io.BytesIO(data), 0, len(data)).size == len(data)
    with pytest.raises(FormatError, match="too much memory"):
        decode(data)


def test_a_frame_shorter_than_it_states() -> None:
    data = zstd.MAGIC + b"\x20\5" + b"\x09\0\0x"
    with pytest.raises(FormatError):
        decode(data)
