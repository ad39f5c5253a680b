"""The builds of a release: what lies in their directories, and how the files are called."""

from __future__ import annotations

import dataclasses
import os
import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rdcompose.compose.inputs import digest, read_file
from rdcompose.errors import SpecError
from rdcompose.release.records import FileRecord, read_build

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rdcompose.release.records import BuildRecord

# What every service that holds files of releases leaves as it is.
_LABEL: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """A build: where it lies, what its manifest says, and its files, with the manifest itself.

    ``label`` is the name of its directory, which tells builds of one kernel apart. ``name`` is what
    the release calls it, and ``names`` what its files are called there, by their own names.
    """

    directory: Path
    label: str
    record: BuildRecord
    files: tuple[FileRecord, ...]
    name: str = ""
    names: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def release(self) -> str:
        """The release of its kernel."""
        return self.record.lock.release

    @property
    def architecture(self) -> str:
        """Debian's name of its architecture."""
        return self.record.lock.architecture


def find_builds(directories: Sequence[Path]) -> tuple[Build, ...]:
    """Return the builds in directories, in their order; of builds that are the same the first.

    :raises SpecError: there is none, or one cannot be released.
    """
    found: dict[str, Build] = {}
    for directory in directories:
        for path in _manifests(directory):
            build = _build(directory, path)
            found.setdefault(build.files[-1].sha256, build)
    return tuple(found.values())


def _manifests(directory: Path) -> list[Path]:
    try:
        paths = [Path(entry.path) for entry in os.scandir(directory)]
    except OSError as error:
        raise SpecError(f"cannot read {directory}: {error.strerror}") from error
    found = sorted(
        path for path in paths if path.name.startswith("manifest-") and path.suffix == ".json"
    )
    if not found:
        raise SpecError(
            f"{directory} holds no build: it has no manifest-R.json",
            hint="name the directories that rdcompose build wrote to",
        )
    return found


def _build(directory: Path, path: Path) -> Build:
    record = read_build(path)
    content = read_file(path, "manifest")
    own = FileRecord(path.name, len(content), digest(content))
    label = directory.absolute().resolve().name
    return Build(directory=directory, label=label, record=record, files=(*record.outputs, own))


def named(builds: Sequence[Build]) -> tuple[Build, ...]:
    """Return builds with the names that they and their files have in a release.

    A release is one flat list of files. Two of the same name that are not the same both have
    the name of their build's directory behind that of the kernel release.

    :raises SpecError: the directories have the same name, or one that files cannot have.
    """
    rows = {(file.name, file.sha256) for build in builds for file in build.files}
    contents = Counter(name for name, _ in rows)
    releases = Counter(build.release for build in builds)
    found = tuple(
        dataclasses.replace(
            build,
            name=_labelled(build.release, build) if releases[build.release] > 1 else build.release,
            names={
                file.name: _labelled(file.name, build) if contents[file.name] > 1 else file.name
                for file in build.files
            },
        )
        for build in builds
    )
    _check_unique(found)
    return found


def _labelled(name: str, build: Build) -> str:
    if _LABEL.fullmatch(build.label) is None:
        raise SpecError(
            f"there are several builds of {build.release}, and {build.label!r}, the directory of "
            "one, cannot be part of a file's name",
            hint="give the directories of builds names of letters, digits, '.', '_', '+' and '-'",
        )
    if build.release in name:
        return name.replace(build.release, f"{build.release}.{build.label}", 1)
    return f"{build.label}.{name}"


def _check_unique(builds: Sequence[Build]) -> None:
    seen: dict[str, tuple[str, Build]] = {}
    for build in builds:
        for file in build.files:
            name = build.names[file.name]
            sha256, other = seen.setdefault(name, (file.sha256, build))
            if sha256 != file.sha256:
                raise SpecError(
                    f"{build.directory} and {other.directory} both have a file for {name}, and "
                    "they differ",
                    hint="put builds of one kernel into directories with names of their own",
                )
