"""Writer and reader for newc, the cpio format of an initramfs.

Format and the kernel's reading of it: Documentation/driver-api/early-userspace/
buffer-format.rst and init/initramfs.c of the kernel. The reader takes ``070701`` and
``070702`` (with checksums); the writer makes ``070701``, because kernels before 5.19 differ
on the other. Where the kernel drops an entry without a word (no parent directory, an empty
link, a name too long) the writer refuses it.

An initramfs may be several segments, packed and plain ones: :func:`segments`.
"""

from __future__ import annotations

import dataclasses
import re
import struct
from typing import TYPE_CHECKING, BinaryIO, Final, assert_never, cast

from rdcompose.errors import FormatError, SpecError
from rdcompose.formats import compression, decoding
from rdcompose.tree import (
    Bytes,
    Directory,
    Entry,
    File,
    Node,
    NodeKind,
    Symlink,
    checked_path,
    decode_name,
    encode_name,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MAGIC: Final = b"070701"
MAGIC_CHECKSUM: Final = b"070702"
# ino mode uid gid nlink mtime filesize maj min rmaj rmin namesize chksum, 8 digits each
HEADER_SIZE: Final = 110
TRAILER: Final = "TRAILER!!!"
# Tools that read an initramfs look for the next segment at such a multiple.
SEGMENT_ALIGNMENT: Final = 512
MAX_NUMBER: Final = 0xFFFFFFFF
MAX_NAME_SIZE: Final = 4096  # PATH_MAX, with the NUL
# Far more than anyone puts together; each one costs a look at all that follows it.
MAX_SEGMENTS: Final = 1024
# The kernel's device numbers: 12 bits of major, 20 of minor (new_encode_dev).
MAX_DEVICE: Final = (0xFFF, 0xFFFFF)
_PIECE: Final = 1 << 20
_ZEROS: Final = re.compile(rb"\0*")
_HEX: Final = frozenset(b"0123456789abcdefABCDEF")

_TYPE_MASK: Final = 0o170000
_REGULAR: Final = 0o100000
_DIRECTORY: Final = 0o040000
_SYMLINK: Final = 0o120000
_NODE_TYPES: Final = {
    NodeKind.CHARACTER: 0o020000,
    NodeKind.BLOCK: 0o060000,
    NodeKind.FIFO: 0o010000,
    NodeKind.SOCKET: 0o140000,
}
_NODE_KINDS: Final = {value: kind for kind, value in _NODE_TYPES.items()}


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
                self._header(known, _DIRECTORY, nlink=2)
            case Symlink():
                target = encode_name(known.target)
                if not 0 < len(target) < MAX_NAME_SIZE or b"\0" in target:
                    raise SpecError(f"the symlink {known.path!r} has a target that cannot be")
                self._header(known, _SYMLINK, size=len(target))
                self._write(target)
                self._pad(4)
            case Node():
                self._header(known, _NODE_TYPES[known.kind], device=(known.major, known.minor))
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
        self._header(entry, _REGULAR, size=size)
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


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One header as stored, with the name it carries and where its data is."""

    name: str
    ino: int
    mode: int
    uid: int
    gid: int
    nlink: int
    mtime: int
    device: tuple[int, int]
    rdevice: tuple[int, int]
    data_start: int
    data_size: int

    @property
    def file_type(self) -> int:
        """The bits of the mode that tell the type, as in inode(7)."""
        return self.mode & _TYPE_MASK

    @property
    def link_key(self) -> tuple[object, ...] | None:
        """What the names of one file with several have in common; ``None`` for others."""
        if self.nlink < 2 or self.file_type == _DIRECTORY:
            return None
        return self.device, self.ino, self.file_type


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
        self._data = data
        self.records, self.end, self.has_trailer = _read_records(data, offset)
        self._entries = self._resolve()

    def __iter__(self) -> Iterator[Entry]:
        return self

    def __next__(self) -> Entry:
        return next(self._entries)

    def _resolve(self) -> Iterator[Entry]:
        contents: dict[tuple[object, ...], bytes] = {}
        for record in self.records:
            if record.link_key is not None and record.data_size:
                contents[record.link_key] = self._content(record)
        for record in self.records:
            path = _plain_path(record.name)
            if path:
                content = contents.get(record.link_key) if record.link_key else None
                if content is None:
                    content = self._content(record)
                yield _make_entry(path, record, content)

    def _content(self, record: Record) -> bytes:
        return self._data[record.data_start : record.data_start + record.data_size]


def read_newc(data: bytes, offset: int = 0) -> NewcReader:
    """Read the archive at an offset of a buffer: see :class:`NewcReader`."""
    return NewcReader(data, offset)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A part of an initramfs: its place in the buffer, its compressor, its cpio archive.

    ``data`` is unpacked, and may hold several archives one after the other.
    """

    offset: int
    size: int
    compression: str
    data: bytes


def segments(data: bytes, *, limit: int) -> Iterator[Segment]:
    """Yield the segments of an initramfs, unpacked, leaving out the zeros between them.

    Adjacent plain archives are segments of their own.

    :raises FormatError: what is there is neither zeros nor an archive nor a known
        compression, or a plain archive does not start at a multiple of four, or all of it
        unpacks to more than ``limit`` bytes.
    """
    position = 0
    for _ in range(MAX_SEGMENTS):
        zeros = _ZEROS.match(data, position)
        position = zeros.end() if zeros else position
        if position == len(data):
            return
        segment = _segment(data, position, limit)
        limit -= len(segment.data)
        yield segment
        position += segment.size
    raise FormatError(f"the initramfs has more than {MAX_SEGMENTS} segments")


def _segment(data: bytes, position: int, limit: int) -> Segment:
    if data.startswith((MAGIC, MAGIC_CHECKSUM), position):
        if position % 4:
            raise FormatError(
                f"the cpio archive at offset {position} does not start at a multiple of four"
            )
        end = _read_records(data, position)[1]
        name, plain = "none", data[position:end]
        if len(plain) > limit:
            raise decoding.too_long("cpio", limit)
    else:
        packed = data[position:] if position else data
        row = compression.detect(packed)
        if row is None:
            raise FormatError(
                f"at offset {position} is neither a cpio archive nor a known compression"
            )
        plain, end = row.decode_first(packed, limit)
        name, end = row.name, position + end
    return Segment(offset=position, size=end - position, compression=name, data=plain)


def _read_records(data: bytes, offset: int) -> tuple[tuple[Record, ...], int, bool]:
    records: list[Record] = []
    position = offset
    # Padding is counted from the start of the buffer, as the kernel does.
    while position < len(data):
        record = _read_record(data, position)
        position = min(-(-(record.data_start + record.data_size) // 4) * 4, len(data))
        if record.name == TRAILER:
            return tuple(records), position, True
        records.append(record)
        if data[position : position + 1] in {b"", b"\0"}:
            break
    if not records:
        raise FormatError(f"no cpio archive starts at offset {offset}")
    return tuple(records), position, False


def _read_record(data: bytes, position: int) -> Record:
    where = f"the cpio header at offset {position}"
    header = data[position : position + HEADER_SIZE]
    magic = header[:6]
    if magic not in {MAGIC, MAGIC_CHECKSUM}:
        raise FormatError(f"{where} starts with {magic!r}, which is not newc")
    if len(header) < HEADER_SIZE:
        raise FormatError(f"{where} is cut short")
    if not _HEX.issuperset(header[6:]):
        raise FormatError(f"{where} has a field that is no hexadecimal number")
    fields = struct.unpack(">13I", bytes.fromhex(header[6:].decode("ascii")))
    ino, mode, uid, gid, nlink, mtime, size, major, minor, rmajor, rminor, length, total = fields
    name_start = position + HEADER_SIZE
    name = data[name_start : name_start + length]
    if not 1 < length <= MAX_NAME_SIZE or len(name) < length or name.find(b"\0") != length - 1:
        raise FormatError(f"{where} has a malformed name of {length} bytes")
    start = -(-(name_start + length) // 4) * 4
    if size > max(len(data) - start, 0):
        raise FormatError(f"{where} claims {size} bytes of data, more than there are")
    # The sum covers regular files only, in what the kernel checks and in what cpio writes.
    checked = magic == MAGIC_CHECKSUM and mode & _TYPE_MASK == _REGULAR
    if checked and sum(data[start : start + size]) & MAX_NUMBER != total:
        raise FormatError(f"{where} has a wrong checksum of its data")
    return Record(
        name=decode_name(name[:-1]),
        ino=ino,
        mode=mode,
        uid=uid,
        gid=gid,
        nlink=nlink,
        mtime=mtime,
        device=(major, minor),
        rdevice=(rmajor, rminor),
        data_start=start,
        data_size=size,
    )


def _plain_path(name: str) -> str:
    path = name.lstrip("/")
    while path.startswith("./"):
        path = path[2:].lstrip("/")
    path = path.rstrip("/")
    if path in {"", "."}:
        return ""
    try:
        return checked_path(path)
    except SpecError as error:
        raise FormatError(f"hostile name in the cpio archive: {error}") from error


def _make_entry(path: str, record: Record, content: bytes) -> Entry:
    mode, uid, gid = record.mode & 0o7777, record.uid, record.gid
    if record.file_type == _REGULAR:
        return File(path=path, mode=mode, uid=uid, gid=gid, content=Bytes(content))
    if record.file_type == _DIRECTORY:
        return Directory(path=path, mode=mode, uid=uid, gid=gid)
    if record.file_type == _SYMLINK:
        if not content or b"\0" in content:
            raise FormatError(f"the symlink {path!r} in the cpio archive has no valid target")
        return Symlink(path=path, mode=mode, uid=uid, gid=gid, target=decode_name(content))
    kind = _NODE_KINDS.get(record.file_type)
    if kind is None:
        raise FormatError(f"{path!r} in the cpio archive has the mode {record.mode:#o}")
    major, minor = record.rdevice
    return Node(path=path, mode=mode, uid=uid, gid=gid, kind=kind, major=major, minor=minor)
