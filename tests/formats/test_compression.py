"""The table of compressors: what comes out is what the kernel takes, and comes back."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import random
import struct
import sys

import pytest
import zstandard

from rdcompose.errors import FormatError, SpecError, UnsupportedError
from rdcompose.formats import compression
from rdcompose.formats.compression import (
    BY_NAME,
    NAMES,
    compress,
    decode,
    decompress,
    detect,
    parse_compression,
)

PLAIN = random.Random(7).randbytes(50_000) + b"abc" * 100_000
REAL = [name for name in NAMES if name != "none"]
PACKED = {
    **{name: compress(name, PLAIN) for name in REAL},
    "bzip2": bz2.compress(PLAIN),
    "lzma": lzma.compress(PLAIN, lzma.FORMAT_ALONE),
}
EACH = pytest.mark.parametrize("name", PACKED)


def test_the_table() -> None:
    assert NAMES == ("zstd", "gzip", "xz", "lz4", "none")
    assert {row.name: row.suffix for row in compression.TABLE} == {
        "zstd": ".zst",
        "gzip": ".gz",
        "xz": ".xz",
        "lz4": ".lz4",
        "bzip2": ".bz2",
        "lzma": ".lzma",
        "none": "",
    }
    for row in compression.TABLE:
        assert row.default_level is None or row.default_level in row.levels


@EACH
def test_there_and_back(name: str) -> None:
    assert decompress(PACKED[name], limit=len(PLAIN)) == PLAIN
    row = detect(PACKED[name])
    assert row is BY_NAME[name]


@pytest.mark.parametrize("name", REAL)
@pytest.mark.parametrize("plain", [b"", b"x"])
def test_small(name: str, plain: bytes) -> None:
    assert decompress(compress(name, plain), limit=1) == plain


@pytest.mark.parametrize("name", REAL)
def test_every_level(name: str) -> None:
    for level in BY_NAME[name].levels:
        assert decompress(compress(name, b"text" * 9, level), limit=36) == b"text" * 9


def test_none_leaves_as_it_is() -> None:
    assert compress("none", PLAIN) == PLAIN
    assert BY_NAME["none"].decode_first(PLAIN, 0) == (PLAIN, len(PLAIN))
    assert b"".join(decode("none", io.BytesIO(b"abcdef"), 1, 4)) == b"bcde"


def test_gzip_has_no_time_no_name_and_a_fixed_system() -> None:
    data = compress("gzip", PLAIN)
    assert data[:10] == bytes.fromhex("1f8b0800 00000000 02 03")
    assert compress("gzip", PLAIN, 1)[8] == 4
    assert compress("gzip", PLAIN, 6)[8] == 0
    assert gzip.decompress(data) == PLAIN


def test_xz_has_crc32_and_a_dictionary_no_larger_than_needed() -> None:
    data = compress("xz", PLAIN, 9)
    assert data[7] == lzma.CHECK_CRC32
    assert lzma.decompress(data) == PLAIN
    # Filter ID of LZMA2, one byte of properties: 2^(n/2 + 12) bytes for even n.
    assert data[14:17] == bytes([0x21, 1, (19 - 12) * 2])
    for level, bits in ((0, 18), (6, 23), (9, 25)):
        filters = compression.xz_filters(1 << 40, level)
        assert filters[0]["dict_size"] == 1 << bits


def test_zstd_states_its_size_and_has_a_checksum() -> None:
    parameters = zstandard.get_frame_parameters(compress("zstd", PLAIN))
    assert (parameters.content_size, parameters.has_checksum) == (len(PLAIN), True)
    huge = zstandard.get_frame_parameters(compress("zstd", PLAIN, 22))
    assert huge.window_size <= 1 << 27


def test_lz4_is_the_legacy_frame() -> None:
    plain = random.Random(8).randbytes(100) + bytes(20 << 20)
    data = compress("lz4", plain, 1)
    assert data[:4] == b"\x02\x21\x4c\x18"
    sizes, position = [], 4
    while position < len(data):
        (size,) = struct.unpack_from("<I", data, position)
        sizes.append(size)
        position += 4 + size
    assert (len(sizes), position) == (3, len(data))
    assert decompress(data, limit=len(plain)) == plain


@EACH
def test_limit(name: str) -> None:
    with pytest.raises(FormatError, match=f"to more than {len(PLAIN) - 1} bytes"):
        decompress(PACKED[name], limit=len(PLAIN) - 1)


@EACH
def test_limit_over_several_streams(name: str) -> None:
    with pytest.raises(FormatError, match="to more than"):
        decompress(PACKED[name] * 3, limit=2 * len(PLAIN))


@EACH
@pytest.mark.parametrize("zeros", [0, 1, 8])
def test_concatenated_and_padded(name: str, zeros: int) -> None:
    data = (PACKED[name] + bytes(zeros)) * 2
    assert decompress(data, limit=2 * len(PLAIN)) == PLAIN * 2


@EACH
def test_cut(name: str) -> None:
    data = PACKED[name]
    lengths = [len(data) - 1, len(data) // 2, len(BY_NAME[name].magics[0])]
    if name == "lz4":  # a frame without blocks is an empty one
        lengths.pop()
    for length in lengths:
        with pytest.raises(FormatError, match="cut short"):
            decompress(data[:length], limit=len(PLAIN))


@EACH
def test_junk_behind(name: str) -> None:
    junk = b"\xff\xffjunk\xff\xff"
    with pytest.raises(FormatError, match="followed by other data"):
        decompress(PACKED[name] + junk, limit=len(PLAIN))


@EACH
def test_damage(name: str) -> None:
    data = bytearray(PACKED[name])
    data[len(data) // 2 :] = b"\xff" * (len(data) - len(data) // 2)
    with pytest.raises(FormatError, match=r"damaged|cut short"):
        decompress(bytes(data), limit=len(PLAIN))


def test_an_lz4_block_of_nonsense() -> None:
    with pytest.raises(FormatError, match="lz4 data is damaged"):
        decompress(b"\x02\x21\x4c\x18" + b"\3\0\0\0" + b"\xff\xff\xff", limit=100)


@pytest.mark.parametrize("data", [b"", b"\0" * 9, b"MZ" * 9, b"\x04\x22\x4d\x18" * 9])
def test_no_known_compression(data: bytes) -> None:
    assert detect(data) is None
    with pytest.raises(FormatError, match="no known compression"):
        decompress(data, limit=100)


def test_too_many_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compression, "MAX_STREAMS", 3)
    small = compress("gzip", b"")
    assert decompress(small * 3, limit=0) == b""
    with pytest.raises(FormatError, match="more than 3 streams"):
        decompress(small * 4, limit=0)


@pytest.mark.parametrize("name", [name for name in PACKED if name != "lz4"])
@pytest.mark.parametrize("threads", [1, 2])
def test_decode_within_a_file(name: str, threads: int) -> None:
    data = PACKED[name]
    source = io.BytesIO(b"before" + data + b"behind")
    assert b"".join(decode(name, source, 6, len(data), threads=threads)) == PLAIN
    with pytest.raises(FormatError, match=f"offset 5 is not compressed with {name}"):
        decode(name, source, 5, len(data))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("zstd", ("zstd", None)),
        ("zstd:19", ("zstd", 19)),
        ("xz:0", ("xz", 0)),
        ("none", ("none", None)),
    ],
)
def test_parse(text: str, expected: tuple[str, int | None]) -> None:
    assert parse_compression(text) == expected


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("", "no compressor is called ''", "known are zstd, gzip, xz, lz4, none"),
        ("brotli", "no compressor is called 'brotli'", "known are"),
        ("bzip2", "no compressor is called 'bzip2'", "known are"),
        ("ZSTD", "no compressor is called 'ZSTD'", "known are"),
        ("bzip2:9", "no compressor is called 'bzip2'", "known are"),
        ("zstd:", "the level '' is no number", "go from 1 to 22"),
        ("zstd:0", "zstd has no level 0", "go from 1 to 22"),
        ("zstd:23", "zstd has no level 23", "go from 1 to 22"),
        ("gzip:-1", "the level '-1' is no number", "go from 1 to 9"),
        ("gzip:+1", "the level '\\+1' is no number", "go from 1 to 9"),
        ("gzip:1_0", "the level '1_0' is no number", "go from 1 to 9"),
        ("gzip:²", "the level '²' is no number", "go from 1 to 9"),
        ("gzip:9999", "the level '9999' is no number", "go from 1 to 9"),
        ("xz:10", "xz has no level 10", "go from 0 to 9"),
        ("lz4:13", "lz4 has no level 13", "go from 1 to 12"),
        ("none:1", "none has no level 1", "takes no level"),
    ],
)
def test_parse_refuses(text: str, message: str, hint: str) -> None:
    with pytest.raises(SpecError, match=message) as caught:
        parse_compression(text)
    assert hint in str(caught.value.hint)


def test_compress_refuses_names_and_levels() -> None:
    with pytest.raises(SpecError, match="no compressor is called 'lzma'"):
        compress("lzma", b"")
    with pytest.raises(SpecError, match="gzip has no level 11"):
        compress("gzip", b"", 11)


def test_without_the_lz4_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lz4", None)
    monkeypatch.setitem(sys.modules, "lz4.block", None)
    with pytest.raises(UnsupportedError, match="lz4 needs a library") as caught:
        compress("lz4", b"x")
    assert "choose zstd" in str(caught.value.hint)
    with pytest.raises(UnsupportedError, match="lz4 needs a library"):
        decompress(PACKED["lz4"], limit=1)


@pytest.mark.parametrize("level", [1, 9, 19])
def test_zstd_looks_back_over_all_of_an_initramfs(level: int) -> None:
    once = random.Random(level).randbytes(3 << 20)
    packed = compress("zstd", once + bytes(5 << 20) + once, level)
    assert len(packed) < len(once) * 1.1
    assert decompress(packed, limit=1 << 30) == once + bytes(5 << 20) + once


def test_zstd_windows_stay_small_enough_to_boot_with() -> None:
    zstandard = pytest.importorskip("zstandard")
    parameters = zstandard.get_frame_parameters(compress("zstd", bytes(80 << 20), 9))
    assert parameters.window_size == 32 << 20
