"""Files of the cache that save work: whoever finds none, or a damaged one, does the work again.

.. code-block:: text

    prepared/KEY          a file that is complete
    prepared/KEY.new      the same while it is written, or as a killed process left it

Each starts with a line that names what it is of. A file is never changed where it stands: a new
one takes its place in one step, so who has one open reads it to its end. Nothing here fails: a
directory that cannot be read holds nothing, and one that cannot be written keeps nothing.
Nothing is synced either, since content is checked by who reads it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import weakref
from typing import TYPE_CHECKING, Final, Self

from rdcompose.archive.cache_files import is_at, listed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rdcompose.archive.cache_files import CacheDirectory

# All files together; what was used last stays.
MAX_SIZE: Final = 1_000_000_000
# The part of its file system that stays free, and the bytes that are enough: what a build writes
# is worth more.
_FREE: Final = 20
_ENOUGH: Final = 5_000_000_000
_DIRECTORY: Final = "prepared"
_NEW: Final = ".new"
_MAX_NAME: Final = 1000
_PIECE: Final = 1 << 20
# Of one write: IOV_MAX of Linux.
_MAX_PIECES: Final = 1024


class StoredFile:
    """A complete file, open as long as this object lives; nobody removes it meanwhile.

    Read by :manpage:`pread(2)`, not mapped: a file that is cut under a mapping ends the process.
    """

    def __init__(self, descriptor: int) -> None:
        """Take over a descriptor, and skip the line with the name."""
        self._descriptor = descriptor
        self._close = weakref.finalize(self, os.close, descriptor)
        head = os.pread(descriptor, _MAX_NAME, 0)
        self._start = head.find(b"\n") + 1
        self.size: Final = os.fstat(descriptor).st_size - self._start

    def read(self, offset: int, size: int) -> bytes:
        """Return bytes from an offset on; fewer where the file ends or cannot be read."""
        pieces = []
        with contextlib.suppress(OSError):
            while size > 0:
                piece = os.pread(self._descriptor, size, self._start + offset)
                if not piece:
                    break
                pieces.append(piece)
                offset += len(piece)
                size -= len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def close(self) -> None:
        """Close the file now."""
        self._close()


class NewFile:
    """A file that is being written; it appears by :meth:`publish` or not at all."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self._path = path
        self._descriptor = descriptor
        self._end = weakref.finalize(self, _abandon, path, descriptor)
        self.size = 0

    def write(self, *pieces: bytes | memoryview) -> None:
        """Append pieces.

        :raises OSError: the disk is full, or so full that a build may need what is left.
        """
        views = [memoryview(piece) for piece in pieces if len(piece)]
        size = sum(map(len, views))
        _demand_space(self._descriptor, size)
        while views:
            done = os.writev(self._descriptor, views[:_MAX_PIECES])
            while views and done >= len(views[0]):
                done -= len(views.pop(0))
            if done:
                views[0] = views[0][done:]
        self.size += size

    def append(self, other: StoredFile, size: int) -> None:
        """Append the beginning of a file.

        :raises OSError: it cannot be read, or as :meth:`write` does.
        """
        offset = 0
        while offset < size:
            piece = other.read(offset, min(size - offset, _PIECE))
            if not piece:
                raise OSError("a file of the cache ends early")
            self.write(piece)
            offset += len(piece)

    def read(self, offset: int, size: int) -> bytes:
        """Return what was written, from an offset on; nothing where it cannot be read."""
        with contextlib.suppress(OSError):
            return os.pread(self._descriptor, size, offset)
        return b""

    def publish(self) -> None:
        """Put the file in place.

        :raises OSError: it cannot be.
        """
        os.utime(self._descriptor)
        self._path.rename(self._path.with_name(self._path.name.removesuffix(_NEW)))
        self._end.detach()
        os.close(self._descriptor)

    def abandon(self) -> None:
        """Remove the file, unless it was published."""
        self._end()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.abandon()


class PreparedFiles:
    """The files below ``prepared/`` of a cache."""

    def __init__(self, directory: CacheDirectory) -> None:
        self._directory = directory
        self._path = directory.path / _DIRECTORY

    def find(self, key: str) -> StoredFile | None:
        """Return a complete file, marked as used; ``None`` if there is none."""
        path = self._path / key
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
            stack.callback(os.close, descriptor)
            # Not all network file systems have locks, and reading works without.
            with contextlib.suppress(OSError):
                fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
            if not is_at(descriptor, path):
                return None
            with contextlib.suppress(OSError):  # read-only
                os.utime(descriptor)
            stack.pop_all()
            return StoredFile(descriptor)
        return None

    def begin(self, key: str, name: str) -> NewFile | None:
        """Begin a file of this name; ``None`` if it cannot be written, or another process does."""
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            path = self._directory.make(_DIRECTORY) / f"{key}{_NEW}"
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            descriptor = os.open(path, flags, 0o666)
            stack.callback(os.close, descriptor)
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not is_at(descriptor, path):
                return None  # who had it has published or removed it
            os.ftruncate(descriptor, 0)
            stack.pop_all()
            new = NewFile(path, descriptor)
            try:
                new.write(name.replace("\n", " ").encode()[: _MAX_NAME - 1] + b"\n")
            except OSError:
                new.abandon()
                raise
            return new
        return None

    def discard(self, key: str) -> None:
        """Remove a file that is of no use."""
        with contextlib.suppress(OSError):
            (self._path / key).unlink(missing_ok=True)

    def files(self) -> Iterator[tuple[str, Path]]:
        """Yield each file with its name, also what was not finished."""
        for path in listed(self._path):
            name = b""
            with contextlib.suppress(OSError), path.open("rb") as stream:
                name = stream.readline(_MAX_NAME).rstrip(b"\n")
            yield name.decode("utf-8", "replace"), path

    def trim(self, limit: int = MAX_SIZE) -> None:
        """Remove what was not finished, and what was not used for longest beyond a size."""
        with contextlib.suppress(OSError):
            files = [(path.stat(), path) for path in listed(self._path)]
            files.sort(key=lambda row: (row[0].st_mtime_ns, row[1].name), reverse=True)
            total = 0
            for status, path in files:
                total += status.st_size
                if total > limit or path.name.endswith(_NEW):
                    # What is being read or written stays.
                    self._directory.remove_unused(path)


def _abandon(path: Path, descriptor: int) -> None:
    with contextlib.suppress(OSError):
        if is_at(descriptor, path):
            path.unlink()
    os.close(descriptor)


def _demand_space(descriptor: int, size: int) -> None:
    """Check that a file system is not nearly full.

    :raises OSError: it is.
    """
    state = os.fstatvfs(descriptor)
    least = min(state.f_blocks * state.f_frsize // _FREE, _ENOUGH)
    if state.f_bavail * state.f_frsize - size < least:
        raise OSError("too little would be left")
