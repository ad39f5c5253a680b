"""Files that the command line names, looked for before anything is loaded that reads them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rdcompose.errors import SpecError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator


def check_files(arguments: argparse.Namespace) -> None:
    """Refuse what is not there: a kernel, a program to go beside it or a template.

    :raises SpecError: a file cannot be found.
    """
    for what, name in _named(arguments):
        try:
            Path(name).stat()
        except OSError as error:
            raise SpecError(f"cannot read the {what} {Path(name)}: {error.strerror}") from error
    template: Path | None = arguments.template
    if template is not None and not template.is_dir():
        raise SpecError(f"the template {template} is not a directory")


def is_path(kernel: str) -> bool:
    """Whether a kernel is named by a file or directory, if it is no name of a release."""
    return "/" in kernel or kernel.endswith(".deb")


def _named(arguments: argparse.Namespace) -> Iterator[tuple[str, str]]:
    for kernel in filter(is_path, arguments.kernel):
        yield "kernel package", kernel
    for program in ("busybox", "e2fsck"):
        file: str | None = getattr(arguments, program)
        if file is not None and file != "none":
            yield program, file
