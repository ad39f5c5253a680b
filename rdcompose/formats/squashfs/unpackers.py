"""Unpacking the blocks of a squashfs image: bounded, whatever they hold.

References:
- squashfs-tools-ng, ``doc/format.adoc``, section "Compression Options": the numbers, and that
  what the options say is not needed to unpack.
- squashfs-tools, ``lzma_xz_wrapper.c``: lzma blocks are whole ``.lzma`` files, which no
  mainline kernel reads.

LZO has no maintained library that could be used here.
"""

from __future__ import annotations

import lzma
import zlib
from collections.abc import Callable
from typing import Final

from rdcompose.errors import FormatError, UnsupportedError
from rdcompose.formats.decoding import XZ_MEMORY
from rdcompose.formats.zstd import MAX_WINDOW

# Takes a block as stored and the most bytes that it may give.
Unpack = Callable[[bytes, int], bytes]

# By the number in the superblock.
NAMES: Final = {1: "gzip", 2: "lzma", 3: "lzo", 4: "xz", 5: "lz4", 6: "zstd"}


def compressor_name(number: int) -> str:
    """Return the name of a compressor.

    :raises FormatError: there is none of that number.
    """
    if (name := NAMES.get(number)) is None:
        raise FormatError(f"the squashfs image has the compressor {number}, which is none")
    return name


def unpack_function(name: str) -> Unpack:
    """Return the function that unpacks blocks of a compressor.

    It raises :class:`FormatError` where a block is damaged or gives more than it may.

    :raises UnsupportedError: there is no library for this compressor.
    """
    make = _MAKERS.get(name)
    if make is None:
        raise UnsupportedError(
            f"the squashfs image is compressed with {name}, which is not unpacked here",
            hint="unpack it with unsquashfs",
        )
    unpack = make()

    def checked(data: bytes, limit: int) -> bytes:
        out = unpack(data, limit + 1)
        if len(out) > limit:
            raise FormatError(f"a {name} block of the squashfs image is longer than {limit} bytes")
        return out

    return checked


def _damaged(name: str, error: Exception) -> FormatError:
    return FormatError(f"a {name} block of the squashfs image is damaged: {error}")


def _gzip() -> Unpack:
    def unpack(data: bytes, limit: int) -> bytes:
        decoder = zlib.decompressobj()
        try:
            out = decoder.decompress(data, limit)
        except zlib.error as error:
            raise _damaged("gzip", error) from error
        if not decoder.eof and len(out) < limit:
            raise FormatError("a gzip block of the squashfs image is cut short")
        return out

    return unpack


def _lzma_kind(name: str, kind: int) -> Callable[[], Unpack]:
    def unpack(data: bytes, limit: int) -> bytes:
        try:
            decoder = lzma.LZMADecompressor(kind, memlimit=XZ_MEMORY)
            out = decoder.decompress(data, limit)
        except lzma.LZMAError as error:
            raise _damaged(name, error) from error
        if not decoder.eof and len(out) < limit:
            raise FormatError(f"a {name} block of the squashfs image is cut short")
        return out

    return lambda: unpack


def _lz4() -> Unpack:
    try:
        import lz4.block
    except ImportError as error:
        raise UnsupportedError(
            "the squashfs image is compressed with lz4, and the Python package lz4 is not "
            "installed",
            hint="install lz4 (the extra rdcompose[lz4])",
        ) from error

    def unpack(data: bytes, limit: int) -> bytes:
        try:
            out: bytes = lz4.block.decompress(data, uncompressed_size=limit)
        except lz4.block.LZ4BlockError as error:
            raise _damaged("lz4", error) from error
        return out

    return unpack


def _zstd() -> Unpack:
    import zstandard

    context = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW)

    def unpack(data: bytes, limit: int) -> bytes:
        # Not decompress(), which believes whatever size the frame states.
        decoder = context.stream_reader(data)
        try:
            return decoder.read(limit)
        except zstandard.ZstdError as error:
            raise _damaged("zstd", error) from error

    return unpack


_MAKERS: Final[dict[str, Callable[[], Unpack]]] = {
    "gzip": _gzip,
    "lzma": _lzma_kind("lzma", lzma.FORMAT_ALONE),
    "xz": _lzma_kind("xz", lzma.FORMAT_XZ),
    "lz4": _lz4,
    "zstd": _zstd,
}
