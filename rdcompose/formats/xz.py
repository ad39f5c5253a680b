"""Block-parallel reading of .xz files.

Format: "The .xz File Format", version 1.2.1 (tukaani.org/xz/xz-file-format.txt); section
numbers below are of that text. xz and dpkg-deb, where they compress with threads, cut a
file into blocks and write their sizes into the index at the end of the stream. Each block
is decoded here as a stream of its own, with the file's stream flags and an index of one
record around it, so that liblzma makes all its checks: block header, sizes, and the
integrity check of the content.

Several streams and stream padding are read. Files of one block, of huge blocks, and all
files with one thread, are decoded as they come, which needs no memory for a block.
"""

from __future__ import annotations

import collections
import dataclasses
import lzma
import queue
import struct
import threading
import zlib
from typing import TYPE_CHECKING, BinaryIO, Final

from rdcompose.errors import FormatError, UnsupportedError
from rdcompose.formats import decoding

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from concurrent.futures import Future

    _Pieces = queue.SimpleQueue[bytes | None]

MAGIC: Final = b"\xfd7zXZ\x00"
# Header Magic Bytes, Stream Flags, CRC32 (2.1.1)
HEADER: Final = struct.Struct("<6s 2s I")
# CRC32, Backward Size, Stream Flags, Footer Magic Bytes (2.1.2)
FOOTER: Final = struct.Struct("<I I 2s 2s")
FOOTER_MAGIC: Final = b"YZ"
_CRC: Final = struct.Struct("<I")

