"""Blocks come back as they were put, or not at all."""

from __future__ import annotations

import os
import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock

import pytest

from rdcompose.archive import cache_blocks
from rdcompose.archive.cache_blocks import CachedBlocks
from rdcompose.archive.cache_files import CacheDirectory
from rdcompose.archive.cache_prepared import PreparedFiles

if TYPE_CHECKING:
    from collections.abc import Sequence

KEY = "b" * 64
SOME, OTHER, ONE, TWO = [word.encode().ljust(32) for word in ("key", "other", "one", "two")]
RANDOM = random.Random(7)
BLOCKS = {bytes([number]) * 32: RANDOM.randbytes(1000 + number) for number in range(20)}


@pytest.fixture
def files(tmp_path: Path) -> PreparedFiles:
    return PreparedFiles(CacheDirectory(tmp_path / "cache"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "prepared" / KEY


def keep(files: PreparedFiles, blocks: dict[bytes, bytes] = BLOCKS) -> None:
    with CachedBlocks(files, KEY, "6.1") as store:
        for key, block in blocks.items():
            store.put(key, block)


def kept(files: PreparedFiles) -> dict[bytes, bytes]:
    with CachedBlocks(files, KEY, "6.1") as store:
        found = {key: store.get(key) for key in BLOCKS}
    return {key: block for key, block in found.items() if block is not None}


def test_blocks_come_back(files: PreparedFiles) -> None:
    assert kept(files) == {}
    keep(files)
    assert kept(files) == BLOCKS


def test_a_block_comes_back_at_once(files: PreparedFiles) -> None:
    with CachedBlocks(files, KEY, "6.1") as store:
        store.put(SOME, b"block")
        store.put(SOME, b"another")
        assert store.get(SOME) == b"block"
        assert store.get(OTHER) is None


def test_new_blocks_are_added_to_those_there_are(files: PreparedFiles) -> None:
    some = dict(list(BLOCKS.items())[:7])
    keep(files, some)
    assert kept(files) == some
    keep(files)
    assert kept(files) == BLOCKS


def test_nothing_new_writes_nothing(files: PreparedFiles, path: Path) -> None:
    keep(files)
    before = path.stat().st_ino
    keep(files)
    assert path.stat().st_ino == before


def test_after_an_error_nothing_new_is_there(files: PreparedFiles, path: Path) -> None:
    def interrupted() -> None:
        with CachedBlocks(files, KEY, "6.1") as store:
            store.put(SOME, b"block")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(path.parent.iterdir()) == []


def test_any_threads_use_it(files: PreparedFiles) -> None:
    with CachedBlocks(files, KEY, "6.1") as store, ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda item: store.put(*item), [*BLOCKS.items()] * 5))
        assert list(pool.map(store.get, BLOCKS)) == list(BLOCKS.values())
    assert kept(files) == BLOCKS


def test_a_damaged_block_is_none(files: PreparedFiles, path: Path) -> None:
    keep(files)
    whole = path.read_bytes()
    for block in BLOCKS.values():
        at = whole.index(block) + 500
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        expected = {key: other for key, other in BLOCKS.items() if other != block}
        assert kept(files) == expected


@pytest.mark.parametrize("size", [0, 1, 4, 30, 60, 1500, 20_000])
def test_a_cut_file_has_what_is_whole(files: PreparedFiles, path: Path, size: int) -> None:
    keep(files)
    os.truncate(path, size)
    found = kept(files)
    assert found.items() <= BLOCKS.items()
    keep(files)
    assert kept(files) == BLOCKS


@pytest.mark.parametrize(
    "data", [b"", b"\xff" * 5000, RANDOM.randbytes(5000), b"6.1\n" + b"\0" * 5000]
)
def test_a_foreign_file_has_no_blocks(files: PreparedFiles, path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True)
    path.write_bytes(data)
    assert kept(files) == {}
    keep(files)
    assert kept(files) == BLOCKS


def test_a_file_that_is_too_large_begins_again(
    files: PreparedFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(files)
    monkeypatch.setattr(cache_blocks, "MAX_SIZE", 1000)
    keep(files, {SOME: b"block"})
    assert kept(files) == {}


def test_a_full_disk_keeps_nothing_and_stops_nobody(files: PreparedFiles) -> None:
    keep(files, dict(list(BLOCKS.items())[:3]))
    written = os.writev
    left = 6000

    def write(descriptor: int, data: Sequence[memoryview]) -> int:
        nonlocal left
        left -= sum(map(len, data))
        if left < 0:
            raise OSError("full")
        return written(descriptor, data)

    with mock.patch.object(os, "writev", side_effect=write):
        keep(files)
    assert len(kept(files)) == 3


def test_without_a_directory_nothing_is_kept() -> None:
    files = PreparedFiles(CacheDirectory(Path(os.devnull) / "cache"))
    with CachedBlocks(files, KEY, "6.1") as store:
        store.put(SOME, b"block")
        assert store.get(SOME) is None


def test_while_another_process_writes_nothing_is_kept(files: PreparedFiles) -> None:
    with CachedBlocks(files, KEY, "6.1") as first, CachedBlocks(files, KEY, "6.1") as second:
        first.put(ONE, b"block")
        second.put(TWO, b"block")
        assert second.get(TWO) is None
    with CachedBlocks(files, KEY, "6.1") as third:
        assert third.get(ONE) == b"block"
