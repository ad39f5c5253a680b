"""Files that the command line names, looked for before anything is loaded that reads them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rdcompose.errors import SpecError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator


def check_files(arguments: argparse.Namespace) -> None:
    """Refuse what is not there: what a command reads back, a kernel, or what goes beside it.

    :raises SpecError: a file cannot be found.
    """
    for what, name in _named(arguments):
        try:
            name.stat()
        except OSError as error:
            raise SpecError(f"cannot read {what}{name}: {error.strerror}") from error
    template: Path | None = getattr(arguments, "template", None)
    if template is not None and not template.is_dir():
        raise SpecError(f"the template {template} is not a directory")


def is_path(kernel: str) -> bool:
    """Whether a kernel is named by a file or directory, if it is no name of a release."""
    return "/" in kernel or kernel.endswith(".deb")


def _named(arguments: argparse.Namespace) -> Iterator[tuple[str, Path]]:
    """Yield what a file is, as messages say it, and its path."""
    if arguments.command in {"report", "verify"}:
        yield from (("", path) for path in arguments.paths)
    elif arguments.command == "diff":
        yield from (("", path) for path in (arguments.before, arguments.now))
    elif arguments.command == "boot":
        yield "", arguments.directory
    elif arguments.command in {"cat", "ls", "unpack"}:
        if arguments.file != "-":
            yield "", Path(arguments.file)
    else:
        yield from _beside(arguments)


def _beside(arguments: argparse.Namespace) -> Iterator[tuple[str, Path]]:
    # Several are the packages of one kernel, or else wrong, whether they are there or not.
    if all(is_path(kernel) and not Path(kernel).is_dir() for kernel in arguments.kernel):
        for kernel in arguments.kernel:
            yield "the kernel package ", Path(kernel)
    for program in ("busybox", "e2fsck"):
        file: str | None = getattr(arguments, program)
        if file is not None and file != "none":
            yield f"the {program} ", Path(file)
