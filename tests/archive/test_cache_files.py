"""A file system that refuses: no rights, no room, no locks."""

from __future__ import annotations

import errno
import os
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rdcompose.archive.cache import Cache, Document
from rdcompose.errors import OutputError
from tests.support.cache_worker import DATA, NAME, NEW, OLD, SHA256, append, store
from tests.support.caches import Filler, files, never, obtain
from tests.support.unmeasured import run_limited

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def bound_by_modes() -> Iterator[Path]:
    """A directory in which this process may only do what modes say, also if root runs it."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        with tempfile.TemporaryDirectory() as name:
            yield Path(name)
    finally:
        if root:
            os.seteuid(0)


def set_modes(directory: Path, mode: int) -> None:
    for path in (directory, *directory.rglob("*")):
        if path.is_dir():
            path.chmod(mode)


def test_a_directory_that_cannot_be_written(bound_by_modes: Path) -> None:
    directory = bound_by_modes / "cache"
    cache = Cache(directory)
    path = store(cache)
    cache.put_document("key", Document(b"data", {}))
    cache.note_newest("key", NEW)
    set_modes(directory, 0o555)
    try:
        # What is there serves.
        assert cache.find(SHA256, len(DATA)) == path
        assert cache.obtain(SHA256, len(DATA), NAME, never) == path
        assert cache.document("key") == Document(b"data", {})
        cache.note_newest("key", OLD)
        cache.note_newest("key", NEW)
        assert cache.newest("key") == NEW
        assert len(cache.entries()) == 1
        # What is not is one clear error.
        for write in (
            lambda: store(cache, b"x", "x"),
            lambda: cache.put_document("other", Document(b"", {})),
            lambda: cache.note_newest("key", NEW + timedelta(1)),
            lambda: cache.remove(SHA256),
            cache.clean,
        ):
            with pytest.raises(OutputError) as caught:
                write()
            assert caught.value.message == f"cannot use the cache {directory}: Permission denied"
            assert "--cache" in str(caught.value.hint)
        # A damaged file is not used, though it cannot be removed.
        path.write_bytes(b"damaged")
        assert cache.find(SHA256, len(DATA)) is None
    finally:
        set_modes(directory, 0o755)


def test_a_directory_that_cannot_be_read(bound_by_modes: Path) -> None:
    cache = Cache(bound_by_modes / "cache")
    store(cache)
    cache.directory.chmod(0)
    try:
        for read in (
            lambda: cache.find(SHA256, len(DATA)),
            lambda: cache.document("key"),
            cache.entries,
            cache.clean,
        ):
            with pytest.raises(OutputError, match=r"cannot use the cache .*: Permission denied"):
                read()
    finally:
        cache.directory.chmod(0o700)


def test_files_of_another_user_can_be_used(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    path = store(cache)

    def refuse(_path: object) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "utime", refuse)
    assert Cache(cache.directory).find(SHA256, len(DATA)) == path


def test_a_file_system_without_locks_can_be_read(
    cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = store(cache)

    def refuse(_descriptor: int, _operation: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("fcntl.flock", refuse)
    assert Cache(cache.directory).find(SHA256, len(DATA)) == path
    with pytest.raises(OutputError, match=r"cannot use the cache .*: No locks available"):
        store(cache, b"x", "x")


def test_a_file_in_place_of_the_directory(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    cache = Cache(tmp_path / "file")
    with pytest.raises(OutputError, match=r"cannot use the cache .*/file: Not a directory"):
        cache.find(SHA256, 1)
    with pytest.raises(OutputError, match=r"cannot use the cache .*/file: "):
        cache.put_document("key", Document(b"", {}))


def test_a_full_disk(cache: Cache) -> None:
    def fill(partial: Path) -> None:
        append(partial, DATA[:5000])
        with Path("/dev/full").open("wb", buffering=0) as full:
            full.write(b"x")

    with pytest.raises(OutputError) as caught:
        cache.obtain(SHA256, len(DATA), NAME, fill)
    assert (
        caught.value.message == f"cannot use the cache {cache.directory}: No space left on device"
    )
    assert "--cache" in str(caught.value.hint)
    assert obtain(cache, later := Filler()).read_bytes() == DATA
    assert later.found == [DATA[:5000]]


def test_a_fill_that_says_why_it_cannot_write(cache: Cache) -> None:
    def fill(_partial: Path) -> None:
        raise OutputError("cannot write x: No space left on device")

    with pytest.raises(OutputError, match="cannot write x") as caught:
        cache.obtain(SHA256, len(DATA), NAME, fill)
    assert "--cache" in str(caught.value.hint)


def test_other_errors_of_a_fill_are_not_the_caches(cache: Cache) -> None:
    def fill(_partial: Path) -> None:
        raise ConnectionResetError(errno.ECONNRESET, "reset")

    with pytest.raises(ConnectionResetError):
        cache.obtain(SHA256, len(DATA), NAME, fill)


@pytest.mark.parametrize("size", [0, 100, 5000])
def test_files_that_cannot_grow(cache: Cache, size: int) -> None:
    done = run_limited(["-m", "tests.support.cache_worker", "write-all", cache.directory], size)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    # The last is small enough for some of the limits.
    fitting = 1 if size == 5000 else 0
    assert lines.count("done") == fitting
    for line in lines[: 3 - fitting]:
        assert line.startswith(f"OutputError: cannot use the cache {cache.directory}: File too lar")
        assert "--cache" in line
    assert cache.find(SHA256, len(DATA)) is None
    assert cache.document("key") is None
    assert {name.partition("/")[0] for name in files(cache)} <= {"partial", "newest"}
    assert obtain(cache, Filler()).read_bytes() == DATA
