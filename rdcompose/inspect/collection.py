"""Files put together by what they are meant to be parts of: sets, one for each kernel."""

from __future__ import annotations

import dataclasses
import os
import re
from collections import Counter
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

from rdcompose.errors import SpecError
from rdcompose.inspect.artifact import Artifact, Kind
from rdcompose.inspect.identify import identify
from rdcompose.inspect.names import directory_release, is_boot_name, is_spare, named_release
from rdcompose.inspect.released import read_released

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from rdcompose.inspect.contents import Contents, ModuleFile
    from rdcompose.inspect.released import ReleasedBuild

# Directories beside the other files that hold device trees; others are not entered.
_DEVICE_TREES: Final = re.compile(r"(?:dtbs?|device-?trees?|overlays|linux-image)(?:[-._].*)?")
_DEVICE_TREE_SUFFIXES: Final = (".dtb", ".dtbo")
_MAX_DEPTH: Final = 4
# What nobody verifies by itself.
_BESIDE: Final = frozenset({Kind.PACKAGE, Kind.FILESYSTEM, Kind.UNKNOWN})
_BOOTED: Final = frozenset({Kind.KERNEL, Kind.INITRAMFS, Kind.DISK, Kind.UKI})
_HINT: Final = (
    "known are kernels, unified kernel images, initramfs of any kind, modules disks (squashfs "
    "or ext4, also in qcow2), configurations, device trees, manifests and SHA256SUMS"
)


# Without slots, for what is found out once: checks ask for it for each module.
@dataclasses.dataclass(frozen=True)
class ArtifactSet:
    """Files that are to fit together. ``named`` is the release that they are meant to be of."""

    named: str | None
    artifacts: tuple[Artifact, ...]

    def of(self, kind: Kind) -> tuple[Artifact, ...]:
        """Return the files of a kind."""
        return tuple(artifact for artifact in self.artifacts if artifact.kind is kind)

    @property
    def holders(self) -> Iterator[tuple[Artifact, Contents]]:
        """Yield each initramfs and disk that could be read, with what is in it."""
        for artifact in self.artifacts:
            if artifact.contents is not None:
                yield artifact, artifact.contents

    @cached_property
    def release(self) -> str | None:
        """The release to compare all with: the kernel's, else what most parts say."""
        for artifact in self.of(Kind.KERNEL):
            if artifact.image is not None and artifact.image.release is not None:
                return artifact.image.release
        return self.named or next(iter(self._said()), None)

    @property
    def modules(self) -> list[tuple[Artifact, ModuleFile]]:
        """The modules of the release, each with where it is; all if there are none of it."""
        return [
            (where, module)
            for where, held in self.holders
            for module in held.modules
            if self.is_meant(module.release)
        ]

    def is_meant(self, directory: str | None) -> bool:
        """Whether the module directory of a release is one that is looked at."""
        return directory in {self.release, None} or not self._has_meant

    @cached_property
    def _has_meant(self) -> bool:
        meant = {self.release, None}
        return any(m.release in meant for _, held in self.holders for m in held.modules)

    def index(self, name: str) -> Iterator[tuple[Artifact, list[str]]]:
        """Yield the lines of each ``modules.*`` file of a name, with where it is."""
        for where, held in self.holders:
            for directory, files in held.lists.items():
                if name in files and self.is_meant(directory):
                    yield where, files[name].decode("utf-8", "surrogateescape").splitlines()

    def _said(self) -> Iterator[str]:
        for artifact in self.of(Kind.MANIFEST):
            yield str((artifact.manifest or {}).get("release"))
        found = Counter(
            module.elf.vermagic.partition(" ")[0]
            for _, contents in self.holders
            for module in contents.modules
            if module.elf.vermagic
        )
        yield from (release for release, _ in found.most_common())
        for artifact in self.artifacts:
            if artifact.claimed is not None:
                yield artifact.claimed


