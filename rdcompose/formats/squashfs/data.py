"""Data blocks: the contents of all files, compressed by several threads.

The order of the blocks is that of the files, whatever thread is done first, and contents
that are equal are stored once. A file of a block or more has blocks of its own, one after
the other; smaller ones share fragment blocks.

References:
- squashfs-tools-ng, ``doc/format.adoc``, section "Data and Fragment Compression"
"""

from __future__ import annotations

import collections
import dataclasses
import hashlib
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

from rdcompose.errors import FormatError
from rdcompose.formats.squashfs.fragments import FragmentPacker, FragmentTable
from rdcompose.formats.squashfs.inodes import FileData
from rdcompose.tree import read_all

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from concurrent.futures import Executor, Future

    from rdcompose.formats.squashfs.compressors import Compress
    from rdcompose.formats.squashfs.fragments import Place
    from rdcompose.tree import File

_STORED: Final = 1 << 24
# Small blocks go to a thread by the batch: passing work on costs as much as packing 4 KiB.
_BATCH: Final = 256 * 1024
# Jobs ahead of the writing, for each thread. A job holds one batch or one block.
_LOOK_AHEAD: Final = 3
_HASH_PIECE: Final = 1024 * 1024


class Output(Protocol):
    """What an image is written to: a binary file, or a window of one."""

    def write(self, data: bytes, /) -> int:
        """Write all of the data at the current position."""
        ...

    def seek(self, offset: int, /) -> int:
        """Move to an offset from the start."""
        ...


@dataclasses.dataclass(frozen=True, slots=True)
class Block:
    """A block as it goes into the image; no data and size 0 is a hole of ``length`` bytes."""

    data: bytes
    stored_size: int
    length: int


@dataclasses.dataclass(slots=True)
class _Stored:
    """Content of one or more files; filled in while its blocks are written."""

    size: int
    place: Place | None = None
    start: int = 0
    blocks: list[int] = dataclasses.field(default_factory=list)
    holes: int = 0

    def file_data(self) -> FileData:
        if self.place is not None:
            return FileData(size=self.size, fragment=self.place.fragment, offset=self.place.offset)
        return FileData(
            size=self.size, start=self.start, blocks=tuple(self.blocks), holes=self.holes
        )


class DataWriter:
    """Writes contents to the image, from ``start`` on.

    ``compress`` is called from the executor's threads. At most ``3 * threads`` jobs, each of
    one block or 256 KiB, are ahead of the writing; that bounds the memory in use.
    """

    def __init__(
        self,
        out: Output,
        executor: Executor,
        compress: Compress,
        *,
        start: int,
        block_size: int,
        threads: int,
    ) -> None:
        self.position = start
        self.fragments = FragmentTable()
        self.blocks = 0
        self.duplicates = 0
        self._out = out
        self._executor = executor
        self._compress = compress
        self._block_size = block_size
        self._batch = max(block_size, _BATCH)
        self._max_jobs = _LOOK_AHEAD * threads
        self._packer = FragmentPacker(block_size)
        self._jobs: collections.deque[tuple[Future[list[Block]], _Stored | None]]
        self._jobs = collections.deque()

    def write(self, files: Sequence[File]) -> list[FileData]:
        """Write the contents of files; return where each one is, in the same order.

        :raises FormatError: a content is longer or shorter than its size.
        """
        digests = self._digests(files)
        known: dict[bytes, _Stored] = {}
        stored: list[_Stored] = []
        for number, file in enumerate(files):
            digest = digests.get(number)
            found = None if digest is None else known.get(digest)
            if found is None:
                found = self._add(file)
                if digest is not None:
                    known[digest] = found
            else:
                self.duplicates += 1
            stored.append(found)
        self._submit_fragment(self._packer.take())
        while self._jobs:
            self._write_oldest()
        return [content.file_data() for content in stored]

    def _digests(self, files: Sequence[File]) -> dict[int, bytes]:
        """Digests of the files that are not the only ones of their size."""
        sizes = collections.Counter(file.content.size for file in files)
        numbers = [
            number
            for number, file in enumerate(files)
            if file.content.size and sizes[file.content.size] > 1
        ]
        found = self._executor.map(_digest, (files[number] for number in numbers))
        return dict(zip(numbers, found, strict=True))

    def _add(self, file: File) -> _Stored:
        size = file.content.size
        stored = _Stored(size)
        if not size:
            return stored
        if size < self._block_size:
            stored.place, full = self._packer.add(file)
            self._submit_fragment(full)
            return stored
        for piece in _pieces(file, self._batch):
            self._submit(stored, partial(_pack_blocks, piece, self._block_size, self._compress))
        return stored

    def _submit_fragment(self, files: Sequence[File]) -> None:
        if files:
            self._submit(None, partial(_pack_fragment, files, self._compress))

    def _submit(self, target: _Stored | None, job: Callable[[], list[Block]]) -> None:
        while len(self._jobs) >= self._max_jobs:
            self._write_oldest()
        self._jobs.append((self._executor.submit(job), target))

    def _write_oldest(self) -> None:
        job, target = self._jobs.popleft()
        for block in job.result():
            if target is None:
                self.fragments.add(self.position, block.stored_size)
            else:
                target.start = target.start or self.position
                target.blocks.append(block.stored_size)
                target.holes += 0 if block.stored_size else block.length
            if block.data:
                self._out.write(block.data)
                self.position += len(block.data)
                self.blocks += 1


def _digest(file: File) -> bytes:
    digest = hashlib.sha256()
    for piece in file.content.chunks(_HASH_PIECE):
        digest.update(piece)
    return digest.digest()


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


def _pack_fragment(files: Sequence[File], compress: Compress) -> list[Block]:
    contents = []
    for file in files:
        data = read_all(file.content)
        if len(data) != file.content.size:
            raise _wrong_size(file, len(data))
        contents.append(data)
    return [_pack(b"".join(contents), compress)]
