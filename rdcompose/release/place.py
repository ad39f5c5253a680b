"""Where a release is put together: files are checked on their way, and appear all together."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
from typing import TYPE_CHECKING, BinaryIO, Final

from rdcompose.errors import SpecError
from rdcompose.inspect.filecontent import check_ends
from rdcompose.outputs import CHECKSUMS
from rdcompose.release.records import KIND, is_plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from rdcompose.publish import Publication
    from rdcompose.release.builds import Build
    from rdcompose.release.records import FileRecord

MANIFEST: Final = "manifest.json"
MD5: Final = "MD5SUMS"
_PIECE: Final = 1 << 20


@dataclasses.dataclass(frozen=True, slots=True)
class Placed:
    """A file of a release: its name there, size in bytes and digests in hexadecimal."""

    name: str
    size: int
    sha256: str
    md5: str


class _Digests:
    def __init__(self) -> None:
        self._sha256 = hashlib.sha256()
        # For those who compare a download with it: GNS3 knows nothing else.
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._size = 0

    def add(self, piece: bytes) -> None:
        self._sha256.update(piece)
        self._md5.update(piece)
        self._size += len(piece)

    def of(self, name: str) -> Placed:
        return Placed(name, self._size, self._sha256.hexdigest(), self._md5.hexdigest())


def place_builds(
    publication: Publication, builds: Sequence[Build], *, copied: bool
) -> tuple[Placed, ...]:
    """Check every file of the builds, and copy it unless it lies where it is to be.

    :raises SpecError: a file is missing, or is not the one that its manifest names.
    :raises OutputError: a copy cannot be written.
    """
    placed: dict[str, Placed] = {}
    for build in builds:
        for file in build.files:
            name = build.names[file.name]
            # Of a file that several builds have, each one's own is checked.
            target = publication if copied and name not in placed else None
            placed[name] = _checked(build, file, name, target)
    return tuple(placed[name] for name in sorted(placed))


def _checked(build: Build, file: FileRecord, name: str, publication: Publication | None) -> Placed:
    path = build.directory / file.name
    digests = _Digests()
    with contextlib.ExitStack() as stack:
        out = None if publication is None else stack.enter_context(publication.file(name))
        for piece in _pieces(path):
            digests.add(piece)
            if out is not None:
                _write(out, piece)
        found = digests.of(name)
        if (found.size, found.sha256) != (file.size, file.sha256):
            raise SpecError(
                f"{path} is not the file that manifest-{build.release}.json names",
                hint="build it again",
            )
    return found


def _pieces(path: Path) -> Iterator[bytes]:
    try:
        check_ends(path)
        with path.open("rb") as source:
            while piece := source.read(_PIECE):
                yield piece
    except OSError as error:
        raise SpecError(f"cannot read {path}: {error.strerror}") from error


def place_document(publication: Publication, name: str, data: bytes) -> Placed:
    """Write a document of the release.

    :raises OutputError: it cannot be written.
    """
    with publication.file(name) as out:
        _write(out, data)
    digests = _Digests()
    digests.add(data)
    return digests.of(name)


def _write(out: BinaryIO, data: bytes) -> None:
    out.write(data)


def checksums(files: Iterable[Placed], kind: str) -> bytes:
    """Return ``SHA256SUMS`` or ``MD5SUMS``, as ``sha256sum`` and ``md5sum`` write them."""
    rows = sorted(files, key=lambda file: file.name)
    return b"".join(
        f"{file.md5 if kind == MD5 else file.sha256}  {file.name}\n".encode() for file in rows
    )


def earlier_names(directory: Path, *, with_files: bool) -> set[str]:
    """Return the names of what an earlier release put into a directory.

    Where the builds themselves lie in the directory, their files are not of the release.
    """
    try:
        data = json.loads((directory / MANIFEST).read_bytes())
        if data["kind"] != KIND:
            return set()
        rows = [*data["documents"], *(data["files"] if with_files else ())]
        names = {row["name"] for row in rows if is_plain(row["name"])}
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return set()  # nothing is known to be of a release
    # Signatures of the checksums are in no list: they are made of the last one.
    signatures = {path.name for path in directory.glob(f"{CHECKSUMS}.*")}
    return names | signatures | {MD5}
