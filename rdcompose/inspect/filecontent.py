"""A file of this machine as the content of a tree's entry."""

from __future__ import annotations

import dataclasses
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
    """Return the file at a path, ``None`` if there is nothing.

    :raises SpecError: its directory cannot be read.
    """
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SpecError(f"cannot read {path}: {error.strerror}") from error
    return FileContent(path, status.st_size, (status.st_dev, status.st_ino))
