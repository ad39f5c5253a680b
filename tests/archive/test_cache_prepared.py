"""Files that save work are whole or not there, and nothing about them fails."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock

import pytest

from rdcompose.archive.cache import Cache
from rdcompose.archive.cache_files import CacheDirectory
from rdcompose.archive.cache_prepared import PreparedFiles

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

KEY = "a" * 64
DATA = bytes(range(256)) * 5000


@pytest.fixture
def files(tmp_path: Path) -> PreparedFiles:
    return PreparedFiles(CacheDirectory(tmp_path / "cache"))


def put(files: PreparedFiles, key: str = KEY, data: bytes = DATA, name: str = "6.1") -> None:
    new = files.begin(key, name)
    assert new is not None
    with new:
        new.write(data)
        new.publish()


def listing(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in (tmp_path / "cache" / "prepared").iterdir())


def content(files: PreparedFiles, key: str = KEY) -> bytes | None:
    found = files.find(key)
    return None if found is None else found.read(0, found.size)


def test_what_was_published_is_found(files: PreparedFiles) -> None:
    assert files.find(KEY) is None
    put(files)
    found = files.find(KEY)
    assert found is not None
    assert found.size == len(DATA)
    assert found.read(0, len(DATA)) == DATA
    assert found.read(100, 50) == DATA[100:150]
    assert found.read(len(DATA) - 3, 50) == DATA[-3:]
    assert found.read(len(DATA), 1) == b""


def test_parts_are_written_in_their_order(files: PreparedFiles) -> None:
    put(files)
    old = files.find(KEY)
    new = files.begin(KEY, "6.1")
    assert old is not None
    assert new is not None
    new.append(old, old.size)
    new.write(b"one", b"two")
    offset = new.size - 6
    assert new.read(offset, 6) == b"onetwo"
    new.publish()
    assert content(files) == DATA + b"onetwo"
    again = files.begin(KEY, "6.1")
    assert again is not None
    with again, pytest.raises(OSError, match="ends early"):
        again.append(old, old.size + 1)
    assert old.read(0, old.size) == DATA


def test_a_write_that_takes_a_part_is_gone_on_with(files: PreparedFiles) -> None:
    pieces = [bytes([number % 251]) * (number % 7) for number in range(3000)]
    written = os.writev

    def short(descriptor: int, views: Sequence[memoryview]) -> int:
        return written(descriptor, [b"".join(views)[:1001]])

    new = files.begin(KEY, "6.1")
    assert new is not None
    with mock.patch.object(os, "writev", side_effect=short):
        new.write(*pieces)
    assert new.size == len(b"6.1\n") + len(b"".join(pieces))
    new.publish()
    assert content(files) == b"".join(pieces)


def test_nothing_is_seen_before_it_is_published(files: PreparedFiles, tmp_path: Path) -> None:
    put(files, data=b"old")
    new = files.begin(KEY, "6.1")
    assert new is not None
    new.write(DATA)
    assert content(files) == b"old"
    new.abandon()
    assert content(files) == b"old"
    assert listing(tmp_path) == [KEY]


def test_only_one_writes_a_file_at_a_time(files: PreparedFiles) -> None:
    first = files.begin(KEY, "6.1")
    assert first is not None
    assert files.begin(KEY, "6.1") is None
    first.write(DATA)
    first.publish()
    assert content(files) == DATA
    put(files, data=b"next")
    assert content(files) == b"next"


def test_what_a_killed_process_left_is_written_over_or_removed(
    files: PreparedFiles, tmp_path: Path
) -> None:
    put(files)
    left = tmp_path / "cache" / "prepared" / f"{KEY}.new"
    left.write_bytes(DATA * 3)
    put(files, data=b"short")
    assert content(files) == b"short"
    left.write_bytes(DATA)
    files.trim()
    assert listing(tmp_path) == [KEY]


def test_names_have_one_line(files: PreparedFiles) -> None:
    put(files, name="a\nb" + "c" * 5000)
    [(name, _path)] = files.files()
    assert name.startswith("a bccc")
    assert content(files) == DATA


def test_what_was_used_last_stays(files: PreparedFiles, tmp_path: Path) -> None:
    for number, key in enumerate("cab"):
        put(files, key=key * 64)
        os.utime(tmp_path / "cache" / "prepared" / (key * 64), (number, number))
    reading = files.find("c" * 64)
    assert reading is not None
    files.trim(limit=2 * len(DATA) + 100)
    assert listing(tmp_path) == ["b" * 64, "c" * 64]
    files.trim(limit=0)
    # It is being read.
    assert listing(tmp_path) == ["c" * 64]
    assert reading.read(0, len(DATA)) == DATA
    reading.close()
    files.trim(limit=0)
    assert listing(tmp_path) == []


def test_what_is_discarded_is_gone(files: PreparedFiles) -> None:
    put(files)
    files.discard(KEY)
    files.discard(KEY)
    assert files.find(KEY) is None


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO, errno.EDQUOT])
def test_a_full_disk_leaves_nothing(files: PreparedFiles, tmp_path: Path, error: int) -> None:
    put(files, data=b"old")
    new = files.begin(KEY, "6.1")
    assert new is not None
    with (
        mock.patch.object(os, "writev", side_effect=OSError(error, "no")),
        new,
        pytest.raises(OSError, match="no"),
    ):
        new.write(DATA)
    assert listing(tmp_path) == [KEY]
    with mock.patch.object(os, "writev", side_effect=OSError(error, "no")):
        assert files.begin(KEY, "6.1") is None
    assert content(files) == b"old"


def test_a_disk_that_is_nearly_full_is_left_alone(files: PreparedFiles, tmp_path: Path) -> None:
    def state(free: int) -> os.statvfs_result:
        return os.statvfs_result((4096, 4096, 1000, free, free, 0, 0, 0, 0, 255))

    def states() -> Iterator[os.statvfs_result]:
        yield state(500)
        while True:
            yield state(50)

    with mock.patch.object(os, "fstatvfs", side_effect=states()):
        new = files.begin(KEY, "6.1")
        assert new is not None
        with new, pytest.raises(OSError, match="too little"):
            new.write(DATA)
        assert files.begin(KEY, "6.1") is None
    assert listing(tmp_path) == []


def test_of_a_large_disk_a_small_part_is_enough(files: PreparedFiles) -> None:
    def state(free: int) -> os.statvfs_result:
        blocks = 10**12 // 4096
        return os.statvfs_result((4096, 4096, blocks, free, free // 4096, 0, 0, 0, 0, 255))

    with mock.patch.object(os, "fstatvfs", return_value=state(6 * 10**9)):
        put(files)
    assert content(files) == DATA
    with mock.patch.object(os, "fstatvfs", return_value=state(5 * 10**9)):
        assert files.begin(KEY, "6.1") is None


def test_without_a_directory_nothing_is_kept() -> None:
    files = PreparedFiles(CacheDirectory(Path(os.devnull) / "cache"))
    assert files.begin(KEY, "6.1") is None
    assert files.find(KEY) is None
    files.discard(KEY)
    files.trim()


def test_a_directory_that_cannot_be_written_is_read(files: PreparedFiles) -> None:
    put(files)
    refused = PermissionError(errno.EROFS, "read-only")
    with (
        mock.patch.object(os, "utime", side_effect=refused),
        mock.patch.object(fcntl, "flock", side_effect=refused),
        mock.patch.object(os, "ftruncate", side_effect=refused),
        mock.patch.object(Path, "unlink", side_effect=refused),
    ):
        assert content(files) == DATA
        assert files.begin("b" * 64, "6.1") is None
        files.discard(KEY)
    assert content(files) == DATA


def test_a_link_is_no_file_of_the_cache(files: PreparedFiles, tmp_path: Path) -> None:
    put(files)
    (tmp_path / "cache" / "prepared" / ("b" * 64)).symlink_to(KEY)
    (tmp_path / "cache" / "prepared" / f"{'c' * 64}.new").symlink_to(KEY)
    assert files.find("b" * 64) is None
    assert files.begin("c" * 64, "6.1") is None
    assert content(files) == DATA


def test_a_cache_shows_and_cleans_them(files: PreparedFiles, tmp_path: Path) -> None:
    put(files)
    cache = Cache(tmp_path / "cache")
    [entry] = cache.prepared()
    assert (entry.name, entry.sha256, entry.size) == ("6.1", "", len(DATA) + len("6.1\n"))
    new = files.begin("b" * 64, "6.2")
    assert new is not None
    assert cache.clean() == (1, entry.size)
    # It is being written.
    assert [entry.name for entry in cache.prepared()] == ["6.2"]
    new.abandon()
    assert cache.prepared() == []
