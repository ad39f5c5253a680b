"""Reading Zstandard files, complete or not at all.

Format: RFC 8878. The library returns an empty read, and no error, where a frame is cut,
takes the stated content size for granted whatever limit it is given, and leaves what
follows a frame to the caller. So the frames are walked first: a frame is a chain of blocks
with their sizes in front (3.1.1.2), which tells where it ends and that all of it is there
without decoding anything. Skippable frames are skipped.
"""

from __future__ import annotations

import dataclasses
import io
from typing import TYPE_CHECKING, BinaryIO, Final, cast

from rdcompose.errors import FormatError
from rdcompose.formats import decoding

if TYPE_CHECKING:
    from collections.abc import Iterator

MAGIC: Final = b"\x28\xb5\x2f\xfd"
# 0x184D2A50 to 0x184D2A5F, little-endian (3.1.2)
SKIPPABLE_TAIL: Final = b"\x2a\x4d\x18"
# What the kernel and the library's own default accept: 2^27 bytes.
MAX_WINDOW: Final = 1 << 27
_DICTIONARY_ID_SIZES: Final = (0, 1, 2, 4)
_CONTENT_SIZE_SIZES: Final = (0, 2, 4, 8)


@dataclasses.dataclass(frozen=True, slots=True)
class Frame:
    """One complete frame; ``content_size`` is what its header states, if it does.

    A skippable frame has the content size 0.
    """

    offset: int
    size: int
    content_size: int | None


class _Range:
    """The part of a file that is one frame, for the library to read."""

    def __init__(self, source: BinaryIO, offset: int, size: int) -> None:
        self._source = source
        self._position = offset
        self._end = offset + size

    def read(self, size: int) -> bytes:
        self._source.seek(self._position)
        data = self._source.read(min(size, self._end - self._position))
        self._position += len(data)
        return data


def decode(source: BinaryIO, offset: int, size: int) -> Iterator[bytes]:
    """Yield the decoded bytes of a .zst file that lies within another file.

    Pieces are 1 MiB at most; a cut file fails before anything is yielded.

    :raises FormatError: damaged, cut, followed by something else, or no .zst file.
    """
    end = offset + size
    frames = [read_frame(source, offset, end)]
    while (start := frames[-1].offset + frames[-1].size) < end:
        frames.append(read_frame(source, start, end))
    for frame in frames:
        yield from decode_frame(source, frame)


def decode_frame(source: BinaryIO, frame: Frame) -> Iterator[bytes]:
    """Yield the decoded bytes of one frame, in pieces of at most 1 MiB.

    :raises FormatError: damaged.
    """
    import zstandard

    context = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW)
    part = cast("BinaryIO", _Range(source, frame.offset, frame.size))
    try:
        with context.stream_reader(part, read_size=decoding.READ) as reader:
            while piece := reader.read(decoding.PIECE):
                yield piece
    except zstandard.ZstdError as error:
        raise FormatError(f"the zstd data is damaged: {error}") from error


def decode_first(data: bytes, *, limit: int) -> tuple[bytes, int]:
    """Decode the frame that ``data`` starts with, and return where it ends, too.

    :raises FormatError: damaged, cut, or longer than ``limit`` bytes when decoded.
    """
    source = io.BytesIO(data)
    frame = read_frame(source, 0, len(data))
    if (frame.content_size or 0) > limit:
        raise decoding.too_long("zstd", limit)
    pieces: list[bytes] = []
    for piece in decode_frame(source, frame):
        pieces.append(piece)
        limit -= len(piece)
        if limit < 0:
            raise decoding.too_long("zstd", sum(map(len, pieces)) + limit)
    return b"".join(pieces), frame.size


def read_frame(source: BinaryIO, offset: int, end: int) -> Frame:
    """Return the frame that starts at ``offset``, after walking through its blocks.

    :raises FormatError: there is none, or it goes beyond ``end``.
    """
    head = _read(source, offset, min(18, end - offset))
    if head[1:4] == SKIPPABLE_TAIL and head[0] >> 4 == 5 and len(head) >= 8:
        return _inside(offset, 8 + int.from_bytes(head[4:8], "little"), 0, end)
    if not head.startswith(MAGIC) or len(head) < 6:
        raise FormatError(f"no zstd frame starts at offset {offset}: foreign or cut short")
    # Frame_Header_Descriptor (3.1.1.1.1)
    single_segment = head[4] >> 5 & 1
    dictionary_id = _DICTIONARY_ID_SIZES[head[4] & 3]
    position = 5 + (1 - single_segment) + dictionary_id
    width = _CONTENT_SIZE_SIZES[head[4] >> 6] or single_segment
    content_size = int.from_bytes(head[position : position + width], "little")
    content_size += 256 if width == 2 else 0
    position += width
    last = 0
    while not last:
        # Last_Block, Block_Type, Block_Size; an RLE block (1) holds a single byte.
        block = int.from_bytes(_read(source, offset + position, 3), "little")
        last = block & 1
        position += 3 + (1 if block >> 1 & 3 == 1 else block >> 3)
        _inside(offset, position, 0, end)
    position += 4 if head[4] & 4 else 0  # Content_Checksum_Flag
    return _inside(offset, position, content_size if width else None, end)


def _inside(offset: int, size: int, content_size: int | None, end: int) -> Frame:
    if offset + size > end:
        raise FormatError("the zstd data is cut short")
    return Frame(offset, size, content_size)


def _read(source: BinaryIO, offset: int, size: int) -> bytes:
    source.seek(offset)
    return source.read(size)
