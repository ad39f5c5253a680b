"""Walks through filesystems: in an image of their own, in qcow2, or a directory of this machine."""

from __future__ import annotations

import dataclasses
import os
import stat
from typing import TYPE_CHECKING

from rdcompose.errors import FormatError, SpecError, UnsupportedError
from rdcompose.inspect.filecontent import FileContent
from rdcompose.inspect.walks import Located, Part, Walk
from rdcompose.tree import NODE_KINDS, Directory, Entry, File, Node, Symlink, checked_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

# Entry, time, number of names.
Stored = tuple[Entry, int | None, int]


class DiskWalk(Walk):
    """A filesystem in an image; ``stored`` starts to read it, ``part`` says how it is packed."""

    def __init__(
        self, stored: Callable[[], Iterator[Stored]], part: Part, *, container: str
    ) -> None:
        super().__init__(container=container, filesystem=part.label)
        self._stored = stored
        self._part = part

    def _walk(self) -> Iterator[Located]:
        index = self._begin(self._part)
        total = 0
        for entry, mtime, links in self._stored():
            yield Located(index, entry, mtime, links)
            total += entry.content.size if isinstance(entry, File) else 0
        self._parts[index] = dataclasses.replace(self._part, unpacked=total)


class RefusedWalk(Walk):
    """What is known by its start, and cannot be read at all."""

    def __init__(self, error: FormatError | UnsupportedError, *, container: str = "") -> None:
        super().__init__(container=container)
        self._error = error

    def _walk(self) -> Iterator[Located]:
        yield from ()
        raise self._error


@dataclasses.dataclass(frozen=True, slots=True)
class Volume:
    """A partition; without a ``walk`` it holds nothing that is read."""

    number: int
    offset: int
    size: int
    walk: Walk | None


class CardWalk(Walk):
    """The partitions of a disk; what is in the first lies below ``p1``."""

    def __init__(self, volumes: Sequence[Volume]) -> None:
        super().__init__()
        self._volumes = volumes

    def _walk(self) -> Iterator[Located]:
        for volume in self._volumes:
            self.place = (volume.offset, None)
            top = f"p{volume.number}"
            part = Part(label=f"partition {volume.number}", offset=volume.offset, size=volume.size)
            index = self._begin(part)
            if volume.walk is None:
                continue
            yield Located(index, Directory(path=top))
            for located in volume.walk.run():
                [inner] = volume.walk.parts
                self._parts[index] = dataclasses.replace(
                    part,
                    label=f"{part.label}, {inner.label}",
                    compression=inner.compression,
                )
                entry = dataclasses.replace(located.entry, path=f"{top}/{located.entry.path}")
                yield dataclasses.replace(located, part=index, entry=entry)
            self.releases |= volume.walk.releases


class DirectoryWalk(Walk):
    """A directory, in the order of names; links are not followed."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def _walk(self) -> Iterator[Located]:
        index = self._begin(Part(label="directory"))
        waiting = [""]
        while waiting:
            inner = waiting.pop()
            folders = []
            for path, status in _listed(self._path, inner):
                entry = _entry(self._path / path, path, status)
                if isinstance(entry, Directory):
                    folders.append(path)
                yield Located(index, entry, int(status.st_mtime), status.st_nlink)
            waiting += reversed(folders)


def _listed(top: Path, inner: str) -> list[tuple[str, os.stat_result]]:
    try:
        with os.scandir(top / inner) as found:
            rows = [
                (f"{inner}/{row.name}" if inner else row.name, row.stat(follow_symlinks=False))
                for row in found
            ]
    except OSError as error:
        raise UnsupportedError(f"cannot read {top / inner}: {error.strerror}") from error
    return sorted(rows)


def _entry(real: Path, path: str, status: os.stat_result) -> Entry:
    try:
        checked_path(path)
        kind, mode = stat.S_IFMT(status.st_mode), status.st_mode & 0o7777
        uid, gid = status.st_uid, status.st_gid
        if kind == stat.S_IFREG:
            content = FileContent(real, status.st_size, (status.st_dev, status.st_ino))
            return File(path=path, mode=mode, uid=uid, gid=gid, content=content)
        if kind == stat.S_IFDIR:
            return Directory(path=path, mode=mode, uid=uid, gid=gid)
        if kind == stat.S_IFLNK:
            return Symlink(path=path, mode=mode, uid=uid, gid=gid, target=str(real.readlink()))
    except SpecError as error:
        raise FormatError(error.message) from error
    except OSError as error:
        raise UnsupportedError(f"cannot read {real}: {error.strerror}") from error
    major, minor = (
        (os.major(status.st_rdev), os.minor(status.st_rdev))
        if kind in {stat.S_IFCHR, stat.S_IFBLK}
        else (0, 0)
    )
    return Node(
        path=path, mode=mode, uid=uid, gid=gid, kind=NODE_KINDS[kind], major=major, minor=minor
    )
