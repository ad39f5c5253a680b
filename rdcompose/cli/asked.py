"""What a build is asked for: a kernel by its name or its files, and what goes beside it."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rdcompose.cli.given import is_path
from rdcompose.compose.inputs import InputFile
from rdcompose.compose.kernelname import architecture_of_name
from rdcompose.compose.programname import PATHS, ProgramName
from rdcompose.errors import UsageError
from rdcompose.kernel.release import architecture_by_name, check_release

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from rdcompose.compose.addlist import Request
    from rdcompose.compose.filesource import SourceRequest
    from rdcompose.compose.lock import Lock
    from rdcompose.kernel.release import Architecture

_HINT: Final = "a name, the .deb files of one kernel, or a directory"
_RELEASE: Final = re.compile(r"\d+\.")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the command line says.

    The kernel is a ``name``, some ``packages`` or a ``root`` below which it is installed, in
    the latter two cases of one ``release`` if that is chosen. A program that is not in
    ``programs`` is left to the archive; ``None``: none is wanted. ``requests`` are what else is
    to be added to the ``template``, and ``sources`` what microcode and firmware come from.
    """

    name: str | None
    packages: tuple[InputFile, ...]
    root: Path | None
    release: str | None
    architecture: Architecture | None
    programs: dict[ProgramName, InputFile | None]
    requests: tuple[Request, ...]
    sources: tuple[SourceRequest, ...]
    template: Path | None

    @property
    def is_local(self) -> bool:
        """Whether the kernel is at hand."""
        return bool(self.packages) or self.root is not None


def ask(
    arguments: argparse.Namespace,
    lock: Lock | None,
    requests: Sequence[Request],
    sources: Sequence[SourceRequest],
) -> Asked:
    """Return what the command line says.

    :raises UsageError: it names several kernels, or contradicts itself or the lock.
    :raises SpecError: an architecture is not known, or a release is none.
    """
    kernels: list[str] = arguments.kernel
    roots = [Path(kernel) for kernel in kernels if _is_root(kernel)]
    rest = [kernel for kernel in kernels if not _is_root(kernel)]
    packages = tuple(InputFile(path=Path(kernel)) for kernel in rest if _is_path(kernel))
    names = [kernel for kernel in rest if not _is_path(kernel)]
    if len(names) + len(roots) + bool(packages) > 1:
        raise UsageError(f"one kernel at a time: {', '.join(kernels)}", hint=_HINT)
    asked = Asked(
        name=names[0] if names else None,
        packages=packages,
        root=roots[0] if roots else None,
        release=_release(arguments.release, lock),
        architecture=None if arguments.arch is None else architecture_by_name(arguments.arch),
        programs=_programs(arguments),
        requests=tuple(requests),
        sources=tuple(sources),
        template=arguments.template,
    )
    if arguments.release is not None and not asked.is_local:
        raise UsageError(
            "--release chooses among the kernels of a file or directory",
            hint="give that as KERNEL, or the release itself without --release",
        )
    return asked


def _programs(arguments: argparse.Namespace) -> dict[ProgramName, InputFile | None]:
    programs: dict[ProgramName, InputFile | None] = {}
    for name, path in PATHS.items():
        option = getattr(arguments, name.value)
        if option == "none":
            programs[name] = None
        elif option is not None:
            programs[name] = InputFile(path=Path(option))
        elif arguments.template is not None and (arguments.template / path).exists():
            programs[name] = None  # the template brings its own
    return programs


def _release(option: str | None, lock: Lock | None) -> str | None:
    if option is not None:
        check_release(option)
    if lock is None:
        return option
    if option not in {None, lock.release}:
        raise UsageError(f"{lock.path} is of {lock.release}, not of {option}")
    return lock.release


def _is_path(kernel: str) -> bool:
    return is_path(kernel) or Path(kernel).is_file()


def _is_root(kernel: str) -> bool:
    """Whether a directory is meant: one may have the name of a kernel that was composed there."""
    if not Path(kernel).is_dir():
        return False
    return "/" in kernel or (
        _RELEASE.match(kernel) is None and architecture_of_name(kernel) is None
    )
