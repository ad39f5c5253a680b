"""Reader for newc archives that arrive as a stream.

Format and the kernel's reading of it: Documentation/driver-api/early-userspace/
buffer-format.rst and init/initramfs.c of the kernel. ``070701`` and ``070702`` (with checksums)
are read. Of a file no more is in memory than is asked for, and nothing that a header claims
decides how much that is.
"""

from __future__ import annotations

import dataclasses
import struct
from typing import TYPE_CHECKING, Final

from rdcompose.errors import FormatError, SpecError
from rdcompose.tree import (
    NODE_KINDS,
    Bytes,
    Content,
    Directory,
    Entry,
    File,
    Node,
    Symlink,
    checked_path,
    decode_name,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rdcompose.formats.bytestream import ByteStream

MAGIC: Final = b"070701"
MAGIC_CHECKSUM: Final = b"070702"
MAGICS: Final = (MAGIC, MAGIC_CHECKSUM)
# ino mode uid gid nlink mtime filesize maj min rmaj rmin namesize chksum, 8 digits each
HEADER_SIZE: Final = 110
TRAILER: Final = "TRAILER!!!"
MAX_NUMBER: Final = 0xFFFFFFFF
MAX_NAME_SIZE: Final = 4096  # PATH_MAX, with the NUL
# Contents up to this can be read more than once; what is larger passes by.
MAX_KEPT: Final = 64 << 20
_HEX: Final = frozenset(b"0123456789abcdefABCDEF")
_FIELDS: Final = struct.Struct(">13I")

TYPE_MASK: Final = 0o170000
REGULAR: Final = 0o100000
DIRECTORY: Final = 0o040000
SYMLINK: Final = 0o120000


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One header as stored, with the name it carries and where its data is.

    ``checksum`` is the sum of all bytes of the data, ``None`` where nothing is to be compared.
    """

    name: str
    ino: int
    mode: int
    uid: int
    gid: int
    nlink: int
    mtime: int
    device: tuple[int, int]
    rdevice: tuple[int, int]
    position: int
    data_start: int
    data_size: int
    checksum: int | None

    @property
    def file_type(self) -> int:
        """The bits of the mode that tell the type, as in inode(7)."""
        return self.mode & TYPE_MASK

    @property
    def link_key(self) -> tuple[object, ...] | None:
        """What the names of one file with several have in common; ``None`` for others."""
        if self.nlink < 2 or self.file_type == DIRECTORY:
            return None
        return self.device, self.ino, self.file_type


class Body:
    """The data of a record, which can be read while the archive is there: a content of a tree.

    What has at most :data:`MAX_KEPT` bytes is remembered once it was asked for.
    """

    __slots__ = ("_data", "_left", "_record", "_stream", "_sum")

    def __init__(self, stream: ByteStream, record: Record) -> None:
        self._stream = stream
        self._record = record
        self._left = record.data_size
        self._sum = 0
        self._data: bytes | None = None

    @property
    def size(self) -> int:
        """Length in bytes, as the header claims it."""
        return self._record.data_size

    def chunks(self, size: int) -> Iterator[bytes]:
        """Yield the data in pieces of ``size`` bytes.

        :raises FormatError: the archive ends within it, or the stream is damaged there.
        :raises ValueError: the archive has been read on, or it is too large for a second time.
        """
        if self.size <= MAX_KEPT:
            yield from Bytes(self.read()).chunks(size)
            return
        if self._left != self.size:
            raise ValueError(f"the content of {self._record.name!r} can be read only once")
        while self._left:
            yield self._take(min(size, self._left))

    def read(self) -> bytes:
        """Return all data at once.

        :raises FormatError: as :meth:`chunks` does.
        :raises ValueError: as :meth:`chunks` does.
        """
        if self._data is None:
            if self._left != self.size:
                raise ValueError(f"the content of {self._record.name!r} is not there any more")
            self._data = self._take(self.size)
        return self._data

    def _take(self, size: int) -> bytes:
        data = self._stream.read(size)
        self._passed(len(data), size)
        if self._record.checksum is not None:
            self._sum += sum(data)
        return data

    def finish(self) -> None:
        """Go on to the next record, and check what is to be checked of this one.

        :raises FormatError: the data is cut, or is not what its checksum says.
        """
        while self._left and self._record.checksum is not None:
            self._take(min(self._left, MAX_KEPT))
        left = self._left
        self._passed(self._stream.skip(left), left)
        if self._record.checksum not in {None, self._sum & MAX_NUMBER}:
            raise FormatError(f"{_where(self._record.position)} has a wrong checksum of its data")
        self._stream.skip(-self._stream.position % 4)

    def _passed(self, size: int, wanted: int) -> None:
        self._left -= size
        if size < wanted:
            raise FormatError(
                f"{_where(self._record.position)} claims {self.size} bytes of data, more than there"
                " are"
            )


class Archive:
    """The archive that a stream is at: its records, as they come.

    Padding is counted by the stream's positions, as the kernel does. A trailer may be missing
    where the stream ends, or goes on with zeros: ``has_trailer`` tells, once all is read.
    ``complete`` is the last record that was there with all of its data, however far others are.
    """

    def __init__(self, stream: ByteStream) -> None:
        self.stream = stream
        self.has_trailer = False
        self.complete: Record | None = None

    def records(self) -> Iterator[tuple[Record, Body]]:
        """Yield the records, the trailer left out; a body can be read until the next is asked for.

        :raises FormatError: damaged or cut, or no newc archive.
        """
        stream = self.stream
        start = stream.position
        follows = stream.peek(1)
        if not follows:
            raise FormatError(f"no cpio archive starts at offset {start}")
        while follows:
            record = _read_record(stream)
            body = Body(stream, record)
            if record.name == TRAILER:
                body.finish()
                self.has_trailer = True
                return
            yield record, body
            body.finish()
            self.complete = record
            follows = stream.peek(1).strip(b"\0")


def _where(position: int) -> str:
    return f"the cpio header at offset {position}"


def _read_record(stream: ByteStream) -> Record:
    position = stream.position
    header = stream.read(HEADER_SIZE)
    magic = header[:6]
    if magic not in MAGICS:
        raise FormatError(f"{_where(position)} starts with {magic!r}, which is not newc")
    if len(header) < HEADER_SIZE:
        raise FormatError(f"{_where(position)} is cut short")
    if not _HEX.issuperset(header[6:]):
        raise FormatError(f"{_where(position)} has a field that is no hexadecimal number")
    fields = _FIELDS.unpack(bytes.fromhex(header[6:].decode("ascii")))
    ino, mode, uid, gid, nlink, mtime, size, major, minor, rmajor, rminor, length, total = fields
    name = stream.read(length) if 1 < length <= MAX_NAME_SIZE else b""
    if not name or len(name) < length or name.find(b"\0") != length - 1:
        raise FormatError(f"{_where(position)} has a malformed name of {length} bytes")
    stream.skip(-stream.position % 4)
    # The sum covers regular files only, in what the kernel checks and in what cpio writes.
    checked = magic == MAGIC_CHECKSUM and mode & TYPE_MASK == REGULAR
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
        position=position,
        data_start=stream.position,
        data_size=size,
        checksum=total if checked else None,
    )


def plain_path(name: str) -> str:
    """Return the path that a name in an archive means; the root is ``""``.

    :raises FormatError: it leads out of the tree, or no file can have it.
    """
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


def make_entry(path: str, record: Record, body: Content) -> Entry:
    """Return a record as an entry of a tree; of a symlink the body is read.

    :raises FormatError: it is of no known type, or a symlink without a valid target.
    """
    mode, uid, gid = record.mode & 0o7777, record.uid, record.gid
    if record.file_type == REGULAR:
        return File(path=path, mode=mode, uid=uid, gid=gid, content=body)
    if record.file_type == DIRECTORY:
        return Directory(path=path, mode=mode, uid=uid, gid=gid)
    if record.file_type == SYMLINK:
        # The kernel passes over longer ones.
        target = b"".join(body.chunks(MAX_NAME_SIZE)) if body.size <= MAX_NAME_SIZE else b""
        if not target or b"\0" in target:
            raise FormatError(f"the symlink {path!r} in the cpio archive has no valid target")
        return Symlink(path=path, mode=mode, uid=uid, gid=gid, target=decode_name(target))
    kind = NODE_KINDS.get(record.file_type)
    if kind is None:
        raise FormatError(f"{path!r} in the cpio archive has the mode {record.mode:#o}")
    major, minor = record.rdevice
    return Node(path=path, mode=mode, uid=uid, gid=gid, kind=kind, major=major, minor=minor)
