"""The segments of an initramfs, one after the other, as a stream.

Each is an archive in the open or a compressed stream of archives, with zeros around them:
Documentation/driver-api/early-userspace/buffer-format.rst, ``unpack_to_rootfs`` in
init/initramfs.c. None is unpacked as a whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO, Final

from rdcompose.errors import FormatError, UnsupportedError
from rdcompose.formats import compression, decoding, xz
from rdcompose.formats.bytestream import ByteStream
from rdcompose.formats.first_stream import FirstStream
from rdcompose.formats.newc import MAGICS, Archive
from rdcompose.formats.newc_links import members

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rdcompose.tree import Entry

# Far more than anyone puts together.
MAX_SEGMENTS: Final = 1024
# How far zeros are looked for at once, and what a magic number takes.
_STEP: Final = 1 << 16
_MAGIC: Final = 8
_FOREIGN: Final = {
    b"\x89LZO": "it is packed with lzo, which is not unpacked here",
    b"070707": "it is a cpio archive in the old portable format, which the kernel does not know",
    b"\xc7\x71": "it is a cpio archive in the old binary format, which the kernel does not know",
    b"\x04\x22\x4d\x18": "it is an lz4 frame, of which the kernel knows only the old form (lz4 -l)",
}
# Stream Flags of an .xz file: no check, or CRC32.
_XZ_CHECK_AT: Final = 7
_XZ_CHECKS: Final = frozenset({0, 1})


class Budget:
    """How many bytes may still be unpacked, of all segments together."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._left = limit

    def spend(self, name: str, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """Pass pieces on.

        :raises FormatError: they are more than what is left.
        """
        for piece in pieces:
            self.take(name, len(piece))
            yield piece

    def take(self, name: str, size: int) -> None:
        """Count bytes.

        :raises FormatError: they are more than what is left.
        """
        self._left -= size
        if self._left < 0:
            raise decoding.too_long(name, self._limit)


class Segment:
    """A segment that is being read; ``compression`` is ``none`` for an archive in the open.

    ``offset`` is its place in the file. ``size`` (as stored) and ``unpacked`` are complete once
    all archives were read, and tell until then how far the reading has come. ``refused`` says why
    the kernel would not unpack it, ``None`` if it would.
    """

    def __init__(self, source: BinaryIO, offset: int, end: int, budget: Budget) -> None:
        self.offset = offset
        source.seek(offset)
        start = source.read(_MAGIC)
        row = compression.detect(start)
        self._packed: FirstStream | None = None
        self.refused: str | None = None
        if start.startswith(MAGICS):
            if offset % 4:
                raise FormatError(
                    f"the cpio archive at offset {offset} does not start at a multiple of four"
                )
            self.compression = "none"
            # A part of the file itself: what it takes is counted once its end is known.
            pieces = decoding.read_range(source, offset, end - offset)
            self._stream = ByteStream(pieces, position=offset)
        elif row is not None:
            self.compression = row.name
            self._packed = FirstStream(row.name, source, offset, end)
            self._stream = ByteStream(budget.spend(row.name, self._packed))
            self.refused = _refused(start)
        else:
            raise _unknown(start, offset)

    @property
    def size(self) -> int:
        """How many bytes it takes in the file."""
        return self.unpacked if self._packed is None else self._packed.size

    @property
    def unpacked(self) -> int:
        """How many bytes it has when it is unpacked."""
        return self._stream.position - (self.offset if self._packed is None else 0)

    def archives(self) -> Iterator[Archive]:
        """Yield the archives; each must have been read before the next.

        :raises FormatError: the compressed data is damaged, or the limit is exceeded.
        :raises UnsupportedError: the library for this compressor is not installed.
        """
        if self._packed is None:
            yield Archive(self._stream)
            return
        while self._stream.skip_zeros():
            yield Archive(self._stream)

    def entries(self) -> Iterator[Entry]:
        """Yield the entries of all archives, with contents that are in memory.

        :raises FormatError: as :meth:`archives` does, or an archive is damaged.
        :raises UnsupportedError: as :meth:`archives` does.
        """
        for archive in self.archives():
            for member in members(archive, keep=True):
                yield member.entry

    def holds_archive(self) -> bool:
        """Whether an archive starts it; to be asked before anything is read.

        :raises FormatError: as :meth:`archives` does.
        :raises UnsupportedError: as :meth:`archives` does.
        """
        return self._stream.skip_zeros() and self._stream.peek(6) in MAGICS


def read_segments(source: BinaryIO, end: int, *, limit: int) -> Iterator[Segment]:
    """Yield the segments of a file of ``end`` bytes; each must have been read before the next.

    Adjacent archives in the open are segments of their own.

    :raises FormatError: what is there is neither zeros nor an archive nor a known compression, or
        all of it unpacks to more than ``limit`` bytes.
    :raises UnsupportedError: it is packed with what is not unpacked here.
    """
    budget = Budget(limit)
    position = 0
    for _ in range(MAX_SEGMENTS):
        position = _skip_zeros(source, position, end)
        if position == end:
            return
        segment = Segment(source, position, end, budget)
        yield segment
        if segment.compression == "none":
            budget.take("cpio", segment.size)
        position += segment.size
    raise FormatError(f"the initramfs has more than {MAX_SEGMENTS} segments")


def is_initramfs(source: BinaryIO, end: int) -> bool:
    """Whether an archive starts a file, in the open or as the first thing that is packed.

    No more is unpacked than shows it.

    :raises FormatError: it is packed, and damaged where it starts.
    :raises UnsupportedError: it is packed with what is not unpacked here.
    """
    position = _skip_zeros(source, 0, end)
    source.seek(position)
    start = source.read(_MAGIC)
    if start.startswith(MAGICS):
        return True
    if compression.detect(start) is None:
        if (foreign := _foreign(start)) is not None:
            raise foreign
        return False
    return Segment(source, position, end, Budget(end + (64 << 20))).holds_archive()


def _skip_zeros(source: BinaryIO, position: int, end: int) -> int:
    pieces = decoding.read_range(source, position, end - position, piece=_STEP)
    stream = ByteStream(pieces, position=position)
    stream.skip_zeros()
    return stream.position


def _refused(start: bytes) -> str | None:
    """Say why the kernel does not unpack what can be unpacked here."""
    if start.startswith(xz.MAGIC) and start[_XZ_CHECK_AT] & 0xF not in _XZ_CHECKS:
        return "the kernel knows no check of .xz data but CRC32 (xz --check=crc32)"
    return None


def _foreign(start: bytes) -> UnsupportedError | None:
    why = next((why for magic, why in _FOREIGN.items() if start.startswith(magic)), None)
    return None if why is None else UnsupportedError(why)


def _unknown(start: bytes, offset: int) -> FormatError | UnsupportedError:
    return _foreign(start) or FormatError(
        f"at offset {offset} is neither a cpio archive nor a known compression"
    )
