"""How the entries of each kind of file are walked, in the order in which they are stored."""

from __future__ import annotations

import dataclasses
import os
import stat
from typing import TYPE_CHECKING, BinaryIO, Final, Protocol

from rdcompose.errors import FormatError, SpecError, UnsupportedError
from rdcompose.formats import cpio
from rdcompose.formats.deb import Deb
from rdcompose.formats.deb import Kind as MemberKind
from rdcompose.formats.ext4.reader import Ext4Image
from rdcompose.formats.fat.bootsector import is_fat
from rdcompose.formats.fat.reader import FatImage
from rdcompose.formats.filesystem import kinds_of_image
from rdcompose.formats.pe import Pe, is_pe, read_pe
from rdcompose.formats.qcow2_reader import is_qcow2, open_qcow2
from rdcompose.formats.squashfs.reader import SquashfsImage
from rdcompose.formats.window import Window
from rdcompose.inspect.artifact import Kind
from rdcompose.inspect.contents import module_place
from rdcompose.inspect.filecontent import FileContent
from rdcompose.inspect.initramfs import archive_entries, is_initramfs
from rdcompose.tree import (
    Bytes,
    Directory,
    Entry,
    File,
    Node,
    NodeKind,
    Symlink,
    checked_path,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

_START: Final = 4096
_DEB: Final = b"!<arch>\ndebian-binary"
_INITRDS: Final = frozenset({".initrd", ".ucode"})


@dataclasses.dataclass(frozen=True, slots=True)
class Part:
    """A part of a file: a segment of an initramfs, a filesystem, a section, an archive.

    ``offset`` and ``size`` are its place in the file, as stored; ``unpacked`` is its size without
    the compressor, which is ``none`` or has its name. Until the walk is behind a part, ``size`` and
    ``unpacked`` may be ``None``. A part without entries of its own, as a section with a kernel, has
    ``entries`` 0.
    """

    label: str
    offset: int
    size: int | None
    compression: str
    unpacked: int | None = None
    entries: int = 0


@dataclasses.dataclass(frozen=True, slots=True)
class Located:
    """An entry, the index of the part that it lies in, and what a tree does not carry.

    ``mtime`` is in seconds since 1970, ``links`` the number of names that the file has;
    ``None`` and 1 where they are not stored.
    """

    part: int
    entry: Entry
    mtime: int | None = None
    links: int = 1


class Walk(Protocol):
    """A way through a file; attributes are complete once :meth:`run` has come to its end."""

    parts: list[Part]
    releases: set[str]
    container: str
    filesystem: str
    lasting: bool

    def run(self) -> Iterator[Located]:
        """Yield the entries.

        :raises FormatError: it is damaged from here on.
        :raises UnsupportedError: what follows is of a kind that is not read.
        """
        ...


class _Base:
    container = ""
    filesystem = ""
    lasting = True

    def __init__(self) -> None:
        self.parts: list[Part] = []
        self.releases: set[str] = set()

    def _locate(self, entry: Entry, mtime: int | None = None, links: int = 1) -> Located:
        index = len(self.parts) - 1
        self.parts[index] = dataclasses.replace(
            self.parts[index], entries=self.parts[index].entries + 1
        )
        disk = bool(self.filesystem)
        if isinstance(entry, Directory):
            place = module_place(f"{entry.path}/.", disk=disk)
            if place is not None and place[1] == "." and place[0] is not None:
                self.releases.add(place[0])
        return Located(index, entry, mtime, links)


def walk_file(source: BinaryIO, size: int, *, limit: int) -> tuple[Kind, Walk] | None:
    """Say what a file is, and how it is walked; ``None`` if it has no entries.

    :raises OSError: it cannot be read.
    """
    source.seek(0)
    start = source.read(_START)
    if start.startswith(_DEB):
        return Kind.PACKAGE, _Package(source)
    try:
        volume = open_qcow2(source) if is_qcow2(start) else source
    except (FormatError, UnsupportedError) as error:
        return Kind.DISK, _Refused(error)
    container = "raw" if volume is source else "qcow2"
    found = _volume(volume, container, start, size)
    return found if found is not None or container == "qcow2" else _whole(source, size, limit)


def _volume(volume: BinaryIO, container: str, start: bytes, size: int) -> tuple[Kind, Walk] | None:
    kinds = kinds_of_image(volume)
    try:
        if "squashfs" in kinds:
            image = SquashfsImage(volume)
            return Kind.DISK, _Disk(
                image.entries, container, "squashfs", image.compressor, image.size
            )
        if "ext4" in kinds:
            old = Ext4Image(volume)
            modules = any(module_place(f"{n}/x.ko", disk=True) is not None for n in old.top())
            kind = Kind.DISK if modules else Kind.FILESYSTEM
            return kind, _Disk(old.entries, container, "ext4", "none", size)
        if container == "raw" and is_fat(start[:512]):
            return Kind.FILESYSTEM, _Disk(FatImage(volume).entries, container, "vfat", "none", size)
    except (FormatError, UnsupportedError) as error:
        return Kind.DISK, _Refused(error)
    return None


def _whole(source: BinaryIO, size: int, limit: int) -> tuple[Kind, Walk] | None:
    source.seek(0)
    data = source.read()
    try:
        if is_pe(data) and (image := read_pe(data)).section(".linux") is not None:
            return Kind.UKI, _Uki(source, image, limit)
        if is_initramfs(data):
            return Kind.INITRAMFS, _Initramfs(source, size, limit)
    except (FormatError, UnsupportedError):
        pass
    return None


class _Refused(_Base):
    """What is known by its start, and cannot be read at all."""

    def __init__(self, error: FormatError | UnsupportedError) -> None:
        super().__init__()
        self._error = error

    def run(self) -> Iterator[Located]:
        yield from ()
        raise self._error


class _Disk(_Base):
    def __init__(
        self,
        entries: Callable[[], Iterable[Entry]],
        container: str,
        filesystem: str,
        compressor: str,
        size: int,
    ) -> None:
        super().__init__()
        self.container = container
        self.filesystem = filesystem
        self._entries = entries
        self._part = Part(filesystem, 0, size, compressor)

    def run(self) -> Iterator[Located]:
        self.parts = [self._part]
        total = 0
        for entry in self._entries():
            yield self._locate(entry)
            if isinstance(entry, File):
                total += entry.content.size
        self.parts[0] = dataclasses.replace(self.parts[0], unpacked=total)


class _Initramfs(_Base):
    lasting = False

    def __init__(self, source: BinaryIO, size: int, limit: int) -> None:
        super().__init__()
        self._source = source
        self._size = size
        self._limit = limit

    def run(self) -> Iterator[Located]:
        self.parts = []
        yield from self._segments(self._source, 0, "")

    def _segments(self, source: BinaryIO | Window, start: int, prefix: str) -> Iterator[Located]:
        source.seek(0)
        for number, segment in enumerate(cpio.segments(source.read(), limit=self._limit), 1):
            self.parts.append(
                Part(
                    f"{prefix}segment {number}",
                    start + segment.offset,
                    segment.size,
                    segment.compression,
                    len(segment.data),
                )
            )
            for entry in archive_entries(segment.data):
                yield self._locate(entry)


class _Uki(_Initramfs):
    def __init__(self, source: BinaryIO, image: Pe, limit: int) -> None:
        super().__init__(source, 0, limit)
        self._image = image

    def run(self) -> Iterator[Located]:
        self.parts = []
        for section in self._image.sections:
            size = min(section.size, section.file_size)
            if section.name not in _INITRDS:
                self.parts.append(Part(section.name, section.offset, size, "none", size))
                continue
            window = Window(self._source, section.offset, size)
            yield from self._segments(window, section.offset, f"{section.name}, ")


class _Package(_Base):
    lasting = True

    def __init__(self, source: BinaryIO) -> None:
        super().__init__()
        self._source = source

    def run(self) -> Iterator[Located]:
        self.parts = []
        package = Deb.open(self._source)
        data = package.data_member
        self.parts = [Part(data.name, data.offset, data.size, data.name.rpartition(".")[2])]
        for member in package.members():
            entry = _of_member(member.path, member)
            yield self._locate(entry, member.mtime)


def _of_member(path: str, member: object) -> Entry:
    from rdcompose.formats.tarstream import Member

    assert isinstance(member, Member)
    if member.kind is MemberKind.DIRECTORY:
        return Directory(path=path, mode=member.mode)
    if member.kind is MemberKind.SYMLINK:
        return Symlink(path=path, mode=member.mode, target=member.target)
    return File(path=path, mode=member.mode, content=Bytes(member.content))


def walk_directory(path: Path) -> Walk:
    """Return the way through a directory, in which links are not followed."""
    return _Folder(path)


class _Folder(_Base):
    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def run(self) -> Iterator[Located]:
        self.parts = [Part("directory", 0, None, "none")]
        waiting = [""]
        while waiting:
            inner = waiting.pop()
            names = sorted(os.scandir(self._path / inner), key=lambda found: found.name)
            folders = []
            for found in names:
                path = f"{inner}/{found.name}" if inner else found.name
                status = found.stat(follow_symlinks=False)
                entry = _of_file(self._path / path, path, status)
                if isinstance(entry, Directory):
                    folders.append(path)
                yield self._locate(entry, int(status.st_mtime), status.st_nlink)
            waiting += reversed(folders)


_NODES: Final = {
    stat.S_IFCHR: NodeKind.CHARACTER,
    stat.S_IFBLK: NodeKind.BLOCK,
    stat.S_IFIFO: NodeKind.FIFO,
    stat.S_IFSOCK: NodeKind.SOCKET,
}


def _of_file(real: Path, path: str, status: os.stat_result) -> Entry:
    try:
        checked_path(path)
    except SpecError as error:
        raise FormatError(error.message) from error
    mode, uid, gid = stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid
    if stat.S_ISREG(status.st_mode):
        content = FileContent(real, status.st_size, (status.st_dev, status.st_ino))
        return File(path=path, mode=mode, uid=uid, gid=gid, content=content)
    if stat.S_ISDIR(status.st_mode):
        return Directory(path=path, mode=mode, uid=uid, gid=gid)
    if stat.S_ISLNK(status.st_mode):
        target = os.fsdecode(os.readlink(real))  # noqa: PTH115
        return Symlink(path=path, mode=mode, uid=uid, gid=gid, target=target)
    return Node(
        path=path,
        mode=mode,
        uid=uid,
        gid=gid,
        kind=_NODES[stat.S_IFMT(status.st_mode)],
        major=os.major(status.st_rdev),
        minor=os.minor(status.st_rdev),
    )
