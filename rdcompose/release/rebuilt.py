"""Whether a build came out again: its files against what a manifest says of the first time."""

from __future__ import annotations

import dataclasses
import hashlib
from typing import TYPE_CHECKING, Final

from rdcompose.errors import SpecError
from rdcompose.inspect.difference import first_difference

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rdcompose.release.records import BuildRecord, FileRecord

_CHUNK: Final = 1 << 20


@dataclasses.dataclass(frozen=True, slots=True)
class Compared:
    """A file, whether it is the same again, and if not where it differs.

    ``name`` is what it is called beside the manifest.
    """

    name: str
    same: bool
    remark: str = ""


def compare_build(build: BuildRecord, manifest: Path, directory: Path) -> Iterator[Compared]:
    """Compare the files in a directory with a build.

    The files of the build are looked for beside its manifest, to say what differs in them.

    :raises SpecError: a file cannot be read.
    """
    for file in build.outputs:
        path = directory / file.name
        name = build.files.get(file.name, file.name)
        if not path.exists():
            yield Compared(name, same=False, remark="it was not made")
        elif _digest(path) == file.sha256:
            yield Compared(name, same=True)
        else:
            remark = _remark(file, manifest.parent / name, path)
            yield Compared(name, same=False, remark=remark)


def _remark(file: FileRecord, original: Path, path: Path) -> str:
    """Say where a file differs from what it was."""
    if not original.is_file():
        return f"its SHA-256 is another; {original}, to compare with, is not there"
    if _digest(original) != file.sha256:
        return f"its SHA-256 is another; {original} is not what the manifest names, either"
    return first_difference(original, path) or "nothing"


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    try:
        with path.open("rb") as source:
            while piece := source.read(_CHUNK):
                digest.update(piece)
    except OSError as error:
        raise SpecError(f"cannot read {path}: {error.strerror}") from error
    return digest.hexdigest()
