"""The inputs of a composition, as the manifest names them."""

from __future__ import annotations

import dataclasses
import hashlib
from typing import TYPE_CHECKING, Final

from rdcompose.errors import SpecError

if TYPE_CHECKING:
    from pathlib import Path

    from rdcompose.formats.deb import Control

# What the manifest calls the source of a template or a kernel that is a directory.
LOCAL_DIRECTORY: Final = "local directory"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveOrigin:
    """Where in the Debian archive a package is, whichever mirror it came from.

    ``label`` and ``suite`` are those of the suite's signed index, ``path`` is below the base
    of the archive. ``verified`` is false where a break in the chain of
    trust was allowed.
    """

    label: str
    suite: str
    path: str
    verified: bool


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class InputFile:
    """A file to read, and its place in the archive if it is from there."""

    path: Path
    archive: ArchiveOrigin | None = None

    @property
    def source(self) -> str:
        """What the manifest calls its source."""
        return "local file" if self.archive is None else "archive"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """One input: what it is for, what it is, and its SHA-256.

    ``file`` is a name without directories, so that the same inputs are named the same
    wherever they lie. The digest of a directory is that of its files, see
    ``docs/manifest.md``. Package fields are empty where there is no package; ``size`` is
    that of a file in bytes, ``None`` of a directory.
    """

    role: str
    file: str
    sha256: str
    source: str
    package: str = ""
    version: str = ""
    architecture: str = ""
    size: int | None = None
    archive: ArchiveOrigin | None = None

    def of_package(self, control: Control) -> Input:
        """Return the same input with the fields of the package that it is."""
        return dataclasses.replace(
            self,
            package=control.package,
            version=control.version,
            architecture=control.architecture,
        )


def file_input(role: str, file: InputFile, data: bytes) -> Input:
    """Return the input that a file is; ``data`` is what was read of it."""
    return Input(
        role=role,
        file=file.path.name,
        sha256=digest(data),
        source=file.source,
        size=len(data),
        archive=file.archive,
    )


def read_file(path: Path, what: str) -> bytes:
    """Read a file that the user named.

    :raises SpecError: it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise SpecError(f"cannot read the {what} {path}: {error.strerror}") from error


def digest(data: bytes) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(data).hexdigest()