@dataclasses.dataclass(frozen=True, slots=True)
class Collection:
    """All that was asked about; ``left_over`` are files that are no part of a kernel's set."""

    sets: tuple[ArtifactSet, ...]
    left_over: tuple[Artifact, ...]


def collect(paths: Sequence[Path], release: str | None = None) -> Collection:
    """Read directories and files, and put them together.

    Files that are named are one set, whatever they are called. In a directory there is one
    set for each release that a name tells; files without one belong to the only set, or to
    that which their content names. ``release`` chooses a set.

    :raises SpecError: something cannot be read, or is nothing that can be verified.
    """
    sets: list[ArtifactSet] = []
    left_over: list[Artifact] = []
    files = [path for path in paths if not path.is_dir()]
    if files:
        names = Counter(path.name for path in files)
        # Of two that are called the same, all of the path is needed to tell them apart.
        shown = [path.name if names[path.name] == 1 else str(path) for path in files]
        sets.append(ArtifactSet(None, tuple(_with_parts(map(_wanted, files, shown)))))
    for path in paths:
        if path.is_dir():
            found, beside = _directory(path)
            sets += found
            left_over += beside
    if release is not None:
        # Files that were named are of the release that is asked for, or are to be told apart.
        meant = [
            dataclasses.replace(one, named=release) for one in sets if one.named in {release, None}
        ]
        sets = meant or refuse_release(release, [one.named for one in sets])
    return Collection(tuple(sets), tuple(left_over))


def refuse_release(release: str, have: Iterable[str | None]) -> NoReturn:
    """Say that there is no set of a release, and of which there are.

    :raises SpecError: always.
    """
    known = sorted({name for name in have if name is not None})
    raise SpecError(
        f"there is nothing of {release}", hint=f"there is {', '.join(known)}" if known else None
    )


def _wanted(path: Path, name: str) -> Artifact:
    artifact = dataclasses.replace(identify(path, name), claimed=named_release(path.name))
    if artifact.kind not in _BESIDE or is_boot_name(path.name):
        return artifact
    what = artifact.problem or artifact.what
    hint = _HINT
    if artifact.kind is Kind.PACKAGE:
        hint = "rdcompose build composes and checks the kernel of a package"
    raise SpecError(f"{path} cannot be verified: {what}", hint=hint)


def _directory(directory: Path) -> tuple[list[ArtifactSet], list[Artifact]]:
    try:
        files = list(_files(directory))
    except OSError as error:
        raise SpecError(f"cannot read {directory}: {error.strerror}") from error
    found = [_identified(path, path.relative_to(directory).as_posix()) for path in files]
    released = read_released(directory)
    found = [row for row in found if row.name not in released.documents]
    sets, taken = _released_sets(found, released.builds)
    found = [row for row in found if row.name not in taken]
    known = {row.claimed for row in found if row.kind not in _BESIDE and row.claimed is not None}
    parts = [row for row in found if row.kind not in _BESIDE or _is_part(row, known)]
    beside = [row for row in found if row not in parts]
    if not sets and not any(row.kind in _BOOTED for row in parts):
        raise SpecError(
            f"{directory} holds no kernel, no initramfs and no modules disk",
            hint="name the directory that they were written to, or the files",
        )
    return [*sets, *grouped(parts)], beside


def _released_sets(
    found: Sequence[Artifact], builds: Sequence[ReleasedBuild]
) -> tuple[list[ArtifactSet], set[str]]:
    """Return a set for each build of a release, and the names of the files in them.

    The checksums are about all builds: they are compared with the first.
    """
    sets: list[ArtifactSet] = []
    sums = [row for row in found if row.kind is Kind.CHECKSUMS] if builds else []
    taken = {row.name for row in sums}
    for build in builds:
        own = {*build.files.values()}
        parts = [
            dataclasses.replace(row, claimed=build.release, beside=build.beside)
            for row in found
            if row.name in own and (row.kind not in _BESIDE or is_boot_name(row.name))
        ]
        taken |= {row.name for row in parts}
        if any(row.kind in _BOOTED for row in parts):
            sets.append(_set(build.release, [*parts, *([] if sets else sums)]))
    return sets, taken


