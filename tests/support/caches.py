"""Work on a cache, for its tests."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from rdcompose.errors import FetchError
from tests.support.cache_worker import DATA, NAME, SHA256, append

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from rdcompose.archive.cache import Cache


def never(_partial: Path) -> None:
    """Fill for a file that must not be asked for."""
    pytest.fail("what is in the cache was fetched again")


class Filler:
    """Completes a file as a download does, and notes what it found each time."""

    def __init__(self, data: bytes = DATA, *, fail_at: int | None = None) -> None:
        self.data = data
        self.fail_at = fail_at
        self.found: list[bytes] = []

    def __call__(self, partial: Path) -> None:
        self.found.append(partial.read_bytes())
        append(partial, self.data[: self.fail_at])
        if self.fail_at is not None:
            raise FetchError("cut")


def obtain(cache: Cache, fill: Filler) -> Path:
    return cache.obtain(SHA256, len(DATA), NAME, fill)


def begin(cache: Cache, data: bytes) -> None:
    """Leave a partial file, as a run that was killed does."""
    (cache.directory / "partial").mkdir(parents=True)
    (cache.directory / "partial" / SHA256).write_bytes(data)


def set_used(path: Path, used: datetime) -> None:
    os.utime(path, (used.timestamp(), used.timestamp()))


def files(cache: Cache) -> set[str]:
    """What lies in the directory, without what keeps processes apart."""
    found = {
        path.relative_to(cache.directory).as_posix()
        for path in cache.directory.rglob("*")
        if path.is_file()
    }
    return found - {"lock"}
