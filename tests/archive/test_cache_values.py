"""Values come back as they were put, or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rdcompose.archive.cache_files import CacheDirectory
from rdcompose.archive.cache_prepared import PreparedFiles
from rdcompose.archive.cache_values import CachedValues

VALUE = b"value\n" * 1000


@pytest.fixture
def directory(tmp_path: Path) -> CacheDirectory:
    return CacheDirectory(tmp_path / "cache")


def values(directory: CacheDirectory, kind: str = "kind") -> CachedValues:
    return CachedValues(PreparedFiles(directory), kind)


def test_values_come_back_by_kind_and_key(directory: CacheDirectory) -> None:
    store = values(directory)
    assert store.get("key") is None
    store.put("key", VALUE)
    store.put("empty", b"")
    assert values(directory).get("key") == VALUE
    assert store.get("empty") == b""
    assert store.get("other") is None
    assert values(directory, "another").get("key") is None
    store.put("key", b"new")
    assert store.get("key") == b"new"


@pytest.mark.parametrize("at", [4, 20, 36, 2000, -1])
def test_a_damaged_value_is_none(directory: CacheDirectory, at: int) -> None:
    store = values(directory)
    store.put("key", VALUE)
    [path] = (directory.path / "prepared").iterdir()
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(bytes(data))
    assert store.get("key") is None
    os.truncate(path, len(data) // 2)
    assert store.get("key") is None
    store.put("key", VALUE)
    assert store.get("key") == VALUE


def test_without_a_directory_nothing_is_kept() -> None:
    store = values(CacheDirectory(Path(os.devnull) / "cache"))
    store.put("key", VALUE)
    assert store.get("key") is None
