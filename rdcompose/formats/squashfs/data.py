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
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

from rdcompose.formats.squashfs.fragments import FragmentPacker, FragmentTable, LeftOut
from rdcompose.formats.squashfs.inodes import FileData
from rdcompose.formats.squashfs.store import content_digest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from concurrent.futures import Executor, Future

    from rdcompose.formats.squashfs.blocks import BlockMaker, Job
    from rdcompose.formats.squashfs.fragments import Place
    from rdcompose.formats.squashfs.store import Block
    from rdcompose.tree import File

# Jobs ahead of the writing, for each thread. A job holds one batch or one block.
_LOOK_AHEAD: Final = 3


class Output(Protocol):
    """What an image is written to: a binary file, or a window of one."""

    def write(self, data: bytes, /) -> int:
        """Write all of the data at the current position."""
        ...

    def seek(self, offset: int, /) -> int:
        """Move to an offset from the start."""
        ...


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

    The maker's jobs are run by the executor's threads. At most ``3 * threads`` jobs, each of
    one block or 256 KiB, are ahead of the writing; that bounds the memory in use.
    """

    def __init__(
        self,
        out: Output,
        executor: Executor,
        maker: BlockMaker,
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
        self._maker = maker
        self._block_size = block_size
        self._max_jobs = _LOOK_AHEAD * threads
        self._packer = FragmentPacker(block_size)
        self._jobs: collections.deque[tuple[Future[list[Block]], _Stored | None]]
        self._jobs = collections.deque()

    def write(self, files: Sequence[File], left_out: Mapping[str, int]) -> list[FileData]:
        """Write the contents of files; return where each one is, in the same order.

        ``left_out`` has the sizes, by path, of files that keep their room in the fragment
        blocks.

        :raises FormatError: a content is longer or shorter than its size.
        """
        digests = self._digests(files)
        absent = LeftOut(left_out, self._block_size)
        known: dict[bytes, _Stored] = {}
        stored: list[_Stored] = []
        for number, file in enumerate(files):
            for size in absent.before(file.path):
                self._leave_out(size)
            digest = digests.get(number)
            found = None if digest is None else known.get(digest)
            if found is None:
                found = self._add(file)
                if digest is not None:
                    known[digest] = found
            else:
                # It keeps its room, too: the other one may be left out elsewhere.
                self._leave_out(file.content.size)
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
        found = self._executor.map(content_digest, (files[number].content for number in numbers))
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
        for job in self._maker.jobs(file):
            self._submit(stored, job)
        return stored

    def _leave_out(self, size: int) -> None:
        if size < self._block_size:
            self._submit_fragment(self._packer.leave_out(size))

    def _submit_fragment(self, files: Sequence[File]) -> None:
        if files:
            self._submit(None, partial(self._maker.fragment, files))

    def _submit(self, target: _Stored | None, job: Job) -> None:
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
