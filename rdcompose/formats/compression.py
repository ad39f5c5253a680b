"""The compressors of an initramfs, of modules and of packages, in one table.

What the kernel unpacks and how strict it is: lib/decompress.c and its siblings. It takes
xz with no check or CRC32 only, zstd windows up to 128 MiB, and of lz4 the legacy frame,
which has no end mark. Frames: RFC 1952 (gzip), RFC 8878 (zstd), "LZ4 Frame Format",
section Legacy frame.

The same data, name and level give the same bytes with the same libraries, always: nothing
is compressed with threads, and no time or name is stored.
"""

from __future__ import annotations

import dataclasses
import io
import lzma
import struct
import zlib
from typing import TYPE_CHECKING, BinaryIO, Final

from rdcompose.errors import FormatError, SpecError
from rdcompose.formats import decoding, lz4_legacy, xz, zstd

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from zstandard import ZstdCompressionParameters

# Each stream costs a copy of what follows it, so a file of tiny ones would take hours.
MAX_STREAMS: Final = 1024
_LENGTH: Final = struct.Struct("<I")
# ID1 ID2 CM FLG, MTIME, XFL, OS
_GZIP_HEADER: Final = struct.Struct("<4s I B B")
# What goes back further takes more memory from the machine that boots than it saves.
_XZ_DICTIONARY: Final = 32 << 20
_ZSTD_WINDOW_LOG: Final = 25


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Compression:
    """A row of the table.

    ``levels`` is empty where none can be given; ``default_level`` is ``None`` there.
    ``magics``: what a file of the format starts with, any of them.
    """

    name: str
    suffix: str
    magics: tuple[bytes, ...] = ()
    levels: range = range(0)
    default_level: int | None = None
    compress: Callable[[bytes, int], bytes] | None = None
    decode_first: Callable[[bytes, int], tuple[bytes, int]]


def parse_compression(text: str) -> tuple[str, int | None]:
    """Parse ``NAME[:LEVEL]`` as users write it; without a level it is ``None``.

    :raises SpecError: no such name, or not a level of that compressor.
    """
    name, colon, digits = text.partition(":")
    if not colon:
        _choose(name, None)
        return name, None
    if not (digits.isascii() and digits.isdigit() and len(digits) < 4):
        raise SpecError(f"{text!r}: the level {digits!r} is no number", hint=_hint(name))
    _choose(name, int(digits))
    return name, int(digits)


def compress(name: str, data: bytes, level: int | None = None) -> bytes:
    """Compress into one stream or frame that the kernel can unpack.

    :raises SpecError: no such name or level.
    :raises UnsupportedError: the library for this compressor is not installed.
    """
    row, level = _choose(name, level)
    assert row.compress is not None
    return row.compress(data, level)


def detect(data: bytes) -> Compression | None:
    """Return the format that ``data`` starts with, or ``None`` if it is none of the table."""
    for row in TABLE:
        if data.startswith(row.magics):
            return row
    return None


def decompress(data: bytes, *, limit: int) -> bytes:
    """Decompress a whole file, whatever its format; several streams are one.

    Zero bytes behind a stream are padding.

    :raises FormatError: in no known format, damaged, cut, followed by other data, or
        longer than ``limit`` bytes when unpacked.
    :raises UnsupportedError: the library for this format is not installed.
    """
    row = detect(data)
    if row is None:
        raise FormatError(f"no known compression: the data starts with {data[:6].hex(' ')}")
    pieces: list[bytes] = []
    have = 0
    while data:
        if len(pieces) == MAX_STREAMS:
            raise FormatError(f"the {row.name} data is more than {MAX_STREAMS} streams")
        piece, end = row.decode_first(data, limit - have)
        pieces.append(piece)
        have += len(piece)
        # Most files are one stream to the end; nothing is copied for them.
        data = data[end:].lstrip(b"\0") if end < len(data) else b""
        if data and not data.startswith(row.magics):
            raise FormatError(f"the {row.name} data is followed by other data")
    return b"".join(pieces)


def decode(
    name: str, source: BinaryIO, offset: int, size: int, *, threads: int = 1
) -> Iterator[bytes]:
    """Yield the decoded bytes of a compressed file within another, in bounded pieces.

    Names are those of the table, lz4 excepted. The file must be of that format. ``none``
    yields it as it is. Only xz makes use of threads.

    :raises FormatError: damaged, cut, followed by something else, or of another format.
    """
    if name == "none":
        return decoding.read_range(source, offset, size)
    source.seek(offset)
    if not source.read(min(size, 8)).startswith(BY_NAME[name].magics):
        raise FormatError(f"the data at offset {offset} is not compressed with {name}")
    if name == "xz":
        return xz.decode(source, offset, size, threads=threads)
    if name == "zstd":
        return zstd.decode(source, offset, size)
    return decoding.decode_stream(_STREAMS[name], decoding.read_range(source, offset, size))


def _choose(name: str, level: int | None) -> tuple[Compression, int]:
    row = BY_NAME.get(name)
    if row is None or row.compress is None:
        raise SpecError(f"no compressor is called {name!r}", hint=_hint(""))
    if level is None:
        return row, row.default_level or 0
    if level not in row.levels:
        raise SpecError(f"{name} has no level {level}", hint=_hint(name))
    return row, level


def _hint(name: str) -> str:
    row = BY_NAME.get(name)
    if row is None or row.compress is None:
        return f"known are {', '.join(NAMES)}; a level may follow: zstd:19"
    if not row.levels:
        return f"{name} takes no level"
    return f"the levels of {name} go from {row.levels[0]} to {row.levels[-1]}"


