"""An initramfs of any maker: its segments, and what the kernel makes of them.

Reference: ``init/initramfs.c`` and ``lib/decompress*.c`` of Linux, and
Documentation/driver-api/early-userspace/buffer-format.rst.
"""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Final

from rdcompose.errors import FormatError, UnsupportedError
from rdcompose.formats import compression, cpio, decoding, zstd
from rdcompose.inspect.artifact import Initramfs, SegmentFacts
from rdcompose.inspect.contents import examine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rdcompose.tree import Entry

# An initramfs of more is none that anybody boots.
MAX_UNPACKED: Final = 1 << 30
_MAGICS: Final = (cpio.MAGIC, cpio.MAGIC_CHECKSUM)
_ZEROS: Final = re.compile(rb"\0*")
_LZ4_HEADER: Final = 8
_STREAMS: Final = {
    kind.name: kind for kind in (decoding.GZIP, decoding.BZIP2, decoding.LZMA, decoding.XZ)
}
_FOREIGN: Final = {
    b"\x89LZO": "it is packed with lzo, which is not unpacked here",
    b"\x04\x22\x4d\x18": "it is an lz4 frame, of which the kernel knows only the old form (lz4 -l)",
}
_XZ_CHECK_AT: Final = 7
_XZ_NO_CHECK: Final = 0
_XZ_CRC32: Final = 1


def is_initramfs(data: bytes) -> bool:
    """Whether an archive starts the data, in the open or as the first thing that is packed.

    :raises FormatError: it is packed, and damaged where it starts.
    :raises UnsupportedError: it is packed with what is not unpacked here.
    """
    start = _skip_zeros(data, 0)
    if data.startswith(_MAGICS, start):
        return True
    packed = data[start:] if start else data
    for magic, why in _FOREIGN.items():
        if packed.startswith(magic):
            raise UnsupportedError(why)
    row = compression.detect(packed)
    if row is None:
        return False
    inside = _unpacked_start(row.name, packed)
    return inside.startswith(_MAGICS, _skip_zeros(inside, 0))


def _unpacked_start(name: str, packed: bytes) -> bytes:
    """Unpack no more than is needed to see what it is."""
    if name == "lz4":
        # The first block of the frame is a frame, too.
        size = _LZ4_HEADER + int.from_bytes(packed[4:_LZ4_HEADER], "little")
        return compression.decompress_first(packed[:size], limit=compression.LZ4_BLOCK)[0]
    if name == "zstd":
        source = io.BytesIO(packed)
        pieces = zstd.decode_frame(source, zstd.read_frame(source, 0, len(packed)))
    else:
        pieces = decoding.decode_stream(_STREAMS[name], [packed])
    return next(pieces, b"")


def read_initramfs(data: bytes) -> tuple[Initramfs, str | None]:
    """Read an initramfs; returns what could be read, and why the rest could not.

    The message is ``None`` if all could be read.
    """
    reading = _Reading(data)
    contents = examine(reading.entries(), disk=False)
    return Initramfs(tuple(reading.segments), contents), reading.problem


def initramfs_entries(data: bytes) -> Iterator[Entry]:
    """Yield what all segments hold, in the order in which it is stored.

    :raises FormatError: it is damaged.
    :raises UnsupportedError: it is packed with what is not unpacked here.
    """
    for segment in cpio.segments(data, limit=MAX_UNPACKED):
        yield from archive_entries(segment.data)


class _Reading:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self.segments: list[SegmentFacts] = []
        self.problem: str | None = None

    def entries(self) -> Iterator[Entry]:
        try:
            for segment in cpio.segments(self._data, limit=MAX_UNPACKED):
                facts = SegmentFacts(
                    segment.offset,
                    segment.size,
                    segment.compression,
                    len(segment.data),
                    _refused(self._data, segment),
                )
                self.segments.append(facts)
                yield from archive_entries(segment.data)
        except (FormatError, UnsupportedError) as error:
            self.problem = error.message


def archive_entries(data: bytes) -> Iterator[Entry]:
    """Yield the entries of archives that follow each other, zeros between them.

    :raises FormatError: one is damaged.
    """
    position = _skip_zeros(data, 0)
    while position < len(data):
        reader = cpio.read_newc(data, position)
        yield from reader
        position = _skip_zeros(data, reader.end)


def _refused(data: bytes, segment: cpio.Segment) -> str | None:
    """Say why the kernel does not unpack what can be unpacked here."""
    if segment.compression == "xz":
        check = data[segment.offset + _XZ_CHECK_AT] & 0xF
        if check not in {_XZ_NO_CHECK, _XZ_CRC32}:
            return "the kernel knows no check of .xz data but CRC32 (xz --check=crc32)"
    return None


def _skip_zeros(data: bytes, position: int) -> int:
    found = _ZEROS.match(data, position)
    return found.end() if found is not None else position
