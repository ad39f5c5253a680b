"""A directory of files that are to be published together, held against its ``SHA256SUMS``.

Lines of ``SHA256SUMS`` are as ``sha256sum`` of the GNU core utilities writes them.
"""

from __future__ import annotations

import dataclasses
import hashlib
import re
from typing import TYPE_CHECKING, Final

from rdcompose.archive.addresses import printable
from rdcompose.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SUMS: Final = "SHA256SUMS"

_LINE: Final = re.compile(r"([0-9a-f]{64}) [ *]([^/\\\0]+)")


@dataclasses.dataclass(frozen=True, slots=True)
class File:
    """A file to publish: ``size`` in bytes, ``sha256`` as hexadecimal digits."""

    name: str
    path: Path
    size: int
    sha256: str


def read_folder(directory: Path) -> tuple[File, ...]:
    """Return the files of a directory, sorted by name, once they agree with its ``SHA256SUMS``.

    Beside the files that are listed there may be signatures and the like of them: the same name
    with something behind it. Hidden files are passed over.

    :raises SpecError: a file is missing, empty, not listed or not as listed; or there is no list.
    """
    listed = _listed(directory / SUMS)
    names = sorted(path.name for path in directory.iterdir() if not path.name.startswith("."))
    if missing := sorted(listed.keys() - set(names)):
        raise SpecError(
            f"{directory / missing[0]} is not there, but {SUMS} lists it",
            hint="make the directory again",
        )
    return tuple(_file(directory / name, listed) for name in names)


def _listed(path: Path) -> dict[str, str]:
    """Return the digest of each name in a list of checksums."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise SpecError(
            f"cannot read {path}: {reason}",
            hint="name a directory that rdcompose release, or rdcompose build, has written",
        ) from error
    listed: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        found = _LINE.fullmatch(line)
        if found is None:
            raise SpecError(f"{path}: line {number} is not a digest and the name of a file")
        if listed.setdefault(found[2], found[1]) != found[1]:
            raise SpecError(f"{path}: two digests of {printable(found[2])}")
    return listed


def _file(path: Path, listed: Mapping[str, str]) -> File:
    if path.name not in listed and not _beside(path.name, listed):
        raise SpecError(
            f"{path} is not listed in {SUMS}",
            hint="publish a directory of its own, which holds nothing else",
        )
    if not path.is_file():
        raise SpecError(f"{path} is no file, and only files can be published")
    try:
        with path.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
            size = content.tell()
    except OSError as error:
        raise SpecError(f"cannot read {path}: {error.strerror}") from error
    if listed.get(path.name, digest) != digest:
        raise SpecError(
            f"{path} is not what {SUMS} says it is",
            hint="it was changed afterwards, or is cut: make it again",
        )
    if size == 0:
        raise SpecError(f"{path} is empty, and hosts of releases take no empty files")
    return File(path.name, path, size, digest)


def _beside(name: str, listed: Mapping[str, str]) -> bool:
    """Whether a file is the list, or is named after it or after a file in it."""
    return name == SUMS or any(name.startswith(f"{other}.") for other in (SUMS, *listed))
