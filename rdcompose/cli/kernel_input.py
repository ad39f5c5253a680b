"""The kernels that a build is of: read from packages or a root, and as inputs of a manifest."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final, NamedTuple

from rdcompose.cli.kernel_origin import Packages, Reader, Root
from rdcompose.cli.terminal import progress
from rdcompose.compose.inputs import LOCAL_DIRECTORY, Input
from rdcompose.compose.kernelname import PREFIX
from rdcompose.errors import RdcomposeError, SpecError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rdcompose.cli.asked import Asked
    from rdcompose.cli.prepared import KernelStore, Read
    from rdcompose.compose.inputs import InputFile
    from rdcompose.kernel.package import KernelPackage
    from rdcompose.kernel.release import Architecture

KERNEL: Final = "kernel"


class Kernels(NamedTuple):
    """The kernels, and what they were read from: the package of the kernel itself first."""

    packages: tuple[KernelPackage, ...]
    inputs: tuple[Input, ...]


def read_kernel(
    asked: Asked,
    files: Sequence[InputFile],
    architecture: Architecture | None,
    *,
    threads: int,
    shown: bool,
    device_trees: Callable[[str], bool] | None = None,
    store: KernelStore | None = None,
) -> Kernels:
    """Read what is asked for, from a root or else from the packages ``files``.

    ``architecture`` decides where a kernel can be of several; ``device_trees`` says which device
    trees are read, by their paths below the directory of them. ``store`` has what was read before,
    and keeps what is read.

    :raises UsageError: a kernel is of another architecture than the one asked for.
    :raises RdcomposeError: as :mod:`rdcompose.kernel.package` does.
    """
    if asked.root is not None:
        names = title = str(asked.root)
    else:
        names, title = ", ".join(str(file.path) for file in files), files[0].path.name
    with _named(names), progress(f"reading {title}", shown=shown) as advance:
        reader = Reader(architecture, threads=threads, progress=advance)
        origin: Packages | Root
        if asked.root is not None:
            origin = Root(asked.root, asked.release, reader, device_trees)
            release: str | None = origin.release
        else:
            release = asked.release if asked.is_local else None
            origin = Packages([file.path for file in files], release, reader)
        if store is None:
            read = origin.read(device_trees)
        else:
            choice = (release, None if architecture is None else architecture.name)
            read = store.obtain(origin, choice=choice, device_trees=device_trees)
    wanted = asked.architecture
    for package in read.kernels:
        if wanted is not None and wanted != package.architecture:
            raise UsageError(
                f"{names}: the kernel {package.release} is for {package.architecture.name}, "
                f"not for --arch {wanted.name}"
            )
    if isinstance(origin, Root):
        return Kernels(read.kernels, (_root_input(origin.release, read),))
    return Kernels(read.kernels, _package_inputs(files, read))


@contextlib.contextmanager
def _named(names: str) -> Iterator[None]:
    """Put where it is in front of what is wrong."""
    try:
        yield
    except OSError as error:
        where = error.filename or names
        reason = error.strerror or error  # of what cannot be sought in, only the text tells
        raise SpecError(f"cannot read the kernel package {where}: {reason}") from error
    except RdcomposeError as error:
        raise type(error)(f"{names}: {error.message}", hint=error.hint) from error


def _root_input(release: str, read: Read) -> Input:
    # Named by its release: the same files are the same input wherever they lie.
    return Input(role=KERNEL, file=release, sha256=read.digests[0].sha256, source=LOCAL_DIRECTORY)


def _package_inputs(files: Sequence[InputFile], read: Read) -> tuple[Input, ...]:
    inputs = [
        Input(
            role=KERNEL,
            file=file.path.name,
            sha256=digest.sha256,
            source=file.source,
            size=digest.size,
            archive=file.archive,
        ).of_package(control)
        for file, control, digest in zip(files, read.kernels[0].controls, read.digests, strict=True)
    ]
    # Whatever the order that they were given in.
    inputs.sort(key=lambda item: (not item.package.startswith(PREFIX), item.package))
    return tuple(inputs)