# Beyond these a file is made to be a burden: an index of 1 MiB describes terabytes.
MAX_INDEX: Final = 1 << 20
MAX_RECORDS: Final = 1 << 17
# Larger blocks are not held in memory. Level 9 of xz makes blocks of 192 MiB.
MAX_BLOCK: Final = 64 << 20
# What blocks may take that are read ahead, packed and decoded. At the start more of them may,
# because whoever reads keeps nothing yet: one block that is slow to decode, as that of a kernel,
# would stop the others otherwise.
MAX_AHEAD: Final = 80 << 20
MAX_AT_START: Final = 136 << 20


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One block; ``unpadded_size`` and ``size`` (decoded) are as the index has them."""

    offset: int
    unpadded_size: int
    size: int
    stream_flags: bytes

    @property
    def padded_size(self) -> int:
        """Length in the file, a multiple of four."""
        return -(-self.unpadded_size // 4) * 4

    @property
    def cost(self) -> int:
        """The memory that the block takes until all of it has been handed on."""
        return self.padded_size + self.size


def decode(source: BinaryIO, offset: int, size: int, *, threads: int = 1) -> Iterator[bytes]:
    """Yield the decoded bytes of an .xz file that lies within another file.

    Pieces are 1 MiB at most. The index is read first, so that a cut file fails before
    anything is yielded; a damaged block fails when its turn comes. ``source`` is moved by
    the reading thread only. With several threads blocks
    of up to 80 MiB, packed and decoded, are in memory, and of 136 MiB at the start.

    :raises FormatError: damaged, cut, or no .xz file.
    :raises UnsupportedError: as :func:`read_index`.
    """
    blocks = read_index(source, offset, size)
    large = any(max(block.size, block.unpadded_size) > MAX_BLOCK for block in blocks)
    if threads < 2 or len(blocks) < 2 or large:
        chunks = decoding.read_range(source, offset, size)
        pieces = decoding.decode_stream(decoding.XZ, chunks)
    else:
        pieces = _decode_blocks(source, blocks, threads)
    total = 0
    for piece in pieces:
        total += len(piece)
        yield piece
    if total != sum(block.size for block in blocks):
        raise FormatError(f"the xz data holds {total} bytes, and its index says otherwise")


def read_index(source: BinaryIO, offset: int, size: int) -> tuple[Block, ...]:
    """Return all blocks of an .xz file in order, from the indexes of its streams.

    :raises FormatError: an index, header or footer is damaged or absent.
    :raises UnsupportedError: more than 131 072 blocks and streams, an index over 1 MiB, or
        an integrity check that liblzma does not know.
    """
    streams: list[list[Block]] = []
    end = _without_padding(source, offset, offset + size)
    count = 0
    while end > offset or not streams:
        start, blocks = _read_stream(source, offset, end)
        streams.append(blocks)
        count += len(blocks) + 1
        if count > MAX_RECORDS:
            raise UnsupportedError(f"the xz data has more than {MAX_RECORDS} blocks")
        end = _without_padding(source, offset, start)
    return tuple(block for blocks in reversed(streams) for block in blocks)


def _without_padding(source: BinaryIO, start: int, end: int) -> int:
    """Return where the stream that ends before ``end`` ends (2.2)."""
    padding = 0
    while end > start:
        size = min(decoding.READ, end - start)
        data = _read(source, end - size, size)
        kept = len(data.rstrip(b"\0"))
        padding += size - kept
        end -= size - kept
        if kept:
            break
    if padding % 4 or (padding and end == start):
        raise FormatError("the xz data has a wrong stream padding")
    return end


def _read_stream(source: BinaryIO, start: int, end: int) -> tuple[int, list[Block]]:
    """Return the offset and the blocks of the stream that ends at ``end``."""
    if end - start < HEADER.size + FOOTER.size:
        raise FormatError("the xz data is cut short: it is too small for a stream")
    footer = _read(source, end - FOOTER.size, FOOTER.size)
    crc, backward, flags, magic = FOOTER.unpack(footer)
    if magic != FOOTER_MAGIC or crc != zlib.crc32(footer[4:10]):
        raise FormatError("the xz data does not end in a stream footer: damaged or cut short")
    if flags[0] or flags[1] > 15 or not lzma.is_check_supported(flags[1]):
        # liblzma decodes such a stream, too, without checking its content.
        raise UnsupportedError(f"the xz data has an unknown check ({flags.hex()})")
    index_size = (backward + 1) * 4
    index_start = end - FOOTER.size - index_size
    if index_start < start + HEADER.size:
        raise FormatError(f"the xz index of {index_size} bytes starts before its stream")
    if index_size > MAX_INDEX:
        raise UnsupportedError(f"the xz index has {index_size} bytes, more than {MAX_INDEX}")
    records = _parse_index(_read(source, index_start, index_size))
    blocks_size = sum(-(-unpadded // 4) * 4 for unpadded, _ in records)
    first = index_start - blocks_size
    if first < start + HEADER.size:
        raise FormatError("the xz index describes more than its stream holds")
    if _read(source, first - HEADER.size, HEADER.size) != _header(flags):
        raise FormatError("the xz stream does not start where its index says")
    blocks: list[Block] = []
    for unpadded, size in records:
        block = Block(offset=first, unpadded_size=unpadded, size=size, stream_flags=flags)
        blocks.append(block)
        first += block.padded_size
    return blocks[0].offset - HEADER.size if blocks else index_start - HEADER.size, blocks


def _parse_index(raw: bytes) -> list[tuple[int, int]]:
    """Return Unpadded Size and Uncompressed Size of every record (4.1 to 4.5)."""
    body = raw[:-4]
    if raw[0] or _CRC.unpack(raw[-4:])[0] != zlib.crc32(body):
        raise FormatError("the xz index is damaged")
    count, position = _parse_number(body, 1)
    if count > len(body) // 2:
        raise FormatError(f"the xz index claims {count} records in {len(body)} bytes")
    records: list[tuple[int, int]] = []
    for _ in range(count):
        unpadded, position = _parse_number(body, position)
        size, position = _parse_number(body, position)
        # The smallest block: a header of 8 bytes cannot be undercut by one with content.
        if unpadded < 5:
            raise FormatError(f"the xz index has a block of {unpadded} bytes")
        records.append((unpadded, size))
    if len(body) - position > 3 or any(body[position:]):
        raise FormatError("the xz index has a wrong padding")
    return records


def _parse_number(raw: bytes, position: int) -> tuple[int, int]:
    """Parse a multibyte integer (1.2): seven bits a byte, lowest first, nine at most."""
    value = 0
    for shift, byte in enumerate(raw[position : position + 9]):
        value |= (byte & 0x7F) << (7 * shift)
        if byte < 0x80:
            if not byte and shift:
                break
            return value, position + shift + 1
    raise FormatError(f"the xz index has a malformed number at byte {position}")


def _format_number(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _header(flags: bytes) -> bytes:
    return HEADER.pack(MAGIC, flags, zlib.crc32(flags))


def _read(source: BinaryIO, offset: int, size: int) -> bytes:
    return b"".join(decoding.read_range(source, offset, size))


def _as_stream(block: Block, packed: collections.deque[bytes]) -> Iterator[bytes]:
    """Yield a block with its padding as an .xz file of its own, emptying ``packed``."""
    index = b"\0\1" + _format_number(block.unpadded_size) + _format_number(block.size)
    index += b"\0" * (-len(index) % 4)
    index += _CRC.pack(zlib.crc32(index))
    tail = struct.pack("<I", len(index) // 4 - 1) + block.stream_flags
    yield _header(block.stream_flags)
    while packed:
        yield packed.popleft()
    yield index + _CRC.pack(zlib.crc32(tail)) + tail + FOOTER_MAGIC


@dataclasses.dataclass(slots=True, kw_only=True)
class _Job:
    """A block that is being decoded; ``cost`` shrinks as its pieces are handed on."""

    block: Block
    future: Future[None]
    pieces: _Pieces
    cost: int


def _decode_blocks(source: BinaryIO, blocks: Sequence[Block], threads: int) -> Iterator[bytes]:
    # Imported here because it brings in logging, which most runs of the program never need.
    from concurrent.futures import ThreadPoolExecutor

    stop = threading.Event()
    waiting = collections.deque(blocks)
    jobs: collections.deque[_Job] = collections.deque()
    handed_on = 0

    def start() -> None:
        block = waiting.popleft()
        packed = collections.deque(decoding.read_range(source, block.offset, block.padded_size))
        pieces: _Pieces = queue.SimpleQueue()
        future = pool.submit(_decode_block, block, packed, pieces, stop)
        jobs.append(_Job(block=block, future=future, pieces=pieces, cost=block.cost))

    with ThreadPoolExecutor(threads, thread_name_prefix="xz") as pool:
        try:
            while waiting or jobs:
                room = _ahead(handed_on) - sum(job.cost for job in jobs)
                if waiting and (not jobs or waiting[0].cost <= room):
                    start()
                    continue
                piece = jobs[0].pieces.get()
                if piece is None:
                    jobs.popleft().future.result()
                    continue
                # The packed bytes behind a piece are gone as well, or nearly.
                jobs[0].cost -= len(piece) * jobs[0].block.cost // jobs[0].block.size
                handed_on += len(piece)
                yield piece
        finally:
            stop.set()


def _ahead(handed_on: int) -> int:
    """Return what may be ahead when so many bytes were handed on, some of them packed modules."""
    return max(MAX_AHEAD, MAX_AT_START - 2 * handed_on)


def _decode_block(
    block: Block, packed: collections.deque[bytes], pieces: _Pieces, stop: threading.Event
) -> None:
    """Put the decoded pieces of a block into the queue, and ``None`` whatever happens."""
    left = block.size
    try:
        for piece in decoding.decode_stream(decoding.XZ, _as_stream(block, packed)):
            if stop.is_set():
                return
            left -= len(piece)
            # liblzma would say so, too, but only behind the last byte of a bomb.
            if left < 0:
                raise FormatError(f"the xz block at offset {block.offset} is larger than stated")
            pieces.put(piece)
    finally:
        pieces.put(None)
