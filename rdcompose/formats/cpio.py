"""Writer and reader for newc, the cpio format of an initramfs.

Format and the kernel's reading of it: Documentation/driver-api/early-userspace/
buffer-format.rst and init/initramfs.c of the kernel. The reader takes ``070701`` and
``070702`` (with checksums); the writer makes ``070701``, because kernels before 5.19 differ
on the other. Where the kernel drops an entry without a word (no parent directory, an empty
link, a name too long) the writer refuses it.

An initramfs may be several segments, packed and plain ones: :mod:`rdcompose.formats.segments`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO, Final, assert_never, cast

from rdcompose.errors import SpecError
from rdcompose.formats.bytestream import ByteStream
from rdcompose.formats.newc import (
    DIRECTORY,
    HEADER_SIZE,
    MAGIC,
    MAX_NAME_SIZE,
    MAX_NUMBER,
    REGULAR,
    SYMLINK,
    TRAILER,
    Archive,
)
from rdcompose.formats.newc_links import members
from rdcompose.tree import (
    NODE_TYPES,
    Directory,
    Entry,
    File,
    Node,
    Symlink,
    checked_path,
    encode_name,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# Tools that read an initramfs look for the next segment at such a multiple.
SEGMENT_ALIGNMENT: Final = 512
# The kernel's device numbers: 12 bits of major, 20 of minor (new_encode_dev).
MAX_DEVICE: Final = (0xFFF, 0xFFFFF)
_PIECE: Final = 1 << 20


def write_newc(out: BinaryIO, entries: Iterable[Entry], *, mtime: int) -> None:
    """Write a segment: the entries in the given order, the trailer, zeros up to 512 bytes.

    Every entry gets the same time and an inode number of its own, counted from 1. ``out``
    must be at a multiple of four of the initramfs, as the kernel counts it.

    :raises SpecError: the kernel would not unpack an entry: its parent directory does not
        come before it, its path comes twice, a file has 4 GiB or more, a link is empty or
        too long, or a number does not fit. What was written by then is of no use.
    """
    writer = _Writer(out, mtime)
    for entry in entries:
        writer.add(entry)
    writer.finish()


def record_size(path: str, size: int = 0) -> int:
    """Return how many bytes an entry takes: header, name and ``size`` bytes of content."""
    return _up(HEADER_SIZE + len(encode_name(path)) + 1) + _up(size)


def _up(size: int) -> int:
    return size + -size % 4


class _Writer:
    def __init__(self, out: BinaryIO, mtime: int) -> None:
        if not 0 <= mtime <= MAX_NUMBER:
            raise SpecError(
                f"the time {mtime} does not fit into an initramfs, which knows 1970 to 2106"
            )
        self._out = out
        self._mtime = mtime
        self._position = 0
        self._inode = 0
        self._directories = {""}
        self._paths: set[str] = set()

    def add(self, entry: Entry) -> None:
        self._check_place(entry.path)
        known = cast("File | Directory | Symlink | Node", entry)
        match known:
            case File():
                self._add_file(known)
            case Directory():
                self._directories.add(known.path)
                self._header(known, DIRECTORY, nlink=2)
            case Symlink():
                target = encode_name(known.target)
                if not 0 < len(target) < MAX_NAME_SIZE or b"\0" in target:
                    raise SpecError(f"the symlink {known.path!r} has a target that cannot be")
                self._header(known, SYMLINK, size=len(target))
                self._write(target)
                self._pad(4)
            case Node():
                self._header(known, NODE_TYPES[known.kind], device=(known.major, known.minor))
            case _:
                assert_never(known)

    def _check_place(self, path: str) -> None:
        checked_path(path)
        if path == TRAILER:
            raise SpecError(f"no file of an initramfs can have the name {TRAILER!r}")
        if path in self._paths:
            raise SpecError(f"the path {path!r} comes twice")
        parent = path.rpartition("/")[0]
        if parent not in self._directories:
            raise SpecError(f"{path!r} comes before the directory {parent!r} that it is in")
        self._paths.add(path)

    def _add_file(self, entry: File) -> None:
        size = entry.content.size
        if size > MAX_NUMBER:
            raise SpecError(
                f"the file {entry.path!r} has {size} bytes, and an initramfs cannot hold"
                " files of 4 GiB or more"
            )
        self._header(entry, REGULAR, size=size)
        start = self._position
        for chunk in entry.content.chunks(_PIECE):
            self._write(chunk)
        if self._position - start != size:
            raise SpecError(f"the content of {entry.path!r} does not have the size it states")
        self._pad(4)

    def _header(
        self,
        entry: Entry,
        file_type: int,
        *,
        nlink: int = 1,
        size: int = 0,
        device: tuple[int, int] = (0, 0),
    ) -> None:
        if not 0 <= entry.mode <= 0o7777:
            raise SpecError(f"{entry.path!r} has the mode {entry.mode:#o}")
        bounds = (MAX_NUMBER, MAX_NUMBER, *MAX_DEVICE)
        for number, bound in zip((entry.uid, entry.gid, *device), bounds, strict=True):
            if not 0 <= number <= bound:
                raise SpecError(
                    f"the owner or device number {number} of {entry.path!r} is not 0 to {bound}"
                )
        self._inode += 1
        mode = file_type | entry.mode
        self._raw_header(
            (self._inode, mode, entry.uid, entry.gid, nlink, self._mtime, size, 0, 0, *device),
            encode_name(entry.path),
        )

    def _raw_header(self, numbers: tuple[int, ...], name: bytes) -> None:
        fields = (*numbers, len(name) + 1, 0)
        self._write(MAGIC + b"".join(b"%08X" % field for field in fields) + name + b"\0")
        self._pad(4)

    def finish(self) -> None:
        # nlink 1 as GNU cpio has it; everything else is zero.
        self._raw_header((0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0), TRAILER.encode())
        self._pad(SEGMENT_ALIGNMENT)

    def _write(self, data: bytes) -> None:
        self._out.write(data)
        self._position += len(data)

    def _pad(self, alignment: int) -> None:
        self._write(bytes(-self._position % alignment))


class NewcReader:
    """The archive at an offset of a buffer: an iterator over its entries.

    All headers are read at once, and checked. ``records`` are the headers, the root's
    included; ``end`` is the offset behind the archive, its trailer included. Names lose
    the ``./`` or ``/`` in front, and the root is no entry. Hard links are files of
    their own with the same content. A trailer may be missing at the end of the buffer, as
    the kernel has it: ``has_trailer`` tells.

    :raises FormatError: damaged or cut, no newc archive, or an entry with a hostile name.
    """

    def __init__(self, data: bytes, offset: int = 0) -> None:
        archive = Archive(ByteStream((data,), start=offset))
        self.records = tuple(record for record, _ in archive.records())
        self.end = archive.stream.position
        self.has_trailer = archive.has_trailer
        self._members = members(Archive(ByteStream((data,), start=offset)), keep=True)

    def __iter__(self) -> Iterator[Entry]:
        return self

    def __next__(self) -> Entry:
        return next(self._members).entry


def read_newc(data: bytes, offset: int = 0) -> NewcReader:
    """Read the archive at an offset of a buffer: see :class:`NewcReader`."""
    return NewcReader(data, offset)
