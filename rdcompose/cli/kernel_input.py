"""The kernels that a build is of: read from packages or a root, and as inputs of a manifest."""

from __future__ import annotations

import contextlib
import functools
import hashlib
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from rdcompose.cli.terminal import progress
from rdcompose.compose.inputs import LOCAL_DIRECTORY, Input
from rdcompose.compose.kernelname import PREFIX
from rdcompose.errors import RdcomposeError, SpecError, UsageError
from rdcompose.kernel.package import KernelPackage, read_kernels
from rdcompose.kernel.source import DebSource

if TYPE_CHECKING:
    import io
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from rdcompose.cli.asked import Asked
    from rdcompose.cli.terminal import Advance
    from rdcompose.compose.inputs import InputFile
    from rdcompose.kernel.release import Architecture
    from rdcompose.kernel.rootfs import TreeSource
    from rdcompose.kernel.source import Source

KERNEL: Final = "kernel"


class Kernels(NamedTuple):
    """The kernels, and what they were read from: the package of the kernel itself first."""

    packages: tuple[KernelPackage, ...]
    inputs: tuple[Input, ...]


class _Read(Protocol):
    """:func:`read_kernels`, with everything but sources and release settled."""

    def __call__(
        self, sources: Sequence[Source], *, release: str | None
    ) -> tuple[KernelPackage, ...]: ...


def read_kernel(
    asked: Asked,
    files: Sequence[InputFile],
    architecture: Architecture | None,
    *,
    threads: int,
    shown: bool,
    device_trees: Callable[[str], bool] | None = None,
) -> Kernels:
    """Read what is asked for, from a root or else from the packages ``files``.

    ``architecture`` decides where a kernel can be of several; ``device_trees`` says which device
    trees are read, by their paths below the directory of them.

    :raises UsageError: a kernel is of another architecture than the one asked for.
    :raises RdcomposeError: as :mod:`rdcompose.kernel.package` does.
    """

    def reader(advance: Advance) -> _Read:
        return functools.partial(
            read_kernels,
            architecture=architecture,
            threads=threads,
            progress=advance,
            device_trees=device_trees,
        )

    if asked.root is not None:
        from rdcompose.kernel.rootfs import TreeSource

        names = str(asked.root)
        with _named(names), progress(f"reading {names}", shown=shown) as advance:
            source = TreeSource(asked.root, asked.release, device_trees=device_trees)
            found = _from_root(source, reader(advance))
    else:
        names = ", ".join(str(file.path) for file in files)
        with _named(names), progress(f"reading {files[0].path.name}", shown=shown) as advance:
            release = asked.release if asked.is_local else None
            found = _from_packages(files, release, threads, reader(advance))
    wanted = asked.architecture
    for package in found.packages:
        if wanted is not None and wanted != package.architecture:
            raise UsageError(
                f"{names}: the kernel {package.release} is for {package.architecture.name}, "
                f"not for --arch {wanted.name}"
            )
    return found


@contextlib.contextmanager
def _named(names: str) -> Iterator[None]:
    """Put where it is in front of what is wrong."""
    try:
        yield
    except OSError as error:
        where = error.filename or names
        raise SpecError(f"cannot read the kernel package {where}: {error.strerror}") from error
    except RdcomposeError as error:
        raise type(error)(f"{names}: {error.message}", hint=error.hint) from error


def _from_root(source: TreeSource, read: _Read) -> Kernels:
    packages = read([source], release=source.release)
    # Named by its release: the same files are the same input wherever they lie.
    item = Input(role=KERNEL, file=source.release, sha256=source.sha256(), source=LOCAL_DIRECTORY)
    return Kernels(packages, (item,))


def _from_packages(
    files: Sequence[InputFile], release: str | None, threads: int, read: _Read
) -> Kernels:
    with contextlib.ExitStack() as stack:
        streams = [stack.enter_context(file.path.open("rb")) for file in files]
        again = [stack.enter_context(file.path.open("rb")) for file in files]
        sources = [DebSource(stream, threads=threads) for stream in streams]
        beside = stack.enter_context(ThreadPoolExecutor(1))
        digests = beside.submit(_digests, again)
        packages = read(sources, release=release)
        found = digests.result()
    inputs = [
        Input(
            role=KERNEL,
            file=file.path.name,
            sha256=sha256,
            source=file.source,
            package=source.control.package,
            version=source.control.version,
            architecture=source.control.architecture,
            size=size,
            archive=file.archive,
        )
        for file, source, (sha256, size) in zip(files, sources, found, strict=True)
    ]
    # Whatever the order that they were given in.
    inputs.sort(key=lambda item: (not item.package.startswith(PREFIX), item.package))
    return Kernels(packages, tuple(inputs))


def _digests(streams: Iterable[io.BufferedReader]) -> list[tuple[str, int]]:
    """Return SHA-256 and size of files."""
    return [
        (hashlib.file_digest(stream, "sha256").hexdigest(), stream.tell()) for stream in streams
    ]
