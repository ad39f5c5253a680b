"""Unpack what a kernel image carries inside, in pieces and within bounds.

The compressors are those of the kernel's ``scripts/Makefile.lib`` (``KERNEL_GZIP`` …);
their magics are in ``lib/decompress.c``. The end of a payload is seldom known, so
whatever follows the compressed stream is left alone. LZO is recognised, not unpacked;
LZ4 needs the optional ``lz4`` package.
"""

from __future__ import annotations

import bz2
import io
import lzma
import zlib
from typing import TYPE_CHECKING, Final

from rdcompose.errors import FormatError, UnsupportedError
from rdcompose.formats import decoding, zstd

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# No kernel comes near this; a hostile payload must not fill the memory.
MAX_UNPACKED: Final = 256 << 20
# The kernel's build packs with an xz dictionary of up to 128 MiB.
_MEMORY: Final = 256 << 20
_LZ4_BLOCK: Final = 8 << 20
# Of the weak magic of LZMA, real kernels hold a few dozen.
_MAX_HITS: Final = 10_000
# Real kernels hold two or three streams: themselves, their configuration, an initramfs.
_MAX_LAYERS: Final = 64


def _stream(name: str, data: bytes, offset: int, decoder: decoding.Decoder) -> Iterator[bytes]:
    """Decode one stream; what follows it is not looked at."""
    position = offset
    try:
        while not decoder.eof:
            chunk = b""
            if decoder.needs_input:
                chunk = data[position : position + decoding.READ]
                if not chunk:
                    raise FormatError(f"the {name} data at offset {offset} is cut")
                position += len(chunk)
            yield decoder.decompress(chunk, decoding.PIECE)
    # lzma.LZMAError and zlib.error are neither of each other nor of OSError, bz2's.
    except (zlib.error, lzma.LZMAError, OSError) as error:
        raise FormatError(f"the {name} data at offset {offset} is damaged ({error})") from error


def _gzip(data: bytes, offset: int) -> Iterator[bytes]:
    return _stream("gzip", data, offset, decoding.GzipDecoder())


def _xz(data: bytes, offset: int) -> Iterator[bytes]:
    decoder = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_MEMORY)
    return _stream("xz", data, offset, decoder)


def _lzma(data: bytes, offset: int) -> Iterator[bytes]:
    decoder = lzma.LZMADecompressor(lzma.FORMAT_ALONE, memlimit=_MEMORY)
    return _stream("lzma", data, offset, decoder)


def _bzip2(data: bytes, offset: int) -> Iterator[bytes]:
    return _stream("bzip2", data, offset, bz2.BZ2Decompressor())


def _zstd(data: bytes, offset: int) -> Iterator[bytes]:
    source = io.BytesIO(data)
    return zstd.decode_frame(source, zstd.read_frame(source, offset, len(data)))


def _lz4(data: bytes, offset: int) -> Iterator[bytes]:
    """Unpack the legacy frame: blocks with their packed size in front, no end mark."""
    try:
        import lz4.block
    except ImportError as error:
        raise UnsupportedError(
            "this kernel image is packed with LZ4, and Python's lz4 package is not installed",
            hint="install rdcompose with its extra: rdcompose[lz4]",
        ) from error
    position = offset + 4
    while (size := int.from_bytes(data[position : position + 4], "little")) > 0:
        # The kernel's build appends the unpacked size, which ends the blocks too.
        block = data[position + 4 : position + 4 + size]
        if len(block) < size:
            return
        try:
            yield lz4.block.decompress(block, uncompressed_size=_LZ4_BLOCK)
        except lz4.block.LZ4BlockError as error:
            raise FormatError(f"the lz4 data at offset {offset} is damaged ({error})") from error
        position += 4 + size


def _lzo(_data: bytes, offset: int) -> Iterator[bytes]:
    raise UnsupportedError(f"the kernel inside this image is packed with LZO (offset {offset})")


# Name, magic, unpacker. LZMA is last: its magic is weak.
_CODECS: Final[tuple[tuple[str, bytes, Callable[[bytes, int], Iterator[bytes]]], ...]] = (
    ("xz", b"\xfd7zXZ\0", _xz),
    ("gzip", b"\x1f\x8b\x08", _gzip),
    ("zstd", b"\x28\xb5\x2f\xfd", _zstd),
    ("bzip2", b"BZh", _bzip2),
    ("lz4", b"\x02\x21\x4c\x18", _lz4),
    ("lzo", b"\x89LZO\0\r\n\x1a\n", _lzo),
    ("lzma", b"\x5d\0\0", _lzma),
)


def compression_at(data: bytes, offset: int) -> str | None:
    """Name of the compressor whose magic stands at an offset."""
    for name, magic, _ in _CODECS:
        if data.startswith(magic, offset) and (name != "lzma" or _is_lzma(data, offset)):
            return name
    return None


def _is_lzma(data: bytes, offset: int) -> bool:
    """Whether the rest of the header after the three bytes of magic is plausible.

    The dictionary's size is a power of two in practice, or one and a half of it; the
    unpacked size is unknown (all ones) or within bounds. So file(1) judges too.
    """
    dictionary = int.from_bytes(data[offset + 1 : offset + 5], "little")
    size = int.from_bytes(data[offset + 5 : offset + 13], "little")
    top = 1 << max(dictionary.bit_length() - 1, 0)
    return dictionary in {top, top | top >> 1} and (size == 2**64 - 1 or size <= MAX_UNPACKED)


def candidates(data: bytes, start: int, limit: int) -> Iterator[tuple[str, int]]:
    """Yield (compressor, offset) wherever a magic stands, strong magics first.

    At most ``limit`` of each compressor; most of them are chance.
    """
    for name, magic, _ in _CODECS:
        position = data.find(magic, start)
        hits = found = 0
        while position >= 0 and hits < _MAX_HITS and found < limit:
            hits += 1
            if compression_at(data, position) == name:
                found += 1
                yield name, position
            position = data.find(magic, position + 1)


def layers(data: bytes) -> Iterator[bytes]:
    """Yield the data, and what can be unpacked inside: one is the kernel as it runs."""
    yield data
    for name, offset in candidates(data, 0, _MAX_LAYERS):
        try:
            yield b"".join(unpack(data, offset, name))
        except (FormatError, UnsupportedError):
            continue  # a magic by chance, or a compressor that is not at hand


def unpack(data: bytes, offset: int, name: str, *, limit: int = MAX_UNPACKED) -> Iterator[bytes]:
    """Yield the unpacked payload at an offset, at most ``limit`` bytes.

    :raises FormatError: it is damaged, cut, or unpacks to more than the limit.
    :raises UnsupportedError: the compressor is known but cannot be unpacked here.
    """
    codec = next(codec for known, _, codec in _CODECS if known == name)
    total = 0
    for piece in codec(data, offset):
        total += len(piece)
        if total > limit:
            raise FormatError(f"the {name} data at offset {offset} is over {limit} bytes unpacked")
        yield piece
