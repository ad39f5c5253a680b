"""Where kernels are read from: packages, or a root directory."""

from __future__ import annotations

import contextlib
import functools
import hashlib
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from rdcompose.cli.prepared import Digest, Read
from rdcompose.kernel.package import read_kernels
from rdcompose.kernel.source import DebSource

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from rdcompose.cli.terminal import Advance
    from rdcompose.kernel.package import KernelPackage
    from rdcompose.kernel.release import Architecture
    from rdcompose.kernel.source import Source

# Of a package: its head has the control stanza, its end the index of the compressor.
_ENDS: Final = 4096


class Reader:
    """How sources are read: ``architecture`` decides where a kernel can be of several."""

    def __init__(
        self, architecture: Architecture | None, *, threads: int, progress: Advance
    ) -> None:
        self.architecture: Final = architecture
        self.threads: Final = threads
        self._progress = progress

    def read(
        self,
        sources: Sequence[Source],
        release: str | None,
        device_trees: Callable[[str], bool] | None,
    ) -> tuple[KernelPackage, ...]:
        """Read kernels; see :func:`rdcompose.kernel.package.read_kernels`."""
        return read_kernels(
            sources,
            release=release,
            architecture=self.architecture,
            threads=self.threads,
            progress=self._progress,
            device_trees=device_trees,
        )


class Packages:
    """The packages of a kernel, of which ``release`` is wanted if they hold several."""

    def __init__(self, paths: Sequence[Path], release: str | None, reader: Reader) -> None:
        self._paths = tuple(paths)
        self._release = release
        self._reader = reader

    def sketch(self) -> tuple[str, ...]:
        """Return size, beginning and end of each file, as digests.

        :raises OSError: one cannot be read.
        """
        found = []
        for path in self._paths:
            with path.open("rb", buffering=0) as stream:
                ends = stream.read(_ENDS)
                size = stream.seek(0, 2)
                stream.seek(max(size - _ENDS, 0))
                ends += stream.read(_ENDS)
            found.append(f"{size} {hashlib.sha256(ends).hexdigest()}")
        return tuple(found)

    def digests(self) -> tuple[Digest, ...]:
        """Return SHA-256 and size of each file.

        :raises OSError: one cannot be read.
        """
        return tuple(_digest(path) for path in self._paths)

    def read(self, device_trees: Callable[[str], bool] | None) -> Read:
        """Read the kernels, and the digests of the same files beside.

        :raises OSError: one cannot be read.
        :raises RdcomposeError: as :mod:`rdcompose.kernel.package` does.
        """
        threads = self._reader.threads
        with contextlib.ExitStack() as stack:
            streams = [stack.enter_context(path.open("rb")) for path in self._paths]
            sources = [DebSource(stream, threads=threads) for stream in streams]
            beside = stack.enter_context(ThreadPoolExecutor(1))
            digests = beside.submit(self.digests)
            kernels = self._reader.read(sources, self._release, device_trees)
            return Read(kernels, digests.result())


class Root:
    """A root directory with the kernel of ``release``, or with one only."""

    def __init__(
        self,
        path: Path,
        release: str | None,
        reader: Reader,
        device_trees: Callable[[str], bool] | None,
    ) -> None:
        """Find the kernel.

        :raises SpecError: there is none or several, or the root cannot be read.
        """
        from rdcompose.kernel.rootfs import TreeSource

        self._reader = reader
        self._find = functools.partial(TreeSource, path, release, device_trees=device_trees)
        self._source = self._find()
        self.release: Final = self._source.release

    def sketch(self) -> tuple[str, ...]:
        """Return what paths, sizes and times of the files come to.

        :raises SpecError: one cannot be read.
        """
        return (self._source.sketch(),)

    def digests(self) -> tuple[Digest, ...]:
        """Return the digest of all files.

        :raises SpecError: one cannot be read.
        """
        return (Digest(self._source.read_digest(self._reader.threads), None),)

    def read(self, device_trees: Callable[[str], bool] | None) -> Read:
        """Read the kernel.

        :raises RdcomposeError: as :mod:`rdcompose.kernel.package` does.
        """
        source = self._find()
        kernels = self._reader.read([source], source.release, device_trees)
        return Read(kernels, (Digest(source.sha256(), None),))


def _digest(path: Path) -> Digest:
    with path.open("rb", buffering=0) as stream:
        return Digest(hashlib.file_digest(stream, "sha256").hexdigest(), stream.tell())
