"""A file of this machine as the content of a tree's entry."""

from __future__ import annotations

import dataclasses
import errno
import stat
from typing import TYPE_CHECKING

from rdcompose.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclasses.dataclass(frozen=True, slots=True)
class FileContent:
    """A file; the size is that of when it was found.

    ``identity`` is device and inode: files that have the same one are the same.
    """

    path: Path
    size: int
    identity: tuple[int, int]

    def chunks(self, size: int) -> Iterator[bytes]:
        """Yield the content in pieces of ``size`` bytes.

        :raises SpecError: it cannot be read.
        """
        try:
            with self.path.open("rb") as source:
                while piece := source.read(size):
                    yield piece
        except OSError as error:
            raise SpecError(f"cannot read {self.path}: {error.strerror}") from error


def file_content(path: Path) -> FileContent | None:
    """Return the file at a path, ``None`` if there is nothing, or links lead in a circle.

    :raises SpecError: its directory cannot be read, or it is no file.
    """
    try:
        status = path.stat()
        check_ends(path)
    except OSError as error:
        if error.errno in {errno.ENOENT, errno.ELOOP}:
            return None
        raise SpecError(f"cannot read {path}: {error.strerror}") from error
    return FileContent(path, status.st_size, (status.st_dev, status.st_ino))


def check_ends(path: Path) -> None:
    """Check that reading a file comes to an end, as it does not for pipes and ``/dev/zero``.

    :raises SpecError: it does not.
    :raises OSError: there is nothing at the path.
    """
    mode = path.stat().st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISBLK(mode) or stat.S_ISDIR(mode)):
        raise SpecError(f"cannot read {path}: it is no file")
