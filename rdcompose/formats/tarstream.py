"""Entries of a tar that arrives in pieces: the one place that speaks to libarchive.

Formats: ustar, GNU and pax, as libarchive reads them (libarchive-formats(5)); calls:
archive_read(3) and archive_entry(3). libarchive-c finds and loads the library; its
wrappers are passed over because they log warnings, decode names by the locale and cost
more than the reading itself.

libarchive takes a tar that stops between two entries for complete, and cannot pass on what
goes wrong in a callback. Both are made up for here: the zero block that ends an archive
is demanded, nothing but zeros may follow it, the source is read to its end, and an
exception of the source arrives as it was raised.
"""

from __future__ import annotations

import collections
import ctypes
import dataclasses
import enum
import functools
import unicodedata
from typing import TYPE_CHECKING, Any, Final, Protocol

from rdcompose.errors import FormatError, SpecError, UnsupportedError
from rdcompose.tree import checked_path, decode_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from ctypes import _SimpleCData

# No file of a kernel package comes near; what is larger is never held in memory.
MAX_CONTENT: Final = 1 << 30
BLOCK: Final = 512

_OK: Final = 0
_EOF: Final = 1
_WARN: Final = -20
_FORMAT_PAX: Final = 0x30002  # ARCHIVE_FORMAT_TAR_PAX_INTERCHANGE


class Kind(enum.Enum):
    """What an entry of an archive is."""

    FILE = "file"
    DIRECTORY = "directory"
    SYMLINK = "symlink"
    HARDLINK = "hard link"
    OTHER = "device, fifo or socket"


_KINDS: Final = {0o100000: Kind.FILE, 0o040000: Kind.DIRECTORY, 0o120000: Kind.SYMLINK}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One entry of an archive.

    ``path`` is a plain relative one, without the ``./`` in front. ``target`` is where a
    symlink points, as stored, or the path of the entry that a hard link repeats.
    ``content`` is that of a file, and empty where it was not wanted.
    """

    path: str
    kind: Kind
    mode: int
    size: int
    mtime: int
    target: str = ""
    content: bytes = b""


def iter_tar(
    chunks: Iterable[bytes], *, wanted: Callable[[str], bool] | None = None
) -> Iterator[Member]:
    """Yield the entries of a tar in order, leaving out its root.

    ``chunks`` are the bytes of the tar in pieces of any length. They are consumed to the
    end, and closed in any case if they are a generator. Content is read for the files
    whose path is ``wanted``, by default for all.

    :raises FormatError: damaged or cut, no tar, or an entry has a hostile name.
    :raises UnsupportedError: libarchive is missing, or a wanted file exceeds 1 GiB.
    """
    archive = _Archive(chunks)
    try:
        while archive.advance():
            member = archive.member(wanted)
            if member is not None:
                yield member
        archive.finish()
    finally:
        archive.close()


def plain_path(name: str) -> str:
    """Return an archive's name for a file as a plain relative path; the root is ``""``.

    :raises FormatError: the name leads out of the tree, or no file can have it.
    """
    path = name
    while path.startswith("./"):
        path = path[2:]
    path = path.removesuffix("/")
    if path in {"", "."} and name:
        return ""
    try:
        return checked_path(path)
    except SpecError as error:
        raise FormatError(f"hostile name in the archive: {error}") from error


class _Pointer(Protocol):
    def __setitem__(self, index: int, value: ctypes.c_void_p) -> None: ...


class _Source:
    """The chunks as libarchive asks for them, with a memory of the last ones."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._kept: collections.deque[tuple[int, bytes]] = collections.deque()
        self._end = 0
        self.error: BaseException | None = None

    def read(self, _archive: int, _data: object, out: _Pointer) -> int:
        """Serve archive_read_callback(3): set the pointer, return the length."""
        try:
            chunk = self._next()
        except BaseException as error:  # noqa: BLE001 - raised again once libarchive has returned
            self.error = error
            return -1
        # The chunk stays referenced in _kept until libarchive is past it.
        out[0] = ctypes.cast(ctypes.c_char_p(chunk), ctypes.c_void_p)
        return len(chunk)

    def _next(self) -> bytes:
        for chunk in self._chunks:
            if chunk:
                self._kept.append((self._end, chunk))
                self._end += len(chunk)
                return chunk
        return b""

    def forget(self, position: int) -> None:
        """Drop the chunks that end before ``position``, but not the last one."""
        kept = self._kept
        while len(kept) > 1 and kept[1][0] <= position:
            kept.popleft()

    def rest(self, position: int) -> Iterator[bytes]:
        """Yield everything from ``position`` on, reading the source to its end."""
        for start, chunk in self._kept:
            yield chunk[max(position - start, 0) :]
        yield from self._chunks

    def close(self) -> None:
        close = getattr(self._chunks, "close", None)
        if close is not None:
            close()


