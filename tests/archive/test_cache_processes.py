"""Several processes and threads at one cache, and killed ones."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import threading
from datetime import timedelta
from pathlib import Path
from unittest import mock

import pytest

import rdcompose.archive.cache
from rdcompose.archive.cache import Cache, Document
from tests.support.cache_worker import DATA, NAME, OLD, SHA256, store
from tests.support.caches import Filler, files, never, obtain
from tests.support.unmeasured import unmeasured

TOP = Path(__file__).parents[2]


class Worker:
    """A process of ``tests/support/cache_worker.py``."""

    def __init__(self, command: str, *arguments: object) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.cache_worker", command, *map(str, arguments)],
            cwd=TOP,
            env=unmeasured(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_error: object) -> None:
        self.process.kill()
        self.process.communicate()

    def hear(self) -> str:
        """Wait for what it says next."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().rstrip("\n")

    def go_on(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def end(self) -> list[str]:
        """Let it go on to its end; returns all that it says until then."""
        output, errors = self.process.communicate("\n\n", timeout=60)
        assert (self.process.returncode, errors) == (0, "")
        return output.splitlines()


def test_many_on_one_cold_cache_fetch_once(cache: Cache) -> None:
    with Worker("obtain-slowly", cache.directory) as first:
        assert first.hear() == "half"
        with (
            Worker("obtain", cache.directory) as second,
            Worker("obtain", cache.directory) as third,
        ):
            assert [second.hear(), third.hear()] == ["starts", "starts"]
            assert first.end() == ["uses", "right"]
            assert [second.end(), third.end()] == [["right"], ["right"]]
    assert files(cache) == {f"objects/{SHA256}/{NAME}"}


def test_a_waiting_one_goes_on_for_a_killed_one(cache: Cache) -> None:
    with Worker("obtain-slowly", cache.directory) as first:
        assert first.hear() == "half"
        with Worker("obtain", cache.directory) as second:
            assert second.hear() == "starts"
            first.process.kill()
            assert second.end() == ["fills", "right"]
    assert cache.find(SHA256, len(DATA)) is not None
    assert files(cache) == {f"objects/{SHA256}/{NAME}"}


def test_one_that_does_not_end_holds_nobody_up(cache: Cache) -> None:
    with Worker("obtain-slowly", cache.directory) as first:
        assert first.hear() == "half"
        with Worker("obtain", cache.directory) as second:
            assert second.hear() == "starts"
            first.go_on()
            assert first.hear() == "uses"
            # The first has the file in use now, for as long as it lives.
            assert second.end() == ["right"]
        assert first.end() == ["right"]


def test_waiting_can_be_interrupted(cache: Cache) -> None:
    with Worker("obtain-slowly", cache.directory) as first:
        assert first.hear() == "half"
        with Worker("obtain", cache.directory) as second:
            assert second.hear() == "starts"
            second.process.send_signal(signal.SIGINT)
            assert second.process.wait(timeout=60) == -signal.SIGINT
        assert first.end() == ["uses", "right"]


def test_threads_of_one_process_fetch_once(cache: Cache) -> None:
    fill = Filler()
    paths: list[Path] = []
    threads = [threading.Thread(target=lambda: paths.append(obtain(cache, fill))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert fill.found == [b""]
    assert set(paths) == {cache.directory / "objects" / SHA256 / NAME}
    assert len(paths) == 8


def test_threads_write_documents_at_once(cache: Cache) -> None:
    def write(number: int) -> None:
        for turn in range(20):
            cache.put_document(str(number), Document(b"%d" % turn * 1000, {}))
            cache.note_newest("date", OLD + timedelta(number, turn))

    threads = [threading.Thread(target=write, args=(number,)) for number in range(6)]
    with mock.patch.object(os, "fsync"):
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    for number in range(6):
        assert cache.document(str(number)) == Document(b"19" * 1000, {})
    assert cache.newest("date") == OLD + timedelta(5, 19)


def test_changes_exclude_each_other(cache: Cache) -> None:
    path = cache._files.make() / "lock"
    path.touch()
    with path.open("rb") as lock:
        with cache._files.changing(), pytest.raises(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_lock_that_was_removed_meanwhile_is_none(
    cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = fcntl.flock

    def removed(descriptor: int, operation: int) -> None:
        # Who had the lock until now gives it up, and removes the file.
        monkeypatch.undo()
        (cache.directory / "locks" / "name").unlink()
        real(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", removed)
    with (
        cache._files.locked("name"),
        pytest.raises(BlockingIOError),
        cache._files.locked("name", wait=False),
    ):
        pytest.fail("two have the same lock")


def test_cleaning_leaves_what_another_process_fills_and_uses(cache: Cache) -> None:
    store(cache, b"x", "x")
    with Worker("obtain-slowly", cache.directory) as other:
        assert other.hear() == "half"
        assert cache.clean() == (1, 1)
        assert [entry.size for entry in cache.partials()] == [5000]
        other.go_on()
        assert other.hear() == "uses"
        assert cache.clean() == (0, 0)
        cache.remove(SHA256)
        assert [entry.name for entry in cache.entries()] == [NAME]
        assert other.end() == ["right"]
    assert cache.clean() == (1, len(DATA))


def test_an_object_keeps_what_it_returned_until_it_is_gone(cache: Cache) -> None:
    other = Cache(cache.directory)
    path = store(other)
    assert cache.clean() == (0, 0)
    assert other.find(SHA256, len(DATA)) == path
    assert cache.clean() == (0, 0)
    del other
    assert cache.clean() == (1, len(DATA))


def test_what_another_replaced_meanwhile_is_not_removed(
    cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = store(cache)
    path.write_bytes(b"damaged")
    real = cache._files.remove_this

    def replaced(descriptor: int, there: Path) -> bool:
        # Another process finds the same damage, and is faster.
        monkeypatch.undo()
        Cache(cache.directory).obtain(SHA256, len(DATA), NAME, Filler())
        return real(descriptor, there)

    monkeypatch.setattr(
        type(cache._files), "remove_this", lambda _self, *arguments: replaced(*arguments)
    )
    assert cache.find(SHA256, len(DATA)) is None
    assert cache.obtain(SHA256, len(DATA), NAME, never).read_bytes() == DATA


def test_what_another_removed_meanwhile_is_not_found(
    cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(cache)
    looking = Cache(cache.directory)
    real = os.open

    def removed(path: Path, flags: int, mode: int = 0o777) -> int:
        # Another process cleans between the opening and the locking.
        descriptor = real(path, flags, mode)
        monkeypatch.undo()
        assert cache.clean() == (1, len(DATA))
        return descriptor

    monkeypatch.setattr(os, "open", removed)
    assert looking.find(SHA256, len(DATA)) is None


def test_what_goes_while_it_is_looked_for(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    path = store(cache)
    cache.remove(SHA256)
    monkeypatch.setattr(rdcompose.archive.cache, "listed", lambda _directory: [path])
    assert cache.find(SHA256, len(DATA)) is None
    cache.remove(SHA256)
    assert files(cache) == set()


def test_killed_at_any_moment_and_run_again(tmp_path: Path) -> None:
    with Worker("kill-everywhere", tmp_path, 7) as worker:
        [line] = worker.end()
    words = line.split()
    assert words[0] == "killed"
    assert int(words[1]) > 100
