"""Completes a file of the cache from whatever an earlier run has left of it."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import os
from typing import TYPE_CHECKING, Final

from rdcompose.archive.cache_files import HINT, content_digest
from rdcompose.errors import OutputError, TrustError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from rdcompose.archive.cache_files import CacheDirectory

# What writing to a file that is open can meet; other errors are not the cache's.
_DISK: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})


@dataclasses.dataclass(frozen=True, slots=True)
class Expected:
    """What a file must be; ``size`` in bytes, ``name`` for messages."""

    name: str
    sha256: str
    size: int

    def check(self, path: Path) -> str | None:
        """Return what a file is instead; ``None`` if it is as expected."""
        with path.open("rb", buffering=0) as stream:
            size = os.fstat(stream.fileno()).st_size
            sha256 = content_digest(stream.fileno())
        if (sha256, size) == (self.sha256, self.size):
            return None
        return f"SHA-256 {sha256} and {size} bytes"


def complete(
    partial: Path, expected: Expected, fill: Callable[[Path], None], directory: CacheDirectory
) -> None:
    """Have a file completed, and check it; the caller has the lock of its name.

    :raises TrustError: what was filled in is not the file; it is removed.
    :raises OutputError: the disk is full.
    """
    with directory.errors():
        begun = _begin(partial, expected.size)
        if begun == expected.size and expected.check(partial) is None:
            return  # killed between the last byte and the renaming
        if begun == expected.size:
            os.truncate(partial, 0)
            begun = 0
    while True:
        with _disk_errors(directory):
            fill(partial)
        with directory.errors():
            other = expected.check(partial)
            if other is None:
                return
            if not begun:
                partial.unlink()
                break
            # What an earlier run has left may be at fault.
            os.truncate(partial, 0)
            begun = 0
    raise TrustError(
        f"{expected.name} is not the file that was asked for: it has {other}, not"
        f" SHA-256 {expected.sha256} and {expected.size} bytes",
        hint="the mirror is damaged or being updated, or something on the way alters files:"
        " try again, or another --mirror",
    )


def _begin(partial: Path, size: int) -> int:
    """Make the file if it is missing; returns how much of it there is."""
    with partial.open("ab") as stream:
        begun = stream.tell()
        if begun > size:
            stream.truncate(0)
            return 0
    return begun


@contextlib.contextmanager
def _disk_errors(directory: CacheDirectory) -> Iterator[None]:
    try:
        yield
    except OutputError as error:
        raise OutputError(error.message, hint=error.hint or HINT) from error
    except OSError as error:
        if error.errno not in _DISK:
            raise
        raise directory.failure(error) from error
