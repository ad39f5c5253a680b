"""Contents cut into blocks and compressed, or taken from those that were before.

References:
- squashfs-tools-ng, ``doc/format.adoc``, section "Data and Fragment Compression"
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from rdcompose.errors import FormatError
from rdcompose.formats.squashfs.store import Block, data_digest
from rdcompose.tree import known_digest, read_all

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rdcompose.formats.squashfs.compressors import Compress
    from rdcompose.formats.squashfs.store import KnownBlocks
    from rdcompose.tree import File

    Job = Callable[[], list[Block]]

_STORED: Final = 1 << 24
# Small blocks go to a thread by the batch: passing work on costs as much as packing 4 KiB.
_BATCH: Final = 256 * 1024
_PIECE: Final = b"piece"
_PART: Final = b"part of content"
_FRAGMENT: Final = b"fragment"


class BlockMaker:
    """Makes jobs for threads, each of one batch of blocks or one fragment block."""

    def __init__(self, compress: Compress, block_size: int, known: KnownBlocks | None) -> None:
        self._compress = compress
        self._block_size = block_size
        self._batch = max(block_size, _BATCH)
        self._known = known

    def jobs(self, file: File) -> Iterator[Job]:
        """Yield the jobs for a file that has blocks of its own, in their order."""
        digest = known_digest(file.content)
        if self._known is None or digest is None:
            for piece in _pieces(file, self._batch):
                yield partial(self._piece, piece, None)
            return
        lengths = self._lengths(file.content.size)
        keys = [self._known.key(_PART, [digest], number) for number in range(len(lengths))]
        blocks = self._all_known(keys, lengths)
        if blocks is not None:
            for found in blocks:
                yield found.copy
            return
        for key, piece in zip(keys, _pieces(file, self._batch), strict=True):
            yield partial(self._piece, piece, key)

    def _lengths(self, size: int) -> list[int]:
        return [min(self._batch, size - start) for start in range(0, size, self._batch)]

    def _all_known(self, keys: Sequence[bytes], lengths: Sequence[int]) -> list[list[Block]] | None:
        """Return the blocks of all parts; a content with one unknown is unpacked anyway."""
        assert self._known is not None
        found = []
        for key, length in zip(keys, lengths, strict=True):
            blocks = self._known.get(key, length)
            if blocks is None:
                return None
            found.append(blocks)
        return found

    def fragment(self, files: Sequence[File]) -> list[Block]:
        """Return the block that small files share."""
        if self._known is None:
            return [_pack(b"".join(map(_content, files)), self._compress)]
        contents: dict[int, bytes] = {}
        digests = []
        for number, file in enumerate(files):
            digest = known_digest(file.content)
            if digest is None:
                contents[number] = _content(file)
                digest = data_digest(contents[number])
            digests.append(digest)
        key = self._known.key(_FRAGMENT, digests)
        blocks = self._known.get(key, sum(file.content.size for file in files))
        if blocks is None:
            whole = (
                contents[number] if number in contents else _content(file)
                for number, file in enumerate(files)
            )
            blocks = [_pack(b"".join(whole), self._compress)]
            self._known.put(key, blocks)
        return blocks

    def _piece(self, piece: bytes, key: bytes | None) -> list[Block]:
        if self._known is None:
            return _pack_blocks(piece, self._block_size, self._compress)
        key = key or self._known.key(_PIECE, [data_digest(piece)])
        blocks = self._known.get(key, len(piece))
        if blocks is None:
            blocks = _pack_blocks(piece, self._block_size, self._compress)
            self._known.put(key, blocks)
        return blocks


def _wrong_size(file: File, found: int) -> FormatError:
    return FormatError(
        f"the content of {file.path!r} has {found} bytes, but was announced with"
        f" {file.content.size}"
    )


def _pieces(file: File, length: int) -> Iterator[bytes]:
    """Yield the content, in pieces that are known to cover it exactly."""
    done = 0
    for piece in file.content.chunks(length):
        if len(piece) != min(length, file.content.size - done):
            raise _wrong_size(file, done + len(piece))
        yield piece
        done += len(piece)
    if done != file.content.size:
        raise _wrong_size(file, done)


def _content(file: File) -> bytes:
    data = read_all(file.content)
    if len(data) != file.content.size:
        raise _wrong_size(file, len(data))
    return data


def _pack(data: bytes, compress: Compress) -> Block:
    packed = compress(data)
    if len(packed) >= len(data):
        return Block(data, len(data) | _STORED, len(data))
    return Block(packed, len(packed), len(data))


def _pack_blocks(piece: bytes, block_size: int, compress: Compress) -> list[Block]:
    blocks = []
    zeros = bytes(min(block_size, len(piece)))
    for begin in range(0, len(piece), block_size):
        data = piece[begin : begin + block_size]
        if data == (zeros if len(data) == len(zeros) else zeros[: len(data)]):
            blocks.append(Block(b"", 0, len(data)))
        else:
            blocks.append(_pack(data, compress))
    return blocks
