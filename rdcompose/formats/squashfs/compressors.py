"""The compressors of a squashfs image, as the kernel and squashfs-tools read them.

References:
- squashfs-tools-ng, ``doc/format.adoc``, section "Compression Options"
- Linux, ``fs/squashfs/*_wrapper.c``: a zstd window or an xz dictionary may not be
  larger than a block (or than 8 KiB, where blocks are smaller), xz needs the CRC32
  check or none, and lz4 needs its options block.

Only lz4 has an options block here: the others are read without one, and then with
their defaults. The x86 filter of xz is not used, so one writer serves every architecture.
"""

from __future__ import annotations

import dataclasses
import struct
import threading
from collections.abc import Callable
from typing import Final

from rdcompose.errors import SpecError, UnsupportedError

METADATA_SIZE: Final = 8192
Compress = Callable[[bytes], bytes]

# version (1: the LZ4 block format), flags (1: compressed in high compression mode)
LZ4_OPTIONS: Final = struct.pack("<II", 1, 1)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Compressor:
    """One row of the table.

    ``number`` is the superblock's; ``make`` takes a level and a block size and gives a
    function that one thread at a time may call; ``version`` names what else its output
    follows from.
    """

    number: int
    default_level: int
    levels: range
    make: Callable[[int, int], Compress]
    version: Callable[[], str]
    options: bytes = b""


def _zstd(level: int, _block_size: int) -> Compress:
    import zstandard

    # The content size, which compress() announces, keeps the window within the block.
    context = zstandard.ZstdCompressor(level=level, write_content_size=True, write_checksum=False)
    return context.compress


def _gzip(level: int, _block_size: int) -> Compress:
    import zlib

    return lambda data: zlib.compress(data, level)


def _xz(level: int, block_size: int) -> Compress:
    import lzma

    dictionary = max(block_size, METADATA_SIZE)
    filters = [{"id": lzma.FILTER_LZMA2, "preset": level, "dict_size": dictionary}]
    return lambda data: lzma.compress(
        data, format=lzma.FORMAT_XZ, check=lzma.CHECK_CRC32, filters=filters
    )


def _lz4(level: int, _block_size: int) -> Compress:
    try:
        import lz4.block
    except ImportError as error:
        raise UnsupportedError(
            "lz4 compression needs the Python package lz4, which is not installed",
            hint="install lz4, or choose zstd, xz or gzip",
        ) from error

    def compress(data: bytes) -> bytes:
        packed: bytes = lz4.block.compress(
            data, mode="high_compression", compression=level, store_size=False
        )
        return packed

    return compress


def _zstd_version() -> str:
    import zstandard

    return ".".join(map(str, zstandard.ZSTD_VERSION))


def _zlib_version() -> str:
    import zlib

    return zlib.ZLIB_RUNTIME_VERSION


def _xz_version() -> str:
    """Name what a sample comes out as: liblzma does not tell Python its version."""
    import hashlib

    sample = b"".join(hashlib.sha256(b"%d" % (n % 700)).digest() for n in range(1024))
    return hashlib.sha256(_xz(6, len(sample))(sample)).hexdigest()


def _lz4_version() -> str:
    import lz4

    return str(lz4.library_version_number())


# The default levels are those above which kernel modules shrink by less than 5 % for each
# doubling of the time: zstd 9, gzip 9 and lz4 12 take 1.6, 10 and 20 times as long.
COMPRESSORS: Final = {
    "zstd": Compressor(
        number=6, default_level=6, levels=range(1, 23), make=_zstd, version=_zstd_version
    ),
    "xz": Compressor(number=4, default_level=6, levels=range(10), make=_xz, version=_xz_version),
    "gzip": Compressor(
        number=1, default_level=6, levels=range(1, 10), make=_gzip, version=_zlib_version
    ),
    "lz4": Compressor(
        number=5,
        default_level=6,
        levels=range(1, 13),
        make=_lz4,
        version=_lz4_version,
        options=LZ4_OPTIONS,
    ),
}
NAMES: Final = tuple(COMPRESSORS)


def find(name: str) -> Compressor:
    """Return the compressor of a name.

    :raises SpecError: squashfs, or this writer, has none of that name.
    """
    found = COMPRESSORS.get(name)
    if found is None:
        raise SpecError(
            f"squashfs images cannot be compressed with {name!r}",
            hint=f"choose one of {', '.join(NAMES)}",
        )
    return found


def _choose(name: str, level: int | None) -> tuple[Compressor, int]:
    compressor = find(name)
    chosen = compressor.default_level if level is None else level
    if chosen not in compressor.levels:
        first, last = compressor.levels[0], compressor.levels[-1]
        raise SpecError(f"{name} has the levels {first} to {last}, not {chosen}")
    return compressor, chosen


def identity(name: str, level: int | None, block_size: int) -> bytes:
    """Name all that a block's bytes follow from but its content.

    :raises SpecError: there is no such compressor or level.
    """
    compressor, chosen = _choose(name, level)
    return f"{name} {chosen} {block_size} {compressor.version()}".encode()


def compress_function(name: str, level: int | None, block_size: int) -> Compress:
    """Return a function that compresses one block and that any thread may call.

    Every thread has a context of its own; the same block gives the same bytes in each.

    :raises SpecError: there is no such compressor or level.
    :raises UnsupportedError: the compressor's Python package is missing.
    """
    compressor, chosen = _choose(name, level)
    contexts = threading.local()
    # Made here, not at first use, so that a missing package shows before any work.
    contexts.compress = compressor.make(chosen, block_size)

    def compress(data: bytes) -> bytes:
        own: Compress | None = getattr(contexts, "compress", None)
        if own is None:
            own = contexts.compress = compressor.make(chosen, block_size)
        return own(data)

    return compress
