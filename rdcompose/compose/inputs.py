"""The inputs of a composition, as the manifest names them."""

from __future__ import annotations

import dataclasses
import hashlib
from typing import TYPE_CHECKING

from rdcompose.errors import SpecError

if TYPE_CHECKING:
    from pathlib import Path


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """One input: what it is for, what it is, and its SHA-256.

    ``file`` is a name without directories, so that the same inputs are named the same
    wherever they lie. The digest of a directory is that of its files, see
    ``docs/manifest.md``. Package fields are empty where there is no package.
    """

    role: str
    file: str
    sha256: str
    source: str
    package: str = ""
    version: str = ""
    architecture: str = ""


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
