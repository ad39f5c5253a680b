"""A root as a directory, read as an ordinary user or as root.

What belongs to an ordinary user who reads it belongs to root on the card: the user could not
have made it otherwise. Other owners are kept, and so are times, extended attributes and hard
links. What is mounted below stays out, as with ``cp --one-file-system``.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import stat
from typing import TYPE_CHECKING, Any, Final

from rdcompose.boards.rootfiles import file_content
from rdcompose.errors import SpecError
from rdcompose.formats.ext4.contents import Files
from rdcompose.tree import (
    NODE_KINDS,
    Directory,
    Entry,
    File,
    Node,
    NodeKind,
    Symlink,
    Tree,
    decode_name,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Others are of the filesystem that the directory is on.
_XATTRS: Final = ("user.", "trusted.", "security.", "system.posix_acl_")
_NO_XATTRS: Final = {errno.ENOTSUP, errno.ENODATA, errno.EPERM, errno.EACCES}
_HINT: Final = (
    "read it as root, or give a tar archive of it, such as mmdebstrap writes for an ordinary user"
)
_CHUNK: Final = 1 << 20


def directory_files(root: Path) -> Files:
    """Read the tree below a directory; contents are read when they are written.

    :raises SpecError: something in it cannot be read, or has a name that is not allowed.
    """
    reader = _Reader(root)
    try:
        reader.read()
    except OSError as error:
        raise SpecError(f"cannot read {error.filename}: {error.strerror}", hint=_HINT) from error
    return Files(
        tree=reader.tree,
        root=reader.top,
        times=reader.times,
        links=reader.links,
        xattrs=reader.xattrs,
    )


class _Reader:
    def __init__(self, root: Path) -> None:
        self._root = root
        self._user = os.geteuid()
        self._group = os.getegid()
        self._inodes: dict[tuple[int, int], str] = {}
        self.tree = Tree()
        self.top = Directory(path="")
        self.times: dict[str, int] = {}
        self.links: dict[str, str] = {}
        self.xattrs: dict[str, tuple[tuple[str, bytes], ...]] = {}

    def read(self) -> None:
        """Read everything, each directory before what is in it."""
        status = self._root.stat()
        self.top = Directory(path="", **self._common(status))
        self._note("", self._root, status)
        # In the order of a tree, so that of a file with several names the first is its own.
        waiting = self._inside("", self._root)
        while waiting:
            path, file = waiting.pop()
            found = file.lstat()
            self._add(path, file, found)
            if stat.S_ISDIR(found.st_mode) and found.st_dev == status.st_dev:
                waiting += self._inside(f"{path}/", file)

    @staticmethod
    def _inside(prefix: str, folder: Path) -> list[tuple[str, Path]]:
        """Return what is in a directory, the last name first."""
        names = sorted(os.listdir(os.fsencode(folder)), reverse=True)  # noqa: PTH208
        return [(prefix + decode_name(name), folder / os.fsdecode(name)) for name in names]

    def _common(self, status: os.stat_result) -> dict[str, Any]:
        own = bool(self._user)
        return {
            "mode": stat.S_IMODE(status.st_mode),
            "uid": 0 if own and status.st_uid == self._user else status.st_uid,
            "gid": 0 if own and status.st_gid == self._group else status.st_gid,
        }

    def _note(self, path: str, file: Path, status: os.stat_result) -> None:
        self.times[path] = int(status.st_mtime_ns // 10**9)
        try:
            names = os.listxattr(file, follow_symlinks=False)
            found = [
                (name, os.getxattr(file, name, follow_symlinks=False))
                for name in sorted(names)
                if name.startswith(_XATTRS)
            ]
        except OSError as error:
            if error.errno not in _NO_XATTRS:
                raise
            return
        if found:
            self.xattrs[path] = tuple(found)

    def _add(self, path: str, file: Path, status: os.stat_result) -> None:
        if status.st_nlink > 1 and not stat.S_ISDIR(status.st_mode):
            first = self._inodes.setdefault((status.st_dev, status.st_ino), path)
            if first != path:
                self.links[path] = first
                return
        self.tree.add(self._entry(path, file, status))
        self._note(path, file, status)

    def _entry(self, path: str, file: Path, status: os.stat_result) -> Entry:
        common = {"path": path, **self._common(status)}
        if stat.S_ISREG(status.st_mode):
            # Said now, and not in the midst of writing.
            if not os.access(file, os.R_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(file))
            return File(**common, content=file_content(file, status.st_size))
        if stat.S_ISDIR(status.st_mode):
            return Directory(**common)
        if stat.S_ISLNK(status.st_mode):
            return Symlink(**common, target=decode_name(os.fsencode(file.readlink())))
        kind = NODE_KINDS[stat.S_IFMT(status.st_mode)]
        major, minor = 0, 0
        if kind in {NodeKind.BLOCK, NodeKind.CHARACTER}:
            major, minor = os.major(status.st_rdev), os.minor(status.st_rdev)
        return Node(**common, kind=kind, major=major, minor=minor)


def digest_of(files: Files) -> str:
    """Return the SHA-256 of everything that is written of a root.

    It is that of a text, which has for the root and each entry in its order a list in JSON.

    :raises SpecError: a content cannot be read.
    """
    total = hashlib.sha256()
    try:
        for row in _rows(files):
            total.update(json.dumps(row, separators=(",", ":")).encode() + b"\n")
    except OSError as error:
        raise SpecError(f"cannot read {error.filename}: {error.strerror}", hint=_HINT) from error
    return total.hexdigest()


def _rows(files: Files) -> Iterator[list[object]]:
    for entry in (files.root, *files.tree):
        path = entry.path
        yield [
            path,
            f"{entry.mode:04o}",
            entry.uid,
            entry.gid,
            files.times.get(path, 0),
            *_described(entry),
            [[name, value.hex()] for name, value in files.xattrs.get(path, ())],
        ]
    for path, target in sorted(files.links.items()):
        yield [path, "link", target]


def _described(entry: Entry) -> tuple[object, ...]:
    match entry:
        case File():
            sha256 = hashlib.sha256()
            for chunk in entry.content.chunks(_CHUNK):
                sha256.update(chunk)
            return "file", sha256.hexdigest()
        case Symlink():
            return "symlink", entry.target
        case Node():
            return entry.kind.value, entry.major, entry.minor
        case _:
            return ("directory",)
