"""Files that were fetched before, by their SHA-256.

.. code-block:: text

    objects/SHA256/NAME   a file, complete and checked; its modification time is its last use
    partial/SHA256        the same while it is being filled, or as an interrupt left it
    documents/            small files by key, see :mod:`rdcompose.archive.cache_documents`
    prepared/             what saves work, see :mod:`rdcompose.archive.cache_prepared`
    newest/               how new each archive was, which stays when the rest is removed
    locks/, lock, new     see :mod:`rdcompose.archive.cache_files`

Several processes and threads can use one directory. A file moves from ``partial`` to
``objects`` in one step when all of it is there: killed at any moment, nothing half-done is
ever taken for complete, and what was fetched so far is used by the next run.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import os
import re
import threading
import weakref
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from rdcompose.archive.cache_documents import Document, Documents
from rdcompose.archive.cache_files import (
    CacheDirectory,
    content_digest,
    is_at,
    listed,
    sync_directory,
)
from rdcompose.archive.cache_filling import Expected, complete
from rdcompose.archive.cache_prepared import PreparedFiles
from rdcompose.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

__all__ = ["Cache", "Document", "Entry"]

_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9.+~_:%@=,-]")
_MAX_NAME: Final = 200  # below the limit of every file system


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    """One file: its size in bytes, and when it was last used (UTC)."""

    name: str
    sha256: str
    size: int
    used: datetime


class Cache:
    """A cache in a directory, which is made when it is first written to.

    A file that :meth:`find` or :meth:`obtain` has returned stays in place as long as this object
    lives, even if another process cleans the directory.

    :raises OutputError: (every method) the file system refuses, or the disk is full.
    :raises FormatError: (every method) a digest is none.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._files = CacheDirectory(directory)
        self._documents = Documents(self._files)
        self._prepared = PreparedFiles(self._files)
        self._objects = directory / "objects"
        self._partials = directory / "partial"
        self._held: dict[str, int] = {}
        self._holding = threading.Lock()
        weakref.finalize(self, _close_all, self._held)

    def find(self, sha256: str, size: int) -> Path | None:
        """Return a file, checked and marked as used; ``None`` if it is not there.

        A damaged one is removed.
        """
        digest = _normal(sha256)
        with self._files.errors():
            for path in listed(self._objects / digest):
                if self._take(path, digest, size):
                    return path
        return None

    def obtain(self, sha256: str, size: int, name: str, fill: Callable[[Path], None]) -> Path:
        """Return a file, which ``fill`` completes if it is not there.

        ``fill`` gets a file that exists and holds what an earlier run has left, often nothing.
        Others that want the same file wait meanwhile. ``name`` becomes the file's name, as far
        as it can be one.

        :raises TrustError: what was filled in is not the file.
        """
        digest = _normal(sha256)
        if (found := self.find(digest, size)) is not None:
            return found
        with contextlib.ExitStack() as stack:
            with self._files.errors():
                stack.enter_context(self._files.locked(digest))
                partial = self._files.make("partial") / digest
            # Another may have completed it while this one waited.
            if (found := self.find(digest, size)) is not None:
                return found
            try:
                complete(partial, Expected(name, digest, size), fill, self._files)
                with self._files.errors():
                    return self._install(partial, digest, _component(name))
            finally:
                _remove_empty(partial)

    def remove(self, sha256: str) -> None:
        """Remove a file, unless another process uses it."""
        digest = _normal(sha256)
        with self._files.errors():
            self._release([digest])
            if paths := listed(self._objects / digest):
                for path in paths:
                    self._files.remove_unused(path)
                self._tidy([self._objects / digest])

    def document(self, key: str) -> Document | None:
        """Return a small file by its key; ``None`` if it is not there or damaged."""
        with self._files.errors():
            return self._documents.get(key)

    def put_document(self, key: str, document: Document) -> None:
        """Keep a small file, in the place of an earlier one with this key."""
        with self._files.errors():
            self._documents.put(key, document)

    def newest(self, key: str) -> datetime | None:
        """Return the latest date noted for a key, be it before a :meth:`clean`."""
        with self._files.errors():
            return self._documents.newest(key)

    def note_newest(self, key: str, date: datetime) -> None:
        """Note a date (aware); one that is not later than the known one changes nothing."""
        with self._files.errors():
            self._documents.note_newest(key, date)

    def entries(self) -> list[Entry]:
        """Return the complete files, the largest first."""
        with self._files.errors():
            return _entries((path, path.name, path.parent.name) for path in self._complete())

    def partials(self) -> list[Entry]:
        """Return what was begun and is not complete; it has no names."""
        with self._files.errors():
            return _entries((path, "", path.name) for path in listed(self._partials))

    def documents(self) -> list[Entry]:
        """Return the small files by their keys; they have no digests."""
        with self._files.errors():
            return _entries((path, key, "") for key, path in self._documents.files())

    def prepared(self) -> list[Entry]:
        """Return what saves work, by the releases that it is of; it has no digests."""
        with self._files.errors():
            return _entries((path, name, "") for name, path in self._prepared.files())

    def clean(self, *, unused_since: datetime | None = None) -> tuple[int, int]:
        """Remove all, or what was last used before a moment; returns files and bytes.

        What another process fills or uses stays, and what :meth:`newest` says. What this
        object has returned is removed too.
        """
        since = None if unused_since is None else unused_since.timestamp()
        with self._files.errors():
            if not self.directory.exists():
                return 0, 0
            self._release(list(self._held))
            removed = [self._files.remove_unused(path, since=since) for path in self._complete()]
            removed += [self._remove_partial(path, since) for path in listed(self._partials)]
            removed += [
                self._files.remove_unused(path, since=since)
                for _name, path in (*self._documents.files(), *self._prepared.files())
            ]
            self._tidy(listed(self._objects))
        sizes = [size for size in removed if size is not None]
        return len(sizes), sum(sizes)

    def _take(self, path: Path, digest: str, size: int) -> bool:
        """Check a file and keep it from being removed; returns whether it can be used."""
        with contextlib.ExitStack() as stack:
            try:
                descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
            except FileNotFoundError:
                return False  # removed since the directory was read
            stack.callback(os.close, descriptor)
            # Not all network file systems have locks, and reading works without.
            with contextlib.suppress(OSError):
                fcntl.flock(descriptor, fcntl.LOCK_SH)
            if not is_at(descriptor, path):
                return False
            if content_digest(descriptor) != digest:
                with contextlib.suppress(OSError):
                    self._files.remove_this(descriptor, path)
                return False
            if os.fstat(descriptor).st_size != size:
                return False  # whoever asks is wrong, not the file
            with contextlib.suppress(OSError):  # read-only
                os.utime(descriptor)
            stack.pop_all()
        self._hold(digest, descriptor)
        return True

    def _install(self, partial: Path, digest: str, name: str) -> Path:
        """Move a file that is complete to where it is found; the lock of its name is held."""
        with contextlib.ExitStack() as stack:
            descriptor = os.open(partial, os.O_RDWR | os.O_CLOEXEC)
            stack.callback(os.close, descriptor)
            fcntl.flock(descriptor, fcntl.LOCK_SH)
            os.fsync(descriptor)
            os.utime(descriptor)
            with self._files.changing():
                directory = self._files.make("objects", digest)
                path = partial.rename(directory / name)
            sync_directory(directory)
            sync_directory(self._objects)
            stack.pop_all()
        self._hold(digest, descriptor)
        return path

    def _hold(self, digest: str, descriptor: int) -> None:
        with self._holding:
            earlier = self._held.pop(digest, None)
            self._held[digest] = descriptor
        if earlier is not None:
            os.close(earlier)

    def _release(self, digests: Iterable[str]) -> None:
        with self._holding:
            for digest in digests:
                descriptor = self._held.pop(digest, None)
                if descriptor is not None:
                    os.close(descriptor)

    def _complete(self) -> list[Path]:
        directories = (path for path in listed(self._objects) if _SHA256.fullmatch(path.name))
        return [path for directory in directories for path in listed(directory)]

    def _remove_partial(self, path: Path, since: float | None) -> int | None:
        try:
            with self._files.locked(path.name, wait=False):
                return self._files.remove_unused(path, since=since)
        except BlockingIOError:
            return None  # it is being filled

    def _tidy(self, directories: Iterable[Path]) -> None:
        """Remove what is empty, and what was left by a process that was killed."""
        with self._files.changing():
            self._files.unfinished.unlink(missing_ok=True)
            for directory in directories:
                with contextlib.suppress(OSError):  # not empty
                    directory.rmdir()
        for path in listed(self.directory / "locks"):
            with contextlib.suppress(BlockingIOError), self._files.locked(path.name, wait=False):
                pass  # leaving it removes it


def _normal(sha256: str) -> str:
    """Return a digest in lower case.

    :raises FormatError: it is none.
    """
    digest = sha256.lower()
    if not _SHA256.fullmatch(digest):
        raise FormatError(f"{sha256!r} is no SHA-256 digest")
    return digest


def _component(name: str) -> str:
    """Return a name that is one plain component of a path."""
    safe = _UNSAFE.sub("_", name)[-_MAX_NAME:]
    return "_" + safe[1:] if safe.startswith(".") else safe or "_"


def _entries(files: Iterable[tuple[Path, str, str]]) -> list[Entry]:
    entries = []
    for path, name, digest in files:
        with contextlib.suppress(FileNotFoundError):  # another process may remove it
            status = path.stat()
            used = datetime.fromtimestamp(status.st_mtime, UTC)
            entries.append(Entry(name, digest, status.st_size, used))
    return sorted(entries, key=lambda entry: (-entry.size, entry.name, entry.sha256))


def _remove_empty(partial: Path) -> None:
    """Remove what holds nothing to go on from."""
    with contextlib.suppress(OSError):
        if partial.stat().st_size == 0:
            partial.unlink()


def _close_all(held: dict[str, int]) -> None:
    while held:
        os.close(held.popitem()[1])