def _zstd(data: bytes, level: int) -> bytes:
    import zstandard

    parameters = _parameters(len(data), level)
    return zstandard.ZstdCompressor(compression_params=parameters).compress(data)


def _parameters(size: int, level: int) -> ZstdCompressionParameters:
    import zstandard

    # The window of all levels below 17 is smaller than an initramfs, in which static
    # programs repeat each other's libraries from one end to the other. That it covers the
    # data makes level 9 smaller than level 16 otherwise is, in a tenth of the time.
    window = (size - 1).bit_length()
    return zstandard.ZstdCompressionParameters.from_level(
        level,
        source_size=size,
        window_log=min(max(window, zstandard.WINDOWLOG_MIN), _ZSTD_WINDOW_LOG),
        write_content_size=True,
        write_checksum=True,
        threads=0,
    )


class ShareMeter:
    """Tells what each of several pieces adds when they are compressed as one.

    By zstd, whose blocks can be ended anywhere; that makes the sum a little more than what the
    whole takes. Nothing is kept but the window.
    """

    def __init__(self, level: int) -> None:
        import zstandard

        parameters = zstandard.ZstdCompressionParameters.from_level(
            level, window_log=_ZSTD_WINDOW_LOG
        )
        self._stream = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
        self._end_block = zstandard.COMPRESSOBJ_FLUSH_BLOCK

    def add(self, piece: Iterable[bytes]) -> int:
        """Return how many bytes a piece takes behind those before it."""
        taken = sum(len(self._stream.compress(data)) for data in piece)
        return taken + len(self._stream.flush(self._end_block))


def _gzip(data: bytes, level: int) -> bytes:
    # By hand because the module's OS byte differs between Python versions.
    deflate = zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS)
    extra_flags = {1: 4, 9: 2}.get(level, 0)
    return b"".join(
        (
            _GZIP_HEADER.pack(b"\x1f\x8b\x08\x00", 0, extra_flags, 3),
            deflate.compress(data),
            deflate.flush(),
            _LENGTH.pack(zlib.crc32(data)),
            _LENGTH.pack(len(data) & 0xFFFFFFFF),
        )
    )


def _xz(data: bytes, level: int) -> bytes:
    filters = xz_filters(len(data), level)
    return lzma.compress(data, lzma.FORMAT_XZ, lzma.CHECK_CRC32, filters=filters)


def xz_filters(size: int, level: int) -> list[dict[str, int]]:
    """Return the filter chain for ``size`` bytes: that of the level, with less memory.

    The kernel allocates the dictionary that the header states, needed or not.
    """
    preset = 1 << (18, 20, 21, 22, 22, 23, 23, 24, 25, 26)[level]
    needed = 1 << max(size - 1, 4095).bit_length()
    dictionary = min(preset, needed, _XZ_DICTIONARY)
    return [{"id": lzma.FILTER_LZMA2, "preset": level, "dict_size": dictionary}]


def _lz4_first(data: bytes, limit: int) -> tuple[bytes, int]:
    pieces: list[bytes] = []
    end, left = len(lz4_legacy.MAGIC), limit
    for piece, end in lz4_legacy.decode(io.BytesIO(data), 0, len(data)):  # noqa: B007
        left -= len(piece)
        if left < 0:
            raise decoding.too_long("lz4", limit)
        pieces.append(piece)
    return b"".join(pieces), end


def _first(kind: decoding.Format) -> Callable[[bytes, int], tuple[bytes, int]]:
    return lambda data, limit: decoding.decode_first(kind, data, limit=limit)


_STREAMS: Final = {
    kind.name: kind for kind in (decoding.GZIP, decoding.BZIP2, decoding.LZMA, decoding.XZ)
}

TABLE: Final = (
    Compression(
        name="zstd",
        suffix=".zst",
        magics=(zstd.MAGIC,),
        levels=range(1, 23),
        default_level=9,
        compress=_zstd,
        decode_first=lambda data, limit: zstd.decode_first(data, limit=limit),
    ),
    Compression(
        name="gzip",
        suffix=".gz",
        magics=(b"\x1f\x8b",),
        levels=range(1, 10),
        default_level=9,
        compress=_gzip,
        decode_first=_first(decoding.GZIP),
    ),
    Compression(
        name="xz",
        suffix=".xz",
        magics=(xz.MAGIC,),
        levels=range(10),
        default_level=6,
        compress=_xz,
        decode_first=_first(decoding.XZ),
    ),
    Compression(
        name="lz4",
        suffix=".lz4",
        magics=(lz4_legacy.MAGIC,),
        levels=range(1, 13),
        default_level=9,
        compress=lz4_legacy.encode,
        decode_first=_lz4_first,
    ),
    Compression(
        name="bzip2",
        suffix=".bz2",
        magics=(b"BZh",),
        decode_first=_first(decoding.BZIP2),
    ),
    Compression(
        name="lzma",
        suffix=".lzma",
        magics=(b"\x5d\x00",),
        decode_first=_first(decoding.LZMA),
    ),
    Compression(
        name="none",
        suffix="",
        compress=lambda data, _level: data,
        decode_first=lambda data, _limit: (data, len(data)),
    ),
)
BY_NAME: Final = {row.name: row for row in TABLE}
NAMES: Final = tuple(row.name for row in TABLE if row.compress is not None)
