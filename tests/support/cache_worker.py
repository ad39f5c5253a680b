"""A process that uses a cache, for tests of several at once and of killed ones.

``python -m tests.support.cache_worker COMMAND DIRECTORY …``. It says on standard output what it
does, and goes on at a line from standard input where a test must come between.
"""

from __future__ import annotations

import hashlib
import os
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from unittest import mock

from rdcompose.archive.cache import Cache, Document
from rdcompose.archive.cache_blocks import CachedBlocks
from rdcompose.archive.cache_files import CacheDirectory
from rdcompose.archive.cache_prepared import PreparedFiles
from rdcompose.archive.cache_values import CachedValues
from rdcompose.errors import RdcomposeError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

DATA: Final = bytes(range(256)) * 40
SHA256: Final = hashlib.sha256(DATA).hexdigest()
OTHER: Final = b"another file"
NAME: Final = "file.deb"
OLD: Final = datetime(2025, 1, 1, tzinfo=UTC)
NEW: Final = datetime(2026, 1, 1, tzinfo=UTC)


def say(text: str) -> None:
    """Tell the test how far this process is."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def pause(text: str) -> None:
    """Tell the test, and wait for it."""
    say(text)
    sys.stdin.readline()


def append(partial: Path, data: bytes, *, step: int = 4000) -> None:
    """Complete a partial file as a download does: piece by piece, going on where it ends."""
    with partial.open("ab", buffering=0) as out:
        for start in range(out.tell(), len(data), step):
            out.write(data[start : start + step])


def store(cache: Cache, data: bytes = DATA, name: str = NAME) -> Path:
    """Put a file into a cache."""
    digest = hashlib.sha256(data).hexdigest()
    return cache.obtain(digest, len(data), name, lambda partial: append(partial, data))


def obtain(directory: Path) -> None:
    """Obtain a file, and say what was done for it."""
    say("starts")

    def fill(partial: Path) -> None:
        say("fills")
        append(partial, DATA)

    path = Cache(directory).obtain(SHA256, len(DATA), NAME, fill)
    say("right" if path.read_bytes() == DATA else "wrong")


def obtain_slowly(directory: Path) -> None:
    """Obtain a file with a pause when half of it is there, and one while it is used."""

    def fill(partial: Path) -> None:
        append(partial, DATA[:5000])
        pause("half")
        append(partial, DATA)

    cache = Cache(directory)
    path = cache.obtain(SHA256, len(DATA), NAME, fill)
    pause("uses")
    say("right" if path.read_bytes() == DATA else "wrong")


def write_all(directory: Path) -> None:
    """Write something of each kind; every error is said."""
    cache = Cache(directory)
    actions: list[Callable[[], Any]] = [
        lambda: store(cache),
        lambda: cache.put_document("key", Document(DATA, {})),
        lambda: cache.note_newest("key", NEW),
    ]
    for action in actions:
        try:
            action()
            say("done")
        except RdcomposeError as error:
            say(f"{type(error).__name__}: {error.message}; {error.hint}")


def change_all(cache: Cache) -> None:
    """Do all that changes a cache, but the cleaning."""
    keep_prepared(cache)
    cache.put_document("key", Document(b"second", {"etag": "2"}))
    cache.note_newest("key", NEW)
    store(cache).write_bytes(b"damaged")
    store(cache)
    store(cache, OTHER, "other")
    cache.remove(hashlib.sha256(OTHER).hexdigest())


def keep_prepared(cache: Cache) -> None:
    """Put what saves work, in the place of an earlier one."""
    files = PreparedFiles(CacheDirectory(cache.directory))
    values = CachedValues(files, "worker")
    # Whatever was there before, it is whole.
    assert values.get("key") in (None, DATA, OTHER)
    values.put("key", DATA)
    values.put("key", OTHER)
    assert values.get("key") == OTHER
    with CachedBlocks(files, "blocks", "worker") as blocks:
        assert blocks.get(b"k" * 32) in (None, DATA)
        blocks.put(b"k" * 32, DATA)
        assert blocks.get(b"k" * 32) == DATA


def check(directory: Path) -> None:
    """Check that a cache is whole, wherever a process that used it was killed."""
    cache = Cache(directory)
    document = cache.document("key")
    if document is None:  # the last that cleaning removes
        assert (cache.entries(), cache.partials()) == ([], [])
    else:
        assert (document.data, document.meta) in (
            (b"first", {"etag": "1"}),
            (b"second", {"etag": "2"}),
        )
    assert cache.newest("key") in (OLD, NEW)
    if (path := cache.find(SHA256, len(DATA))) is not None:
        assert path.read_bytes() == DATA
    change_all(cache)
    assert cache.document("key") == Document(b"second", {"etag": "2"})
    assert cache.newest("key") == NEW
    entries = {entry.name: entry.size for entry in cache.entries()}
    assert entries == {NAME: len(DATA)}
    assert cache.partials() == []
    cache.clean()
    left = {path.relative_to(directory).parts[0] for path in directory.rglob("*") if path.is_file()}
    assert left == {"lock", "newest"}, left


def kill_everywhere(directory: Path, step: int) -> None:
    """Kill a process before every so many of the lines it runs; check each time what is left."""
    line = step
    # What was written is there after a kill without it, and it takes most of the time.
    with mock.patch.object(os, "fsync"):
        while _killed(directory / str(line), line):
            line += step
    say(f"killed {line // step - 1} times")


def _killed(directory: Path, line: int) -> bool:
    """Kill a process before a line; returns whether it ran so many."""
    cache = Cache(directory)
    cache.put_document("key", Document(b"first", {"etag": "1"}))
    cache.note_newest("key", OLD)
    child = os.fork()
    if child == 0:
        _die_before(line)
        change_all(cache)
        cache.clean()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    check(directory)
    return os.WIFSIGNALED(status)


def _die_before(line: int) -> None:
    """Kill this process before the given of all lines that it runs of the cache or of this."""
    left = line

    def trace(frame: FrameType, event: str, _argument: object) -> Callable[..., Any] | None:
        nonlocal left
        name = frame.f_code.co_filename
        if "cache" not in name.rpartition("/")[2]:
            return None
        if event == "line":
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return trace

    sys.settrace(trace)


if __name__ == "__main__":
    COMMANDS: Final[dict[str, Callable[[Path], None]]] = {
        "obtain": obtain,
        "obtain-slowly": obtain_slowly,
        "write-all": write_all,
        "kill-everywhere": lambda directory: kill_everywhere(directory, int(sys.argv[3])),
    }
    COMMANDS[sys.argv[1]](Path(sys.argv[2]))
