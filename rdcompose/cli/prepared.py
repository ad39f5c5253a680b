"""Kernels that were read before, and blocks that were compressed before, in the cache.

What is found there is what reading and compressing would give: a kernel counts only if the
SHA-256 of what it was read from is that of what is at hand now. Without a cache that can be
read or written, everything is done anew.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, Self

import rdcompose
from rdcompose.archive.cache_blocks import CachedBlocks
from rdcompose.archive.cache_files import CacheDirectory
from rdcompose.archive.cache_prepared import PreparedFiles
from rdcompose.archive.cache_values import CachedValues
from rdcompose.cli.environment import cache_directory
from rdcompose.errors import SpecError, UsageError
from rdcompose.formats.squashfs.store import BothBlocks
from rdcompose.kernel.prepared import FORMAT, DeviceTrees, Prepared, PreparedKernels

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from types import TracebackType

    from rdcompose.formats.squashfs.store import BlockStore
    from rdcompose.kernel.package import KernelPackage

# Written at once: a thread that writes waits for the others each time.
_BATCH: Final = 4 << 20
# Rooms whose code decides what is read of a kernel or a program.
_READERS: Final = ("compose", "kernel", "formats")


class Digest(NamedTuple):
    """What a file, or a directory, is; the latter has no size."""

    sha256: str
    size: int | None


class Read(NamedTuple):
    """Kernels that were read, and what they are from."""

    kernels: tuple[KernelPackage, ...]
    digests: tuple[Digest, ...]


class Origin(Protocol):
    """Where kernels are read from."""

    def sketch(self) -> Sequence[str]:
        """Return what tells most changes without reading it all."""

    def digests(self) -> tuple[Digest, ...]:
        """Return what there is to read, by reading all of it."""

    def read(self, device_trees: Callable[[str], bool] | None) -> Read:
        """Read everything."""


class KernelStore:
    """Kernels and blocks in a cache; a context manager, which ends when all is written."""

    def __init__(self, directory: Path) -> None:
        self._files = PreparedFiles(CacheDirectory(directory))
        self._stopped = threading.Event()
        self._writer: threading.Thread | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None:
            self._stopped.set()
        try:
            self._wait()
        except BaseException:
            # An interrupt: the process may end at once, and leaves nothing that is half written.
            self._stopped.set()
            self._wait()
            raise

    def obtain(
        self,
        origin: Origin,
        *,
        choice: Sequence[str | None],
        device_trees: Callable[[str], bool] | None,
    ) -> Read:
        """Return kernels as reading would; ``choice`` is what else than files decides.

        :raises RdcomposeError: as reading does.
        """
        key = _key("kernel", FORMAT, _code(), *choice, *origin.sketch())
        if (found := self._find(key, origin, device_trees)) is not None:
            return found
        wanted = None if device_trees is None else DeviceTrees(device_trees)
        read = origin.read(wanted)
        prepared = Prepared(
            kernels=read.kernels,
            inputs=_inputs(read.digests),
            device_trees=None if wanted is None else wanted.answers,
        )
        self._keep(key, prepared)
        return read

    def blocks(self, kernels: Iterable[KernelPackage]) -> CachedBlocks:
        """Return what was compressed for some kernels."""
        names = [(kernel.release, kernel.architecture.name) for kernel in kernels]
        title = _title(release for release, _ in names)
        return CachedBlocks(self._files, _key("blocks", *names), title)

    def values(self) -> CachedValues:
        """Return what else was worked out before."""
        return CachedValues(self._files, f"value {_code()}")

    def _find(
        self, key: str, origin: Origin, device_trees: Callable[[str], bool] | None
    ) -> Read | None:
        file = self._files.find(key)
        prepared = None if file is None else PreparedKernels.open(file)
        if prepared is None:
            self._files.discard(key)
            return None
        if not prepared.has_device_trees(device_trees):
            return None

        def again() -> tuple[KernelPackage, ...]:
            self._files.discard(key)
            try:
                return origin.read(device_trees).kernels
            except OSError as error:
                where = f"{error.filename}: " if error.filename else ""
                raise SpecError(f"cannot read the kernel again: {where}{error.strerror}") from error

        with ThreadPoolExecutor(1) as beside:
            digests = beside.submit(origin.digests)
            kernels = prepared.kernels(again, device_trees=device_trees is not None)
            read = digests.result()
        if kernels is None:
            self._files.discard(key)
        if kernels is None or _inputs(read) != prepared.inputs:
            return None
        return Read(kernels, read)

    def _keep(self, key: str, prepared: Prepared) -> None:
        """Write beside what follows; one at a time, since the kernels stay in memory meanwhile."""
        self._wait()
        write = functools.partial(self._write, key, prepared)
        self._writer = threading.Thread(target=write, name="prepared")
        self._writer.start()

    def _wait(self) -> None:
        if self._writer is not None:
            self._writer.join()
            self._writer = None

    def _write(self, key: str, prepared: Prepared) -> None:
        new = self._files.begin(key, _title(kernel.release for kernel in prepared.kernels))
        if new is None:
            return
        with new, contextlib.suppress(OSError):
            for batch in _batches(prepared.parts()):
                if self._stopped.is_set():
                    return
                new.write(*batch)
            new.publish()
        self._files.trim()


def kernel_store(
    arguments: argparse.Namespace,
) -> contextlib.AbstractContextManager[KernelStore | None]:
    """Return what the options say: a store, or nothing."""
    if arguments.prepared:
        # Who has no home directory, and needs none, is not asked for one.
        with contextlib.suppress(UsageError):
            return KernelStore(cache_directory(arguments.cache))
    return contextlib.nullcontext()


@contextlib.contextmanager
def kept_blocks(
    store: KernelStore | None,
    kernels: Iterable[KernelPackage],
    memory: BlockStore | None = None,
) -> Iterator[BlockStore | None]:
    """Return what was compressed for some kernels; what is added stays if no error ends it.

    ``memory`` has what was compressed by this process, whether there is a cache or not.
    """
    if store is None:
        yield memory
        return
    with store.blocks(kernels) as blocks:
        yield blocks if memory is None else BothBlocks(memory, blocks)


def _inputs(digests: Iterable[Digest]) -> tuple[str, ...]:
    return tuple(digest.sha256 for digest in digests)


def _key(*words: object) -> str:
    return hashlib.sha256(json.dumps(words).encode()).hexdigest()


def _title(releases: Iterable[str]) -> str:
    return ", ".join(releases)


@functools.cache
def _code() -> str:
    """Return what tells versions of the code apart, also those of a checkout."""
    seen: list[object] = [rdcompose.__version__]
    # Nothing is there to list where the program is one file: of that the version tells.
    with contextlib.suppress(OSError):
        for room in _READERS:
            with os.scandir(Path(rdcompose.__file__).parent / room) as files:
                status = [(file.name, file.stat()) for file in files if file.name.endswith(".py")]
            seen += sorted((name, found.st_size, found.st_mtime_ns) for name, found in status)
    return _key(*seen)


def _batches(pieces: Iterable[bytes | memoryview]) -> Iterator[list[bytes | memoryview]]:
    batch: list[bytes | memoryview] = []
    size = 0
    for piece in pieces:
        batch.append(piece)
        size += len(piece)
        if size >= _BATCH:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
