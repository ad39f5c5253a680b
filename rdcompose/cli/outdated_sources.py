"""What to compare with the archive: manifests, directories of them, and project files."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rdcompose.cli.project import read_project
from rdcompose.cli.project_builds import read_builds
from rdcompose.compose.kernelname import PREFIX, architecture_of_name
from rdcompose.compose.outdated import KERNEL, Used, used_packages
from rdcompose.errors import SpecError
from rdcompose.kernel.release import flavour_of_release
from rdcompose.release.records import read_record

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rdcompose.cli.project_builds import NamedBuild

_RELEASE_MANIFEST: Final = "manifest.json"
_RELEASE: Final = re.compile(r"[0-9]+\.[^/]*")
# Below a directory of builds each has its own, and below that each profile.
_PLACES: Final = ("manifest-*.json", "*/manifest-*.json", "*/*/manifest-*.json")


@dataclasses.dataclass(slots=True)
class Sources:
    """Packages that builds were made from, with the names of these builds; and what to say."""

    builds_of: dict[Used, list[str]] = dataclasses.field(default_factory=dict)
    notes: list[str] = dataclasses.field(default_factory=list)

    def add(self, used: Used, build: str) -> None:
        """Note that a build was made from a package."""
        builds = self.builds_of.setdefault(used, [])
        if build not in builds:
            builds.append(build)


def find_sources(paths: Sequence[Path], suite: Callable[[], str]) -> Sources:
    """Read what the arguments name; ``suite`` tells where a kernel is looked for by default.

    :raises SpecError: one is no manifest or project file, or a directory has no manifest.
    """
    sources = Sources()
    for path in paths:
        if path.suffix == ".toml":
            _add_project(sources, path, suite)
        elif path.is_dir():
            manifests = _manifests(path)
            if not manifests:
                raise SpecError(
                    f"{path} has no manifest of a build",
                    hint="name a directory that rdcompose build or rdcompose release wrote to",
                )
            for manifest in manifests:
                _add_manifest(sources, manifest)
        else:
            _add_manifest(sources, path)
    return sources


def _manifests(directory: Path) -> list[Path]:
    """Return the manifest of the release in a directory, else those of its builds."""
    release = directory / _RELEASE_MANIFEST
    if release.is_file():
        return [release]
    return [path for pattern in _PLACES for path in sorted(directory.glob(pattern))]


def _add_manifest(sources: Sources, path: Path) -> None:
    for build in read_record(path).builds:
        release = build.lock.release
        name = f"{release} ({build.profile})" if build.profile else release
        used, others = used_packages(build.lock)
        for item in used:
            sources.add(item, name)
        sources.notes += [f"{path}: {item.package} was not from an archive" for item in others]


def _add_project(sources: Sources, path: Path, suite: Callable[[], str]) -> None:
    builds = read_builds(read_project(path), path)
    if not builds:
        raise SpecError(f"{path} names no builds", hint="name a manifest-R.json instead")
    for build in builds:
        manifests = _manifests(path.parent / (build.output or Path(build.name)))
        for manifest in manifests:
            _add_manifest(sources, manifest)
        if not manifests:
            _add_wanted(sources, build, f"{path}: build {build.name!r}", suite)


def _add_wanted(sources: Sources, build: NamedBuild, where: str, suite: Callable[[], str]) -> None:
    """Add the kernel that a build names by its release; a flavour is always the newest."""
    names: list[str] = build.options.get("kernel") or []
    for name in names:
        used = _wanted(name, build, suite)
        if used is None:
            sources.notes.append(f"{where} is not there to look at, and {name} is no release")
        else:
            sources.add(used, build.name)


def _wanted(name: str, build: NamedBuild, suite: Callable[[], str]) -> Used | None:
    """Return the kernel that a name stands for; ``None`` for flavours, files and directories."""
    release = name.removeprefix(PREFIX)
    if not _RELEASE.fullmatch(release) or release.endswith(".deb"):
        return None
    flavour, known = flavour_of_release(release), architecture_of_name(release)
    architecture: str | None = build.options.get("arch") or (known.name if known else None)
    if flavour is None or architecture is None:
        return None
    return Used(
        role=KERNEL,
        package=PREFIX + release,
        version="",
        architecture=architecture,
        suite=build.options.get("suite") or suite(),
        flavour=flavour,
    )
