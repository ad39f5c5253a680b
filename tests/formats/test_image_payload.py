"""rdcompose.formats.image_payload"""

from __future__ import annotations

import bz2
import gzip
import hashlib
import lzma
import sys
from typing import TYPE_CHECKING

import lz4.block
import pytest
import zstandard

from rdcompose.errors import FormatError, UnsupportedError
from rdcompose.formats.image_payload import candidates, compression_at, layers, unpack

if TYPE_CHECKING:
    from collections.abc import Callable

# Neither constant nor a count: damage anywhere must be seen.
PLAIN = b"".join(hashlib.sha256(b"%d" % n).digest() * 4 for n in range(1 << 14)) + b"end"


def lz4_legacy(data: bytes) -> bytes:
    blocks = []
    for start in range(0, len(data), 8 << 20):
        packed = lz4.block.compress(data[start : start + (8 << 20)], store_size=False)
        blocks.append(len(packed).to_bytes(4, "little") + packed)
    # The kernel's build appends the unpacked size.
    return b"\x02\x21\x4c\x18" + b"".join(blocks) + len(data).to_bytes(4, "little")


def lzma_alone(data: bytes) -> bytes:
    return lzma.compress(data, lzma.FORMAT_ALONE, preset=1)


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": lambda data: gzip.compress(data, 1, mtime=0),
    "xz": lambda data: lzma.compress(data, preset=0, check=lzma.CHECK_CRC32),
    "lzma": lzma_alone,
    "bzip2": lambda data: bz2.compress(data, 1),
    "zstd": lambda data: zstandard.ZstdCompressor(level=1).compress(data),
    "lz4": lz4_legacy,
}


@pytest.mark.parametrize("name", PACKERS)
def test_unpack_amid_other_bytes(name: str) -> None:
    data = b"code" + PACKERS[name](PLAIN) + b"\0" * 100
    assert compression_at(data, 4) == name
    pieces = list(unpack(data, 4, name))
    assert b"".join(pieces) == PLAIN
    assert max(map(len, pieces)) <= 8 << 20


@pytest.mark.parametrize("name", PACKERS)
def test_bomb_is_bounded(name: str) -> None:
    bomb = PACKERS[name](bytes(40 << 20))
    with pytest.raises(FormatError, match=r"over \d+ bytes"):
        list(unpack(bomb, 0, name, limit=10_000_000))


@pytest.mark.parametrize("name", ["gzip", "xz", "bzip2", "lzma", "zstd"])
def test_damage(name: str) -> None:
    packed = bytearray(PACKERS[name](PLAIN))
    middle = len(packed) // 2
    packed[middle : middle + 64] = b"\xff" * 64
    with pytest.raises(FormatError, match="damaged"):
        list(unpack(bytes(packed), 0, name))


@pytest.mark.parametrize("name", ["gzip", "xz", "bzip2", "lzma", "zstd"])
def test_cut(name: str) -> None:
    with pytest.raises(FormatError, match=r"is cut|cut short"):
        list(unpack(PACKERS[name](PLAIN)[:-20], 0, name))


def test_lz4_block_that_is_no_lz4() -> None:
    with pytest.raises(FormatError, match="lz4 data at offset 0 is damaged"):
        list(unpack(b"\x02\x21\x4c\x18" + b"\4\0\0\0" + b"\xff\xff\xff\xff", 0, "lz4"))


def test_lz4_that_is_cut_ends() -> None:
    # The format has no end mark: what is there is given, a cut block is not.
    packed = lz4_legacy(PLAIN)
    assert list(unpack(packed[:-10], 0, "lz4")) == []
    assert list(unpack(packed[:4], 0, "lz4")) == []


def test_lz4_without_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lz4.block", None)
    with pytest.raises(UnsupportedError, match="lz4") as caught:
        list(unpack(lz4_legacy(b"x"), 0, "lz4"))
    assert caught.value.hint == "install rdcompose with its extra: rdcompose[lz4]"


def test_lzo_is_known_but_not_unpacked() -> None:
    data = b"\x89LZO\0\r\n\x1a\n"
    assert compression_at(data, 0) == "lzo"
    with pytest.raises(UnsupportedError, match="LZO"):
        list(unpack(data, 0, "lzo"))


@pytest.mark.parametrize(
    "header",
    [
        b"\x5d\0\0\x12\x34" + b"\xff" * 8,
        b"\x5d\0\0\x10\0" + b"\xff" * 7 + b"\x7f",
        b"\x5d\0\0",
    ],
    ids=["dictionary", "size", "cut"],
)
def test_lzma_headers_that_are_chance(header: bytes) -> None:
    assert compression_at(header, 0) is None


def test_candidates_are_bounded_and_ordered() -> None:
    data = b"\x1f\x8b\x08" * 5 + b"\xfd7zXZ\0" * 2 + b"\x5d\0\0\0\x34"
    assert list(candidates(data, 1, 2)) == [("xz", 15), ("xz", 21), ("gzip", 3), ("gzip", 6)]


def test_hits_that_are_no_headers_are_bounded_too() -> None:
    stream = lzma_alone(b"x")
    assert list(candidates(b"\x5d\0\0" * 9000 + stream, 0, 3)) == [("lzma", 27000)]
    assert list(candidates(b"\x5d\0\0" * 10000 + stream, 0, 3)) == []


def test_nothing_known() -> None:
    assert compression_at(b"plain", 0) is None
    assert compression_at(b"", 7) is None


def test_layers_are_the_data_and_all_that_unpacks() -> None:
    data = b"code\x1f\x8b\x08no gzip" + PACKERS["zstd"](PLAIN) + PACKERS["xz"](b"config") + b"end"
    assert list(layers(data)) == [data, b"config", PLAIN]
    assert list(layers(b"plain")) == [b"plain"]
