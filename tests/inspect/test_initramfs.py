from __future__ import annotations

import bz2
import gzip
import lzma
import random
from typing import TYPE_CHECKING, Final

import pytest

from rdcompose.errors import FormatError, UnsupportedError
from rdcompose.formats.compression import compress
from rdcompose.inspect.initramfs import is_initramfs, read_initramfs
from tests.support.artifacts import cpio, tree_of

if TYPE_CHECKING:
    from collections.abc import Callable

MICROCODE: Final = cpio(tree_of({"kernel/x86/microcode/GenuineIntel.bin": b"code"}))
MAIN: Final = cpio(tree_of({"init": (0o755, b"#!/bin/sh"), "etc/x": b"x"}))

PACKERS: Final[dict[str, Callable[[bytes], bytes]]] = {
    "gzip": lambda data: gzip.compress(data, mtime=0),
    "bzip2": bz2.compress,
    "lzma": lambda data: lzma.compress(data, lzma.FORMAT_ALONE),
    "xz": lambda data: compress("xz", data, 1),
    "zstd": lambda data: compress("zstd", data, 1),
    "lz4": lambda data: compress("lz4", data, 1),
    "none": lambda data: data,
}


@pytest.mark.parametrize("name", PACKERS)
def test_every_compressor_behind_microcode(name: str) -> None:
    packed = PACKERS[name](MAIN)
    data = MICROCODE + packed
    assert is_initramfs(data)
    found, problem = read_initramfs(data)
    assert problem is None
    assert [(s.offset, s.compression) for s in found.segments] == [
        (0, "none"),
        (len(MICROCODE), name),
    ]
    assert {entry.path for entry in found.contents.tree} >= {"init", "etc/x", "kernel/x86"}
    assert not found.only_microcode
    assert {segment.refused for segment in found.segments} == {None}


@pytest.mark.parametrize("name", PACKERS)
def test_recognised_by_what_is_packed(name: str) -> None:
    assert is_initramfs(PACKERS[name](MAIN))
    assert is_initramfs(bytes(512) + PACKERS[name](MAIN))
    if name != "none":
        assert not is_initramfs(PACKERS[name](b"something else" * 99))


def test_what_is_none() -> None:
    for data in (b"", b"text", bytes(100), b"MZ"):
        assert not is_initramfs(data)
    with pytest.raises(FormatError, match="damaged"):
        is_initramfs(b"\x1f\x8b\x08\0" + b"\xff" * 99)


@pytest.mark.parametrize("name", sorted(PACKERS.keys() - {"none", "zstd", "lz4"}))
def test_no_more_is_unpacked_than_shows_what_it_is(name: str) -> None:
    assert is_initramfs(PACKERS[name](MAIN + random.Random(0).randbytes(2 << 20))[:-999])


@pytest.mark.parametrize(
    ("start", "why"),
    [(b"\x89LZO\0\r\n", "packed with lzo"), (b"\x04\x22\x4d\x18d", r"the old form \(lz4 -l\)")],
)
def test_packed_with_what_is_not_unpacked(start: bytes, why: str) -> None:
    with pytest.raises(UnsupportedError, match=why):
        is_initramfs(start + bytes(99))


def test_only_microcode() -> None:
    found, _ = read_initramfs(MICROCODE)
    assert found.only_microcode


def test_several_archives_in_one_compressed_segment() -> None:
    data = gzip.compress(MICROCODE + bytes(512) + MAIN)
    found, problem = read_initramfs(data)
    assert problem is None
    assert len(found.segments) == 1
    assert "init" in found.contents.tree


def test_what_can_be_read_of_a_damaged_one() -> None:
    data = MAIN + gzip.compress(cpio(tree_of({"more": b"x"})))[:-15]
    found, problem = read_initramfs(data)
    assert problem == "the gzip data is cut short"
    assert "init" in found.contents.tree
    # What was unpacked before the end is there.
    assert "more" in found.contents.tree


def test_rubbish_behind_it() -> None:
    found, problem = read_initramfs(MAIN + b"rubbish\n")
    assert problem is not None
    assert "neither a cpio archive nor a known compression" in problem
    assert len(found.segments) == 1


def test_xz_with_a_check_that_the_kernel_does_not_know() -> None:
    # What lzma.compress() and xz do when they are not told.
    found, _ = read_initramfs(lzma.compress(MAIN))
    assert "--check=crc32" in str(found.segments[0].refused)
    found, _ = read_initramfs(lzma.compress(MAIN, check=lzma.CHECK_NONE))
    assert found.segments[0].refused is None


def test_sizes() -> None:
    [segment] = read_initramfs(gzip.compress(MAIN))[0].segments
    assert segment.unpacked == len(MAIN)


def test_more_entries_than_anyone_boots(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rdcompose.inspect.initramfs.MAX_ENTRIES", 3)
    found, problem = read_initramfs(MAIN)
    assert problem is None
    found, problem = read_initramfs(MAIN + MAIN)
    assert problem == "it has more than 3 entries"
    assert "init" in found.contents.tree
