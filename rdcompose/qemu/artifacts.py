"""The files of a composition in a directory, found by their names."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any, Final

from rdcompose.errors import FormatError, SpecError, UsageError
from rdcompose.formats.image import read_image
from rdcompose.inspect.released import read_released
from rdcompose.kernel.release import ARCHITECTURES, architectures_of_image

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from rdcompose.inspect.released import ReleasedBuild

_KERNELS: Final = ("vmlinuz-", "vmlinux-")
_DISKS: Final = {"qcow2": "qcow2", "squashfs": "raw"}
_MANIFEST: Final = ("manifest-", ".json")
# Of the release that builds are in.
_RELEASED: Final = "manifest.json"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Artifacts:
    """What is booted. ``disk_format`` is QEMU's name of the modules disk's format.

    ``uki`` is where the unified kernel image is, if there is one.
    """

    directory: Path
    release: str
    architecture: str
    kernel: Path
    initramfs: Path
    uki: Path
    disk: Path | None
    disk_format: str = "raw"


def find_artifacts(directory: Path, release: str | None) -> Artifacts:
    """Find the composition of a release; by default the one whose manifest is the newest.

    In a directory that ``rdcompose release`` wrote, ``release`` can be the name of a build. The
    architecture is the manifest's, or read from the kernel image.

    :raises SpecError: a part is missing, or the architecture cannot be told.
    :raises UsageError: it cannot be told which of several is meant.
    :raises FormatError: the manifest or the kernel image is none.
    """
    try:
        names = {path.name: path.name for path in sorted(directory.iterdir())}
    except OSError as error:
        raise SpecError(f"cannot read {directory}: {error.strerror}") from error
    builds = _several_of_a_kernel(directory)
    release = release or _choose(directory, names, builds)
    if (build := builds.get(release)) is not None:
        names = {own: name for own, name in build.files.items() if name in names}
        release = build.release
    elif release.join(_MANIFEST) not in names:
        _one_of(directory, [name for name in builds if builds[name].release == release])
    kernel = _first(directory, names, [f"{prefix}{release}" for prefix in _KERNELS], "kernel")
    initramfs = _first(directory, names, [f"initramfs-{release}"], "initramfs")
    record, uki = release.join(_MANIFEST), f"{release}.efi"
    manifest = _manifest(directory / names.get(record, record))
    disks = [f"modules-{release}.{suffix}" for suffix in _DISKS]
    disk = next((directory / names[name] for name in disks if name in names), None)
    if manifest is not None and manifest.get("disk") is None:
        # One that is left from an earlier composition says nothing about this one.
        disk = None
    elif manifest is not None and disk is None:
        raise SpecError(
            f"{directory} has no {' or '.join(disks)}, which the manifest says belongs to it"
        )
    return Artifacts(
        directory=directory,
        release=release,
        architecture=_architecture(manifest, kernel),
        kernel=kernel,
        initramfs=initramfs,
        uki=directory / names.get(uki, uki),
        disk=disk,
        disk_format="raw" if disk is None else _DISKS[disk.suffix[1:]],
    )


def _several_of_a_kernel(directory: Path) -> dict[str, ReleasedBuild]:
    """Return the builds of a release whose files have other names there, by their names."""
    builds = read_released(directory).builds
    return {build.name: build for build in builds if build.name != build.release}


def _choose(directory: Path, names: Mapping[str, str], builds: Mapping[str, ReleasedBuild]) -> str:
    start, end = _MANIFEST
    releases = [
        name.removeprefix(start).removesuffix(end)
        for name in names
        if name.startswith(start) and name.endswith(end)
    ]
    if len(releases) > 1:
        # Builds that were released together are of one age.
        files = {r: _RELEASED if r in builds else r.join(_MANIFEST) for r in releases}
        ages = {r: (directory / name).stat().st_mtime_ns for r, name in files.items()}
        newest = max(ages.values())
        releases = [release for release, age in ages.items() if age == newest]
    elif not releases:
        prefix = "initramfs-"
        releases = [name.removeprefix(prefix) for name in names if name.startswith(prefix)]
    if not releases:
        raise SpecError(
            f"{directory} holds no composition: no manifest-R.json and no initramfs-R",
            hint="name the directory that rdcompose build wrote to",
        )
    _one_of(directory, releases)
    return releases[0]


def _one_of(directory: Path, names: Sequence[str]) -> None:
    if len(names) > 1:
        raise UsageError(
            f"{directory} holds several compositions: {', '.join(names)}",
            hint="choose one with --release",
        )


def _first(directory: Path, names: Mapping[str, str], wanted: list[str], what: str) -> Path:
    for name in wanted:
        if name in names:
            return directory / names[name]
    have = sorted({name.partition("-")[2] for name in names if name.startswith("initramfs-")})
    raise SpecError(
        f"{directory} has no {what} {' or '.join(wanted)}",
        hint=f"there is an initramfs for {', '.join(have)}" if have else None,
    )


def _manifest(path: Path) -> dict[str, Any] | None:
    try:
        data = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SpecError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{path} is no JSON: {error}") from error
    if not isinstance(data, dict):
        raise FormatError(f"{path} is no manifest")
    return data


def _architecture(manifest: dict[str, Any] | None, kernel: Path) -> str:
    if manifest is not None:
        name = manifest.get("architecture")
        if name not in ARCHITECTURES:
            raise FormatError(f"the manifest of {kernel.name} names the architecture {name!r}")
        return str(name)
    try:
        image = read_image(kernel.read_bytes())
    except OSError as error:
        raise SpecError(f"cannot read {kernel}: {error.strerror}") from error
    except FormatError as error:
        raise FormatError(f"{kernel}: {error.message}") from error
    found = architectures_of_image(image)
    if not found:
        raise SpecError(f"{kernel} is for a machine that is not known here")
    return found[0].name