def _identified(path: Path, name: str) -> Artifact:
    claimed = release_of_name(name)
    try:
        return dataclasses.replace(identify(path, name), claimed=claimed)
    except SpecError as error:
        if is_boot_name(path.name):
            raise
        # Others in the directory, like sockets and files of other users, are nobody's business.
        return Artifact(path=path, name=name, kind=Kind.UNKNOWN, size=0, problem=error.message)


def _is_part(artifact: Artifact, known: set[str]) -> bool:
    """Whether something that is not known is meant to be a part, by its name and others'."""
    if artifact.kind is Kind.PACKAGE:
        return False
    return artifact.claimed in known or is_boot_name(artifact.path.name)


def _with_parts(artifacts: Iterable[Artifact]) -> Iterator[Artifact]:
    for artifact in artifacts:
        yield artifact
        yield from artifact.parts


def _files(directory: Path) -> Iterator[Path]:
    entries = sorted(os.scandir(directory), key=lambda entry: entry.name)
    names = {entry.name for entry in entries}
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if Path(entry.path).is_file():
            # /boot/vmlinuz is a link to one of the kernels beside it.
            if not (entry.is_symlink() and _target(entry.path) in names):
                yield Path(entry.path)
        elif entry.is_dir(follow_symlinks=False) and _may_hold_device_trees(entry.name):
            yield from _device_trees(Path(entry.path), _MAX_DEPTH)


def _target(link: str) -> str:
    target = Path(link).readlink()
    return target.name if len(target.parts) == 1 else ""


def _may_hold_device_trees(name: str) -> bool:
    return _DEVICE_TREES.fullmatch(name) is not None or directory_release(name) is not None


def _device_trees(directory: Path, depth: int) -> Iterator[Path]:
    for entry in sorted(os.scandir(directory), key=lambda entry: entry.name):
        if entry.is_dir(follow_symlinks=False):
            if depth:
                yield from _device_trees(Path(entry.path), depth - 1)
        elif entry.name.endswith(_DEVICE_TREE_SUFFIXES) and Path(entry.path).is_file():
            yield Path(entry.path)


def grouped(parts: Sequence[Artifact]) -> Iterator[ArtifactSet]:
    """Put the files of a directory together: a set for each release that a name tells."""
    sums = [artifact for artifact in parts if artifact.kind is Kind.CHECKSUMS]
    by_release: dict[str, list[Artifact]] = {}
    for artifact in parts:
        if artifact.claimed is not None and artifact.kind is not Kind.CHECKSUMS:
            by_release.setdefault(artifact.claimed, []).append(artifact)
    rest: list[Artifact] = []
    spare: dict[str | None, list[Artifact]] = {}
    only = next(iter(by_release)) if len(by_release) == 1 else None
    for artifact in parts:
        if artifact.claimed is None and artifact.kind is not Kind.CHECKSUMS:
            inside = _set(None, [artifact]).release
            kept = is_spare(artifact.name)
            others = spare.setdefault(inside, []) if kept else rest
            by_release.get((None if kept else only) or inside or "", others).append(artifact)
    for release in sorted(by_release):
        yield _set(release, [*by_release[release], *sums])
    if rest:
        yield _set(None, [*rest, *(() if by_release else sums)])
    yield from (_set(None, files) for files in spare.values() if files)


def _set(named: str | None, artifacts: Iterable[Artifact]) -> ArtifactSet:
    return ArtifactSet(named, tuple(_with_parts(artifacts)))


def release_of_name(name: str) -> str | None:
    """Return the release that a file's name tells, or that of a directory on the way to it."""
    *directories, last = name.split("/")
    found = [named_release(last), *map(directory_release, reversed(directories))]
    return next((release for release in found if release is not None), None)
