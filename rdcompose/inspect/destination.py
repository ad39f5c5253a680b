"""A directory that is filled with entries of strangers, and never left.

Every directory on the way to a file is opened by its name in the one before, and no link is
followed (``O_NOFOLLOW``): what lies in the directory already, or is put there meanwhile, leads
nowhere else. Files get their names when they are complete.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from typing import TYPE_CHECKING, Final, Self

from rdcompose.errors import OutputError
from rdcompose.publish import give_mode
from rdcompose.tree import NODE_TYPES, encode_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from rdcompose.tree import Content, Node

_OPEN: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_CREATE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
# While it is filled: no one else is to change it.
_PRIVATE_DIRECTORY: Final = 0o700
_PRIVATE_FILE: Final = 0o600
_PIECE: Final = 1 << 17
# File systems without hard links, those with too many names of a file, and rules about owners.
_NO_LINKS: Final = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})
_MAX_TIME: Final = 0xFFFFFFFF

Owner = tuple[int, int]


class Destination:
    """A directory to write to, a context manager; it is made with the first file that is written.

    Paths are relative to it, without links on the way. With ``force`` it may hold files, and those
    of the same names make way.

    :raises OutputError: it holds something, or is no directory.
    """

    def __init__(self, path: Path, *, force: bool = False) -> None:
        self.path = path
        self._force = force
        # Directories that are open, each in the one before: name and descriptor.
        self._open: list[tuple[str, int]] = []
        self._written: set[str] = set()
        if not force and os.path.lexists(path) and any(self._names()):
            raise OutputError(
                f"{path} is not empty",
                hint="name a directory that is to be made, or --force to write into this one",
            )

    def _names(self) -> Iterable[str]:
        try:
            return os.listdir(self.path)  # noqa: PTH208
        except OSError as error:
            raise self._refused("", error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._close(0)

    def directory(self, path: str) -> None:
        """Make a directory, if it is not there yet, and those on the way to it."""
        with self._telling(path):
            self._enter(path)

    def file(
        self,
        path: str,
        content: Content,
        *,
        mode: int,
        mtime: int | None = None,
        owner: Owner | None = None,
    ) -> None:
        """Write a file; it is complete when it appears. Zeros in it become holes.

        :raises FormatError: the content is damaged; there is no file then.
        """
        with self._telling(path):
            parent, name = self._place(path)
            draft = f".{secrets.token_hex(8)}.tmp"
            try:
                with os.fdopen(os.open(draft, _CREATE, _PRIVATE_FILE, dir_fd=parent), "wb") as out:
                    _fill(out.fileno(), content)
                    if owner is not None:
                        os.fchown(out.fileno(), *owner)
                    give_mode(out.fileno(), mode)
                    if mtime is not None:
                        os.utime(out.fileno(), _times(mtime))
                self._make_way(parent, name, path)
                os.rename(draft, name, src_dir_fd=parent, dst_dir_fd=parent)
            except BaseException:
                with contextlib.suppress(OSError):
                    os.unlink(draft, dir_fd=parent)
                raise
            self._written.add(path)

    def link(self, path: str, old: str) -> bool:
        """Make another name of a file that was written, and return whether that can be."""
        with self._telling(path):
            above, first = self._place(old)
            # To go on to the other closes what is not on the way to it.
            above = os.dup(above)
            try:
                parent, name = self._place(path)
                self._make_way(parent, name, path, replaced=False)
                os.link(first, name, src_dir_fd=above, dst_dir_fd=parent, follow_symlinks=False)
            except OSError as error:
                if error.errno not in _NO_LINKS:
                    raise
                return False
            finally:
                os.close(above)
            self._written.add(path)
            return True

    def symlink(
        self, path: str, target: str, *, mtime: int | None = None, owner: Owner | None = None
    ) -> None:
        """Make a link; where it leads does not matter, as nothing follows it."""
        with self._telling(path):
            parent, name = self._place(path)
            self._make_way(parent, name, path, replaced=False)
            os.symlink(encode_name(target), name, dir_fd=parent)
            self._written.add(path)
            if owner is not None:
                os.chown(name, *owner, dir_fd=parent, follow_symlinks=False)
            if mtime is not None:
                os.utime(name, _times(mtime), dir_fd=parent, follow_symlinks=False)

    def node(self, path: str, node: Node, *, mtime: int | None = None) -> None:
        """Make a special file with its mode and owner, which takes root for devices."""
        with self._telling(path):
            parent, name = self._place(path)
            self._make_way(parent, name, path, replaced=False)
            # chmod() would follow a link that someone else puts there meanwhile.
            before = os.umask(0)
            try:
                device = os.makedev(node.major, node.minor)
                os.mknod(name, NODE_TYPES[node.kind] | node.mode, device, dir_fd=parent)
            finally:
                os.umask(before)
            self._written.add(path)
            os.chown(name, node.uid, node.gid, dir_fd=parent, follow_symlinks=False)
            if mtime is not None:
                os.utime(name, _times(mtime), dir_fd=parent, follow_symlinks=False)

    def remove(self, path: str) -> None:
        """Take away what is at a path, if anything; a directory must be empty by now."""
        with self._telling(path):
            parent, name = self._place(path)
            self._make_way(parent, name, path, replaced=False)

    def has(self, path: str) -> bool:
        """Whether something was written at a path and is still there."""
        return path in self._written

    def settle(
        self, path: str, *, mode: int, mtime: int | None = None, owner: Owner | None = None
    ) -> None:
        """Give a directory its mode and time, when nothing more is to be written in it."""
        with self._telling(path):
            directory = self._enter(path)
            if owner is not None:
                os.fchown(directory, *owner)
            give_mode(directory, mode)
            if mtime is not None:
                os.utime(directory, _times(mtime))

    def read(self, path: str, size: int) -> bytes | None:
        """Return the first bytes of a file that lies here, ``None`` if there is none."""
        with self._telling(path):
            try:
                parent, name = self._place(path)
                found = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=parent)
            except FileNotFoundError:
                return None
            with os.fdopen(found, "rb") as source:
                return source.read(size)

    def move(self, old: str, new: str) -> None:
        """Give what lies at the top another name."""
        with self._telling(new):
            top = self._enter("")
            os.rename(old, new, src_dir_fd=top, dst_dir_fd=top)

    def _place(self, path: str) -> tuple[int, bytes]:
        """Return the directory that a path lies in, open, and its name there."""
        parent, _, name = path.rpartition("/")
        return self._enter(parent), encode_name(name)

    def _enter(self, path: str) -> int:
        """Return a directory, open, and make it where it is missing."""
        if not self._open:
            self.path.mkdir(parents=True, exist_ok=True)
            # The directory itself may be a link of the user's.
            self._open.append(("", os.open(self.path, _OPEN & ~os.O_NOFOLLOW)))
        parts = path.split("/") if path else []
        same = 0
        while (
            same < min(len(parts), len(self._open) - 1) and parts[same] == self._open[same + 1][0]
        ):
            same += 1
        self._close(same + 1)
        for end in range(same, len(parts)):
            self._open.append((parts[end], self._step(parts[end], "/".join(parts[: end + 1]))))
        return self._open[-1][1]

    def _step(self, part: str, path: str) -> int:
        parent, name = self._open[-1][1], encode_name(part)
        try:
            found = os.open(name, _OPEN, dir_fd=parent)
        except OSError as error:
            if error.errno not in {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}:
                raise
            self._make_way(parent, name, path, replaced=False)
            os.mkdir(name, _PRIVATE_DIRECTORY, dir_fd=parent)
            self._written.add(path)
            return os.open(name, _OPEN, dir_fd=parent)
        try:
            self._check_known(path)
        except OutputError:
            os.close(found)
            raise
        self._written.add(path)
        return found

    def _make_way(self, parent: int, name: bytes, path: str, *, replaced: bool = True) -> None:
        """Remove what has a name, unless it will be ``replaced`` by a file in one step."""
        try:
            status = os.stat(name, dir_fd=parent, follow_symlinks=False)
        except FileNotFoundError:
            return
        self._check_known(path)
        if stat.S_ISDIR(status.st_mode):
            os.rmdir(name, dir_fd=parent)
            self._written.discard(path)
        elif not replaced:
            os.unlink(name, dir_fd=parent)
            self._written.discard(path)

    def _check_known(self, path: str) -> None:
        if path not in self._written and not self._force:
            raise OutputError(
                f"{self._shown(path)} is there already, under a name that this file system takes "
                "for the same, or from someone else",
                hint="unpack to a file system that tells capital letters from small ones",
            )

    def _close(self, keep: int) -> None:
        while len(self._open) > keep:
            os.close(self._open.pop()[1])

    @contextlib.contextmanager
    def _telling(self, path: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise self._refused(path, error) from error

    def _refused(self, path: str, error: OSError) -> OutputError:
        return OutputError(f"cannot write {self._shown(path)}: {error.strerror or error}")

    def _shown(self, path: str) -> str:
        return str(self.path / path) if path.isprintable() else f"{path!r} in {self.path}"


def _fill(out: int, content: Content) -> None:
    size = 0
    for piece in content.chunks(_PIECE):
        if piece.strip(b"\0"):
            _write(out, piece)
        else:
            os.lseek(out, len(piece), os.SEEK_CUR)
        size += len(piece)
    # What ends in a hole is only as long as what was written.
    os.ftruncate(out, size)


def _write(out: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(out, view) :]


def _times(mtime: int) -> tuple[int, int]:
    time = min(max(mtime, 0), _MAX_TIME)
    return time, time
