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
from rdcompose.inspect.released import read_released
from rdcompose.release.records import FileRecord, read_build

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rdcompose.release.records import BuildRecord

# What every service that holds files of releases leaves as it is.
_LABEL: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")
# A project has a directory for each build, and in it one for each profile.
_DEPTH: Final = 2


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


def build_directories(paths: Sequence[Path], output: Path | None = None) -> tuple[Path, ...]:
    """Return the directories of builds: those that are named, or those below one that is none.

    Below it, ``output`` is passed over, as the release that was made before lies there.

    :raises SpecError: there are none.
    """
    found: list[Path] = []
    for path in paths:
        below = [*_below(path, output, _DEPTH)]
        if not below:
            raise SpecError(
                f"{path} holds no build: it has no manifest-R.json",
                hint="name the directories that rdcompose build wrote to",
            )
        found += below
    return tuple(dict.fromkeys(found))


def _below(directory: Path, output: Path | None, depth: int) -> Iterator[Path]:
    if depth < _DEPTH and (_is_same(directory, output) or _has_labels(directory)):
        return
    entries = _listed(directory)
    if any(_is_manifest(entry.name) for entry in entries):
        yield directory
    elif depth:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False) and not entry.name.startswith("."):
                yield from _below(Path(entry.path), output, depth - 1)


def _is_same(directory: Path, output: Path | None) -> bool:
    return output is not None and output.is_dir() and output.samefile(directory)


def _has_labels(directory: Path) -> bool:
    """Whether it is a release in which builds of one kernel have other names than their own."""
    return any(build.name != build.release for build in read_released(directory).builds)


def find_builds(directories: Sequence[Path]) -> tuple[Build, ...]:
    """Return the builds in directories, in their order; of builds that are the same the first.

    :raises SpecError: one cannot be released.
    """
    found: dict[str, Build] = {}
    for directory in directories:
        for entry in _listed(directory):
            if _is_manifest(entry.name):
                build = _build(directory, Path(entry.path))
                found.setdefault(build.files[-1].sha256, build)
    return tuple(found.values())


def _listed(directory: Path) -> list[os.DirEntry[str]]:
    try:
        return sorted(os.scandir(directory), key=lambda entry: entry.name)
    except OSError as error:
        raise SpecError(f"cannot read {directory}: {error.strerror}") from error


def _is_manifest(name: str) -> bool:
    return name.startswith("manifest-") and name.endswith(".json")


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
