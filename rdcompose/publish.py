"""Files that appear atomically and all together, or not at all; directories of files, too.

Each file is written under a temporary name in the directory where it will stand, and
synced; when all are complete they are renamed, one after the other, with signals held
back. If a rename fails, those before it are undone. An interrupt or a full disk leaves
the old files as they were and no litter.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import secrets
import shutil
import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from rdcompose.errors import OutputError

if TYPE_CHECKING:
    import io
    from collections.abc import Iterable, Iterator
    from types import TracebackType

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
# What everyone may read: an output is no secret, whatever the umask of who made it.
_MODE: Final = 0o644
_DIRECTORY_MODE: Final = 0o755


class Publication:
    """A set of files that is to appear in one directory; a context manager.

    ``mark`` is a part of the temporary names, by which :func:`sweep` finds what a killed process
    left.

    Leaving it without :meth:`publish` removes everything that was written. The
    directory is made when it is missing, and removed again if nothing was published.

    :raises OutputError: the directory cannot be made or written.
    """

    def __init__(self, directory: Path, mark: str = "") -> None:
        self._directory = directory
        self._mark = mark
        self._made: list[Path] = []
        self._files: dict[str, Path] = {}
        self._directories: set[str] = set()
        self._lock = -1

    def __enter__(self) -> Self:
        try:
            self._make_directory(self._directory)
            self._lock = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            self._remove_made()
            raise _cannot_write(self._directory, error) from error
        except BaseException:
            self._remove_made()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for path in self._files.values():
            with contextlib.suppress(OSError):  # as the error before it: on a read-only system
                _remove(path)
        os.close(self._lock)
        self._remove_made()

    def _make_directory(self, directory: Path) -> None:
        if directory.is_dir():
            return
        if directory.exists():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        if directory.parent != directory:
            self._make_directory(directory.parent)
        self._made.append(directory)
        directory.mkdir()

    def _remove_made(self) -> None:
        for directory in reversed(self._made):
            with contextlib.suppress(OSError):  # not empty: someone else has put files there
                directory.rmdir()

    @contextlib.contextmanager
    def file(self, name: str) -> Iterator[io.BufferedRandom]:
        """Give a seekable file to write that :meth:`publish` will name ``name``.

        Any number may be open at once, from several threads.

        :raises OutputError: the file system refuses; the disk is full.
        """
        target = self._directory / name
        path = self._directory / _hidden(name, self._mark, "tmp")
        try:
            if target.is_dir():
                raise OutputError(f"cannot write {target}: it is a directory")
            # Before it is there, so that it goes again whenever an interrupt comes.
            self._files[name] = path
            with path.open("x+b") as out:
                yield out
                out.flush()
                give_mode(out.fileno(), _MODE)
                os.fsync(out.fileno())
        except OSError as error:
            raise _cannot_write(target, error) from error

    def subdirectory(self, name: str) -> Path:
        """Return an empty directory to fill, which :meth:`publish` will name ``name``.

        It takes the place of an earlier directory with all that is in that.

        :raises OutputError: the file system refuses.
        """
        path = self._directory / _hidden(name, self._mark, "tmp")
        self._files[name] = path
        self._directories.add(name)
        try:
            path.mkdir()
            give_mode(path, _DIRECTORY_MODE)
        except OSError as error:
            raise _cannot_write(self._directory / name, error) from error
        return path

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other publications in the same directory waiting."""
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._lock, fcntl.LOCK_UN)

    def publish(
        self,
        *,
        remove: Iterable[str] = (),
        remove_directories: Iterable[str] = (),
        last: str | None = None,
    ) -> None:
        """Rename every file to its name, and remove the ``remove`` that are there.

        The file ``last`` takes its place when everything else has, and in one step: at no moment
        is there none of that name.

        :raises OutputError: a rename failed; everything is then as it was before.
        """
        final = None if last is None else self._files.get(last)
        with _signals_held():
            undo: list[tuple[Path, Path | None]] = []
            try:
                for name, path in sorted(self._files.items()):
                    if path is final:
                        continue
                    directory = name in self._directories
                    self._replace(self._directory / name, path, undo, directory=directory)
                for name in remove:
                    self._replace(self._directory / name, None, undo)
                for name in remove_directories:
                    self._replace(self._directory / name, None, undo, directory=True)
                os.fsync(self._lock)
                if final is not None and last is not None:
                    final.replace(self._directory / last)
            except OSError as error:
                _roll_back(undo)
                raise _cannot_write(self._directory, error) from error
            for _, saved in undo:
                if saved is not None:
                    _remove(saved)
            self._files.clear()
            self._made.clear()
            if final is not None:
                with contextlib.suppress(OSError):  # it stands, durable or not yet
                    os.fsync(self._lock)

    def _replace(
        self,
        target: Path,
        source: Path | None,
        undo: list[tuple[Path, Path | None]],
        *,
        directory: bool = False,
    ) -> None:
        old = target.with_name(_hidden(target.name, self._mark, "old"))
        saved = _set_aside_directory(target, old) if directory else _set_aside(target, old)
        undo.append((target, saved))
        if source is not None:
            source.rename(target)
        elif saved is not None and not directory:
            target.unlink(missing_ok=True)