class _Archive:
    """One struct archive, from opening to freeing."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._lib = _library()
        self._source = _Source(chunks)
        self._callback = self._lib.read_callback(self._source.read)
        self._entry = ctypes.c_void_p()
        self._position = 0
        self._pointer: int | None = self._lib.read_new()
        if not self._pointer:
            raise MemoryError
        self._opened = False

    def advance(self) -> bool:
        """Go to the next entry; whether there is one."""
        lib, pointer = self._lib, self._pointer
        if not self._opened:
            lib.read_support_format_tar(pointer)
            self._check(lib.read_open(pointer, None, None, self._callback, None))
            self._opened = True
        else:
            self._check(lib.read_data_skip(pointer))
        self._position = lib.filter_bytes(pointer, 0)
        self._source.forget(self._position)
        return self._check(lib.read_next_header(pointer, ctypes.byref(self._entry))) != _EOF

    def member(self, wanted: Callable[[str], bool] | None) -> Member | None:
        """Return the current entry; the root is ``None``."""
        lib, entry = self._lib, self._entry
        path = plain_path(self._text("pathname"))
        kind = _KINDS.get(lib.entry_filetype(entry), Kind.OTHER)
        target, content, size = "", b"", lib.entry_size(entry)
        if lib.entry_text["hardlink"](entry) is not None:
            kind, target, size = Kind.HARDLINK, plain_path(self._text("hardlink")), 0
        elif kind is Kind.SYMLINK:
            target = self._text("symlink")
        if not path:
            if kind is not Kind.DIRECTORY:
                raise FormatError(f"the archive has a {kind.value} for its root")
            return None
        if kind is Kind.FILE and size and (wanted is None or wanted(path)):
            content = self._content(path, size)
        return Member(
            path=path,
            kind=kind,
            mode=lib.entry_perm(entry) & 0o7777,
            size=size,
            mtime=lib.entry_mtime(entry),
            target=target,
            content=content,
        )

    def _content(self, path: str, size: int) -> bytes:
        if size > MAX_CONTENT:
            raise UnsupportedError(f"the file {path!r} has {size} bytes, over {MAX_CONTENT}")
        lib, pointer = self._lib, self._pointer
        data, length, offset = ctypes.c_void_p(), ctypes.c_size_t(), ctypes.c_longlong()
        arguments = (ctypes.byref(data), ctypes.byref(length), ctypes.byref(offset))
        pieces: list[bytes] = []
        have = 0
        while self._check(lib.read_data_block(pointer, *arguments)) != _EOF:
            if offset.value > have:  # a gap of a sparse file
                pieces.append(bytes(offset.value - have))
            pieces.append(ctypes.string_at(data.value or 0, length.value))
            have = offset.value + length.value
        if have < size:
            pieces.append(bytes(size - have))
        return b"".join(pieces)

    def _text(self, name: str) -> str:
        """Return a name of the entry, the same one whatever the locale.

        libarchive gives the bytes of ustar and GNU headers as they are. Those of pax headers
        it converts to the locale's character set and, where that is UTF-8, composes (NFC).
        """
        raw: bytes = self._lib.entry_text[name](self._entry) or b""
        if raw.isascii() or self._lib.format(self._pointer) != _FORMAT_PAX:
            return decode_name(raw)
        converted: bytes | None = self._lib.entry_utf8[name](self._entry)
        return unicodedata.normalize("NFC", decode_name(converted or raw))

    def finish(self) -> None:
        """Read the source to its end and check that the archive ended before it."""
        length = 0
        for chunk in self._source.rest(self._position):
            length += len(chunk)
            if chunk.count(0) != len(chunk):
                raise FormatError(f"the tar is followed by other data at offset {self._position}")
        if length < BLOCK:
            raise FormatError(
                f"the tar is cut short at offset {self._position}: its end mark is missing"
            )

    def _check(self, status: int) -> int:
        if self._source.error is not None:
            raise self._source.error
        if status in {_OK, _EOF}:
            return status
        text = decode_name(self._lib.error_string(self._pointer) or b"unknown error")
        if status == _WARN and "can't be converted" in text:
            return status  # the name is there as stored: _text
        raise FormatError(f"the tar is damaged or cut short near offset {self._position}: {text}")

    def close(self) -> None:
        """Free everything, the source included."""
        self._lib.read_free(self._pointer)
        self._pointer = None
        self._source.close()


class _Library:
    """The functions used, declared without the wrappers' error handling."""

    def __init__(self) -> None:
        from libarchive import ffi

        pointer, text, number = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int
        declare = functools.partial(_declare, ffi.libarchive)
        callback = self.read_callback = ffi.READ_CALLBACK
        self.read_new = declare("read_new", pointer)
        self.read_support_format_tar = declare("read_support_format_tar", number, pointer)
        opening = (pointer, pointer, pointer, callback, pointer)
        self.read_open = declare("read_open", number, *opening)
        self.read_next_header = declare("read_next_header", number, pointer, pointer)
        block = (pointer, pointer, pointer, pointer)
        self.read_data_block = declare("read_data_block", number, *block)
        self.read_data_skip = declare("read_data_skip", number, pointer)
        self.read_free = declare("read_free", number, pointer)
        self.filter_bytes = declare("filter_bytes", ctypes.c_longlong, pointer, number)
        self.format = declare("format", number, pointer)
        self.error_string = declare("error_string", text, pointer)
        self.entry_filetype = declare("entry_filetype", number, pointer)
        self.entry_perm = declare("entry_perm", number, pointer)
        self.entry_size = declare("entry_size", ctypes.c_longlong, pointer)
        self.entry_mtime = declare("entry_mtime", ffi.c_time_t, pointer)
        # Functions by what they return: the name in the locale, and the same in UTF-8.
        names = ("pathname", "symlink", "hardlink")
        self.entry_text = {name: declare(f"entry_{name}", text, pointer) for name in names}
        self.entry_utf8 = {name: declare(f"entry_{name}_utf8", text, pointer) for name in names}


def _declare(
    library: ctypes.CDLL,
    name: str,
    result: type[_SimpleCData[Any]],
    *arguments: type[_SimpleCData[Any]],
) -> Callable[..., Any]:
    # Indexing makes a function object of our own; an attribute would be the wrapper's.
    function = library[f"archive_{name}"]
    function.restype = result
    function.argtypes = arguments
    return function


@functools.cache
def _library() -> _Library:
    try:
        return _Library()
    except (ImportError, AttributeError, OSError) as error:
        # Without the library the wrapper opens the main program and misses a symbol there.
        raise UnsupportedError(
            f"libarchive cannot be loaded: {error}",
            hint="install libarchive (on Debian: apt install libarchive13, from Debian 13 on"
            " libarchive13t64), or let the environment variable LIBARCHIVE name the library",
        ) from error
