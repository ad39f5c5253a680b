"""The form of lz4 that the kernel knows: a magic number, and blocks until something else comes.

Format: "LZ4 Frame Format", section Legacy frame; lib/decompress_unlz4.c of Linux. It has no end
mark: it ends where what follows can be no block.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, BinaryIO, Final

from rdcompose.errors import FormatError, UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

MAGIC: Final = b"\x02\x21\x4c\x18"
BLOCK: Final = 8 << 20
# The most that a block of incompressible data takes: LZ4_compressBound.
_BOUND: Final = BLOCK + BLOCK // 255 + 16
_LENGTH: Final = struct.Struct("<I")


def encode(data: bytes, level: int) -> bytes:
    """Return the data as a frame.

    :raises UnsupportedError: the library is not installed.
    """
    block = _library()
    mode = {"mode": "default"} if level < 3 else {"mode": "high_compression", "compression": level}
    out = [MAGIC]
    for start in range(0, len(data), BLOCK):
        packed = block.compress(data[start : start + BLOCK], store_size=False, **mode)
        out += (_LENGTH.pack(len(packed)), packed)
    return b"".join(out)


def decode(source: BinaryIO, offset: int, end: int) -> Iterator[tuple[bytes, int]]:
    """Yield the blocks of the frame at an offset, each with how many bytes the frame has so far.

    :raises FormatError: a block is cut or damaged.
    :raises UnsupportedError: the library is not installed.
    """
    block = _library()
    position = offset + len(MAGIC)
    while position + 4 <= end:
        source.seek(position)
        (size,) = _LENGTH.unpack(source.read(4))
        # Neither is a block: zeros that pad, the magic of a next frame, anything else.
        if size == 0 or size > _BOUND:
            break
        packed = source.read(min(size, end - position - 4))
        if len(packed) < size:
            raise FormatError("the lz4 data is cut short")
        try:
            piece = block.decompress(packed, uncompressed_size=BLOCK)
        except block.LZ4BlockError as error:
            raise FormatError(f"the lz4 data is damaged: {error}") from error
        position += 4 + size
        yield piece, position - offset


def _library() -> ModuleType:
    try:
        import lz4.block
    except ImportError as error:
        raise UnsupportedError(
            f"lz4 needs a library that is not installed: {error}",
            hint="install the Python package lz4 (the extra rdcompose[lz4]), or choose zstd",
        ) from error
    block: ModuleType = lz4.block
    return block
