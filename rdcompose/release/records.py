"""What manifests say that a release is made from: those of builds, and those of releases.

The fields are described in ``docs/manifest.md`` and ``docs/release.md``.
"""

from __future__ import annotations

import dataclasses
import json
import re
from typing import TYPE_CHECKING, Any, Final

from rdcompose.compose.inputs import read_file
from rdcompose.compose.lock import malformed, parse_lock

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from rdcompose.compose.lock import Lock

# The manifest of a release says so, for it lies where those of builds lie.
KIND: Final = "release"
_HINT: Final = (
    "give a manifest-R.json as rdcompose build writes it, or a manifest.json of rdcompose release"
)
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_MAX_SIZE: Final = 1 << 60


@dataclasses.dataclass(frozen=True, slots=True)
class FileRecord:
    """A file: its name without a directory, size in bytes and SHA-256."""

    name: str
    size: int
    sha256: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BuildRecord:
    """What the manifest of a build says; ``data`` is all of it.

    ``name`` is what a release calls the build, ``files`` the names that its outputs have there;
    ``disk_modules`` are those that were found on its disk. Of a build that is not
    released they are empty. ``modules`` gives the path below ``/lib/modules/R`` of each
    module in the initramfs by its name, ``own_modules`` are the names of those that came from
    elsewhere than the kernel, ``added`` the package of each program by its path, and
    ``firmware`` where each file of it is from. ``directory`` is the name of what ``--emit
    directory`` wrote.
    """

    data: Mapping[str, Any]
    lock: Lock
    outputs: tuple[FileRecord, ...]
    modules: Mapping[str, str]
    added: Mapping[str, str]
    firmware: Mapping[str, str]
    directory: str | None
    own_modules: frozenset[str] = frozenset()
    name: str = ""
    files: Mapping[str, str] = dataclasses.field(default_factory=dict)
    disk_modules: tuple[str, ...] = ()

    @property
    def profile(self) -> str:
        """The module lists that it was made with."""
        return self.lock.options.get("profile", "")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseRecord:
    """What the manifest of a release says; that of one build is a release without a name."""

    builds: tuple[BuildRecord, ...]
    name: str = ""
    files: tuple[FileRecord, ...] = ()
    documents: tuple[FileRecord, ...] = ()


def read_build(path: Path) -> BuildRecord:
    """Read the manifest of a build.

    :raises SpecError: it cannot be read, or is no such manifest.
    """
    content = read_file(path, "manifest")
    with malformed(path):
        return _build(path, json.loads(content))


def read_record(path: Path) -> ReleaseRecord:
    """Read the manifest of a release, or that of a build.

    :raises SpecError: it cannot be read, or is no such manifest.
    """
    content = read_file(path, "manifest")
    with malformed(path, hint=_HINT):
        data = json.loads(content)
        if data.get("kind") != KIND:
            return ReleaseRecord(builds=(_build(path, data),))
        return ReleaseRecord(
            name=_text(data["name"]),
            builds=tuple(_released(path, row) for row in data["builds"]),
            files=tuple(_file(row) for row in data["files"]),
            documents=tuple(_file(row) for row in data["documents"]),
        )


def is_plain(name: str) -> bool:
    """Whether a name is that of a file beside its manifest, on a line of its own in a list."""
    return name not in {"", ".", ".."} and not any(char in "/\\\0\n\r" for char in name)


def _released(path: Path, row: Mapping[str, Any]) -> BuildRecord:
    files = {_name(key): _name(value) for key, value in row["files"].items()}
    return dataclasses.replace(
        _build(path, row["manifest"]),
        name=_name(row["name"]),  # also of the directory that it is built again in
        files=files,
        disk_modules=tuple(_text(name) for name in row["disk_modules"]),
    )


def _build(path: Path, data: Mapping[str, Any]) -> BuildRecord:
    initramfs = data["initramfs"]
    directory = initramfs.get("directory")
    return BuildRecord(
        data=data,
        lock=parse_lock(path, data),
        outputs=tuple(_file(row) for row in data["outputs"]),
        modules={_text(row["name"]): _text(row["path"]) for row in initramfs["modules"]},
        added={_text(row["path"]): _text(row["package"]) for row in initramfs.get("added", ())},
        firmware={
            _text(row["path"]): _text(row["source"]) for row in initramfs.get("firmware", ())
        },
        directory=None if directory is None else _name(directory["name"]),
        own_modules=frozenset(_text(row["name"]) for row in data.get("own_modules", ())),
    )


def _file(row: Mapping[str, Any]) -> FileRecord:
    size, sha256 = row["size"], row["sha256"]
    if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size < _MAX_SIZE:
        raise ValueError(f"size is {size!r}")
    if _SHA256.fullmatch(_text(sha256)) is None:
        raise ValueError(f"{sha256!r} is no SHA-256")
    return FileRecord(_name(row["name"]), size, sha256)


def _name(value: object) -> str:
    name = _text(value)
    if not is_plain(name):
        raise ValueError(f"it names {name!r}, which is no file beside it")
    return name


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value
