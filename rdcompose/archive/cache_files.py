"""What keeps the files of a cache whole: locks, atomic replacement, one kind of error.

Several processes work in one directory, and each may be killed at any moment. All locks are
those of flock(2), which end with the process that holds them, so none outlives its owner.
There are three: on the whole directory, for moments; on a name, while the file is being filled;
on a complete file itself, shared by those who use it, so that nobody removes it.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
from typing import TYPE_CHECKING, Final

from rdcompose.errors import OutputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HINT: Final = "name another directory with --cache DIR or in RDCOMPOSE_CACHE"


class CacheDirectory:
    """A directory in which files appear whole or not at all; made when first written to."""

    def __init__(self, path: Path) -> None:
        self.path = path
        # Under a name of its own a file that was not finished would stay after a kill.
        self.unfinished = path / "new"

    @contextlib.contextmanager
    def errors(self) -> Iterator[None]:
        """Turn what the file system refuses into one error that names this directory."""
        try:
            yield
        except OSError as error:
            raise self.failure(error) from error

    def failure(self, error: OSError) -> OutputError:
        """Return what to raise for an error of the file system."""
        return OutputError(
            f"cannot use the cache {self.path}: {error.strerror or error}", hint=HINT
        )

    def make(self, *names: str) -> Path:
        """Return a directory below this one, made if it is missing.

        Nobody else may look into a new cache. Who opens an own one to others opens all of
        it, so below it the umask decides.
        """
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        directory = self.path
        for name in names:
            directory /= name
            directory.mkdir(exist_ok=True)
        return directory

    @contextlib.contextmanager
    def changing(self) -> Iterator[None]:
        """Keep others from renaming and removing meanwhile; for moments only.

        It cannot be nested: the second would wait for the first.
        """
        self.make()
        # A file, since network file systems do not lock directories.
        descriptor = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    @contextlib.contextmanager
    def locked(self, name: str, *, wait: bool = True) -> Iterator[None]:
        """Keep others from what goes by this name.

        :raises BlockingIOError: somebody else does, and ``wait`` is false.
        """
        path = self.make("locks") / name
        operation = fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB
        descriptor = _open_locked(path, operation)
        try:
            yield
        finally:
            with contextlib.suppress(OSError):
                path.unlink()
            os.close(descriptor)

    def replace(self, path: Path, data: bytes) -> None:
        """Put a small file in place at once; to be called within :meth:`changing`."""
        self.make(path.parent.name)
        try:
            with self.unfinished.open("wb") as out:
                out.write(data)
                out.flush()
                os.fsync(out.fileno())
            self.unfinished.rename(path)
        except BaseException:
            self.unfinished.unlink(missing_ok=True)
            raise

    def remove_unused(self, path: Path, *, since: float | None = None) -> int | None:
        """Remove a file that nobody uses; returns its size, ``None`` if it was left.

        One that was used at ``since`` (seconds since 1970) or later is left too.
        """
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            status = os.fstat(descriptor)
            if since is not None and status.st_mtime >= since:
                return None
            return status.st_size if self.remove_this(descriptor, path) else None
        except BlockingIOError:
            return None
        finally:
            os.close(descriptor)

    def remove_this(self, descriptor: int, path: Path) -> bool:
        """Remove an open file from ``path``, unless another one stands there by now."""
        with self.changing():
            if not is_at(descriptor, path):
                return False
            path.unlink()
            return True


def listed(directory: Path) -> list[Path]:
    """Return what is in a directory, by name; nothing if it does not exist.

    Without hidden files: network file systems keep removed ones under such names.
    """
    try:
        return sorted(path for path in directory.iterdir() if not path.name.startswith("."))
    except FileNotFoundError:
        return []


def is_at(descriptor: int, path: Path) -> bool:
    """Tell whether an open file is the one that stands at ``path``."""
    try:
        there = path.stat(follow_symlinks=False)
    except FileNotFoundError:
        return False
    return os.path.samestat(os.fstat(descriptor), there)


def _open_locked(path: Path, operation: int) -> int:
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
        try:
            fcntl.flock(descriptor, operation)
            # Who had it before has removed it: then it is no longer what others lock.
            if is_at(descriptor, path):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def content_digest(descriptor: int) -> str:
    """Return the SHA-256 of all of an open file."""
    os.lseek(descriptor, 0, os.SEEK_SET)
    with open(descriptor, "rb", buffering=0, closefd=False) as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def sync_directory(path: Path) -> None:
    """Make renames in a directory survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
