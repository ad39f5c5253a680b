"""Walks through what is read as a stream: initramfs, unified kernel images, packages."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, BinaryIO, Final, cast

from rdcompose.errors import FormatError, UnsupportedError
from rdcompose.formats.deb import COMPRESSIONS, Deb
from rdcompose.formats.deb import Kind as MemberKind
from rdcompose.formats.newc_links import members
from rdcompose.formats.segments import read_segments
from rdcompose.formats.window import Window
from rdcompose.inspect.walks import Located, Part, Walk
from rdcompose.tree import Bytes, Directory, File, Pieces, Symlink

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rdcompose.formats.deb import Member
    from rdcompose.formats.newc import Archive
    from rdcompose.formats.pe import Pe
    from rdcompose.formats.segments import Segment
    from rdcompose.tree import Content, Entry

_INITRDS: Final = frozenset({".initrd", ".ucode"})
_UNAME: Final = ".uname"
# As of squashfs: a whole distribution has fewer.
MAX_ENTRIES: Final = 1 << 21
_MAX_UNAME: Final = 256


class InitramfsWalk(Walk):
    """Segments in their order, and the archives in each."""

    def __init__(self, source: BinaryIO, size: int, *, limit: int, told: str | None = None) -> None:
        super().__init__(told=told)
        self.lasting = False
        self._source = source
        self._size = size
        self._limit = limit
        self._count = 0

    def _walk(self) -> Iterator[Located]:
        self._count = 0
        yield from self._segments(self._source, self._size, base=0, prefix="")

    def _segments(
        self, source: BinaryIO, size: int, *, base: int, prefix: str
    ) -> Iterator[Located]:
        for number, segment in enumerate(read_segments(source, size, limit=self._limit), 1):
            part = Part(
                label=f"{prefix}segment {number}",
                offset=base + segment.offset,
                compression=segment.compression,
                refused=segment.refused,
            )
            index = self._begin(part)
            try:
                for archive in segment.archives():
                    yield from self._members(archive, index)
            finally:
                self._measure(index, segment)
                self.place = _place(segment, base)
            self.place = (part.offset + segment.size, None)

    def _members(self, archive: Archive, index: int) -> Iterator[Located]:
        try:
            for member in members(archive):
                self._count += 1
                if self._count > MAX_ENTRIES:
                    raise FormatError(f"there are more than {MAX_ENTRIES} entries")
                record = member.record
                yield Located(index, member.entry, record.mtime, record.nlink)
        finally:
            # The content of an entry is read, or passed over, when the next one is asked for.
            if archive.complete is not None:
                self.last = archive.complete.name


def _place(segment: Segment, base: int) -> tuple[int, int | None]:
    if segment.compression == "none":
        return base + segment.offset + segment.unpacked, None
    return base + segment.offset, segment.unpacked


class UkiWalk(InitramfsWalk):
    """The sections of a unified kernel image, and what is in those that hold an initramfs."""

    def __init__(self, source: BinaryIO, image: Pe, *, limit: int) -> None:
        super().__init__(source, 0, limit=limit, told=_uname(source, image))
        self.machine = image.machine
        self._sections = sorted(image.sections, key=lambda section: section.offset)

    def _walk(self) -> Iterator[Located]:
        self._count = 0
        for section in self._sections:
            size = min(section.size, section.file_size)
            if section.name not in _INITRDS:
                self._begin(
                    Part(label=section.name, offset=section.offset, size=size, unpacked=size)
                )
                continue
            window = cast("BinaryIO", Window(self._source, section.offset, size))
            self.place = (section.offset, None)
            yield from self._segments(window, size, base=section.offset, prefix=f"{section.name}, ")


def _uname(source: BinaryIO, image: Pe) -> str | None:
    section = image.section(_UNAME)
    if section is None:
        return None
    source.seek(section.offset)
    data = source.read(min(section.size, section.file_size, _MAX_UNAME))
    return data.rstrip(b"\0\n").decode("utf-8", "replace")


class PackageWalk(Walk):
    """What a Debian package installs."""

    def __init__(self, source: BinaryIO) -> None:
        super().__init__()
        self.package = Deb.open(source)
        self.architectures = (self.package.control.architecture,)

    def _walk(self) -> Iterator[Located]:
        data = self.package.data_member
        compression = COMPRESSIONS[data.name.removeprefix("data.tar")]
        index = self._begin(
            Part(label=data.name, offset=data.offset, size=data.size, compression=compression)
        )
        self.place = (data.offset, None)
        for member in self.package.members():
            yield Located(index, self._entry(member), member.mtime)

    def _entry(self, member: Member) -> Entry:
        path, mode = member.path, member.mode & 0o7777
        if member.kind is MemberKind.DIRECTORY:
            return Directory(path=path, mode=mode)
        if member.kind is MemberKind.SYMLINK:
            return Symlink(path=path, target=member.target)
        if member.kind is MemberKind.OTHER:
            raise UnsupportedError(f"{path!r} of the package is a device, fifo or socket")
        content: Content = Bytes(member.content)
        if member.kind is MemberKind.HARDLINK:
            content = Pieces(member.size, functools.partial(self._linked, member.target))
        return File(path=path, mode=mode, content=content)

    def _linked(self, target: str) -> Iterator[bytes]:
        """Read the file that a hard link repeats, from the start of the package."""
        for member in self.package.members(target.__eq__):
            if member.path == target:
                yield member.content
                return