def sweep(directory: Path, mark: str, *, published: bool) -> None:
    """Remove what killed publications with a mark have left, when none of them goes on.

    What stood there before them is only removed where something was ``published`` since.
    """
    kind = "*" if published else "tmp"
    with contextlib.suppress(OSError):  # there is no such directory, or it cannot be changed
        for path in sorted(directory.glob(f".*.{mark}-*.{kind}")):
            _remove(path)


def _hidden(name: str, mark: str, kind: str) -> str:
    return f".{name}.{mark and f'{mark}-'}{secrets.token_hex(4)}.{kind}"


def give_mode(file: int | Path, mode: int) -> None:
    """Set the mode of a file that was just made, where its file system has modes.

    Who makes a file may always set its mode: a refusal says that there are none, as on FAT.
    """
    with contextlib.suppress(PermissionError):
        os.chmod(file, mode)  # noqa: PTH101 (of an open file, too)


def _set_aside_directory(target: Path, saved: Path) -> Path | None:
    if not os.path.lexists(target):
        return None
    if target.is_symlink() or not target.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
    target.rename(saved)
    return saved


def _remove(path: Path) -> None:
    """Remove a file or a directory with all that is in it; its modes may not allow it yet."""
    if path.is_symlink() or not path.is_dir():
        path.unlink(missing_ok=True)
        return
    for base, _, _ in os.walk(path):
        give_mode(Path(base), _DIRECTORY_MODE)
    shutil.rmtree(path)


def _set_aside(target: Path, saved: Path) -> Path | None:
    """Keep what stands at ``target`` as ``saved``; ``None`` if nothing does."""
    if target.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    try:
        saved.hardlink_to(target)
    except FileNotFoundError:
        return None
    except OSError:
        # FAT and some network file systems have no hard links. The name is then free for
        # a moment, which is better than a set of files that cannot be restored.
        if not os.path.lexists(target):
            return None
        target.rename(saved)
    return saved


def _roll_back(undo: Iterable[tuple[Path, Path | None]]) -> None:
    for target, saved in reversed(list(undo)):
        if saved is None or saved.is_dir():
            _remove(target)
        if saved is not None:
            saved.rename(target)


@contextlib.contextmanager
def _signals_held() -> Iterator[None]:
    """Put off until the end what signals do.

    To block them is not enough: a thread that does not takes them, and has the main thread run
    their handlers.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # where no handler runs
        return
    arrived: list[int] = []
    handlers = {number: signal.getsignal(number) for number in _SIGNALS}
    # One that is not of Python could not be put back.
    held = {n: handler for n, handler in handlers.items() if handler not in {None, signal.SIG_IGN}}
    try:
        for number in held:
            signal.signal(number, lambda taken, _frame: arrived.append(taken))
        yield
    finally:
        for number, handler in held.items():
            signal.signal(number, handler)
        for taken in arrived:
            signal.raise_signal(taken)


def _cannot_write(path: Path, error: OSError) -> OutputError:
    return OutputError(f"cannot write {path}: {error.strerror or error}")
