"""A single file that an option names, beside what a command is for: a report, a chart."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rdcompose.errors import OutputError
from rdcompose.publish import Publication

if TYPE_CHECKING:
    from pathlib import Path


def write_named(path: Path, data: bytes) -> None:
    """Write a file, whole or not at all; a device, a pipe or a link is written to as it is.

    :raises OutputError: it cannot be written.
    """
    try:
        if _stays(path):
            path.write_bytes(data)
            return
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror}") from error
    with Publication(path.parent) as publication:
        with publication.file(path.name) as out:
            out.write(data)
        publication.publish()


def _stays(path: Path) -> bool:
    """Whether a file must not be replaced by another: /dev/stdout is a link, maybe to a file."""
    return path.is_symlink() or (path.exists() and not path.is_file() and not path.is_dir())
