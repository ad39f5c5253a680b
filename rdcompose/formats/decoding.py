"""Decoding compressed streams in bounded pieces, with every silent end closed.

The decoders of the standard library stop without a word when the input ends early, and
leave what follows a stream to the caller. Here a cut stream and bytes behind the last
stream are errors, concatenated streams are one, and no call returns more than it is
asked for, whatever the ratio: a decompression bomb costs time, never memory.
"""

from __future__ import annotations

import bz2
import dataclasses
import lzma
import zlib
from typing import TYPE_CHECKING, BinaryIO, Final, Protocol

from rdcompose.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

PIECE: Final = 1 << 20
READ: Final = 1 << 18
# Enough for the dictionary of xz -9 (64 MiB); a file can ask for 4 GiB.
XZ_MEMORY: Final = 128 << 20


class Decoder(Protocol):
    """One stream being decoded: the interface of bz2 and lzma in the standard library."""

    @property
    def eof(self) -> bool:
        """Whether the end of the stream has been seen and checked."""
        ...

    @property
    def needs_input(self) -> bool:
        """Whether more output takes more input."""
        ...

    @property
    def unused_data(self) -> bytes:
        """What followed the end of the stream in the input."""
        ...

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """Decode; at most ``max_length`` bytes are returned."""
        ...


class GzipDecoder:
    """One gzip member (RFC 1952), with zlib's checks of CRC and length."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
        self._full = False

    @property
    def eof(self) -> bool:
        """Whether the trailer has been seen and checked."""
        return self._inner.eof

    @property
    def needs_input(self) -> bool:
        """Whether more output takes more input."""
        return not (self._full or self._inner.unconsumed_tail or self._inner.eof)

    @property
    def unused_data(self) -> bytes:
        """What followed the member in the input."""
        return self._inner.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """Decode; at most ``max_length`` bytes are returned."""
        tail = self._inner.unconsumed_tail
        out = self._inner.decompress(tail + data if tail else data, max_length)
        # A full answer may leave output inside zlib even when all input is taken.
        self._full = len(out) == max_length
        return out


@dataclasses.dataclass(frozen=True, slots=True)
class Format:
    """A compressed format that a :class:`Decoder` reads.

    ``padding``: zero bytes behind a stream belong to the file, in multiples of this;
    0 allows none.
    """

    name: str
    open: Callable[[], Decoder]
    padding: int = 0


GZIP: Final = Format("gzip", GzipDecoder, 1)
BZIP2: Final = Format("bzip2", bz2.BZ2Decompressor)
XZ: Final = Format("xz", lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=XZ_MEMORY), 4)
LZMA: Final = Format("lzma", lambda: lzma.LZMADecompressor(lzma.FORMAT_ALONE, memlimit=XZ_MEMORY))

# What the decoders raise on damaged input.
_ERRORS: Final = (zlib.error, lzma.LZMAError, OSError, ValueError)


def read_range(source: BinaryIO, offset: int, size: int, *, piece: int = READ) -> Iterator[bytes]:
    """Yield ``size`` bytes of a seekable file from ``offset`` on, in pieces.

    The file may be moved between two pieces.

    :raises FormatError: the file ends earlier.
    """
    end = offset + size
    while offset < end:
        source.seek(offset)
        data = source.read(min(piece, end - offset))
        if not data:
            raise FormatError(f"the file ends at offset {offset}, {end - offset} bytes too early")
        yield data
        offset += len(data)


def decode_stream(kind: Format, chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the decoded bytes of all streams in ``chunks``, in pieces of at most 1 MiB.

    :raises FormatError: damaged, cut, or followed by something else.
    """
    decoder = kind.open()
    padding = 0
    for chunk in chunks:
        data = chunk
        while data:
            if decoder.eof:
                rest = data.lstrip(b"\0") if kind.padding else data
                padding += len(data) - len(rest)
                data = rest
                if not data:
                    break
                _check_padding(kind, padding)
                decoder, padding = kind.open(), 0
            yield from drive(kind, decoder, data)
            data = decoder.unused_data if decoder.eof else b""
    if not decoder.eof:
        raise cut(kind.name)
    _check_padding(kind, padding)


def decode_first(kind: Format, data: bytes, *, limit: int) -> tuple[bytes, int]:
    """Decode the stream that ``data`` starts with, and return where it ends, too.

    :raises FormatError: damaged, cut, or longer than ``limit`` bytes when decoded.
    """
    decoder = kind.open()
    out = _decompress(kind, decoder, data, limit + 1)
    if len(out) > limit:
        raise too_long(kind.name, limit)
    if not decoder.eof:
        raise cut(kind.name)
    return out, len(data) - len(decoder.unused_data)


def too_long(name: str, limit: int) -> FormatError:
    """Return the error for data that unpacks to more than is allowed."""
    return FormatError(f"the {name} data unpacks to more than {limit} bytes")


def drive(kind: Format, decoder: Decoder, data: bytes) -> Iterator[bytes]:
    """Yield what comes out of a decoder for more input, in pieces of at most 1 MiB.

    :raises FormatError: damaged.
    """
    while True:
        out = _decompress(kind, decoder, data, PIECE)
        data = b""
        if out:
            yield out
        if decoder.eof or decoder.needs_input:
            return


def _decompress(kind: Format, decoder: Decoder, data: bytes, max_length: int) -> bytes:
    try:
        return decoder.decompress(data, max_length)
    except _ERRORS as error:
        raise FormatError(f"the {kind.name} data is damaged: {error}") from error


def _check_padding(kind: Format, padding: int) -> None:
    if kind.padding and padding % kind.padding:
        raise FormatError(f"the {kind.name} data is followed by {padding} zero bytes")


def cut(name: str) -> FormatError:
    """Return the error for data that ends too early."""
    return FormatError(f"the {name} data is cut short")
