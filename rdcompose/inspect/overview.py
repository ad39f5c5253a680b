"""All that a report tells of images: what they hold, how heavy and why, and whether it fits.

What lies together is one group, as ``verify`` puts files together; what that does not judge, a
package or an unpacked tree, is a group of its own.
"""

from __future__ import annotations

import dataclasses
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Final

from rdcompose.errors import FormatError, SpecError, UnsupportedError
from rdcompose.formats.compression import parse_compression
from rdcompose.inspect.artifact import Kind
from rdcompose.inspect.banners import MAX_PROGRAM, read_version
from rdcompose.inspect.bootfolder import FolderKind
from rdcompose.inspect.collection import Collection
from rdcompose.inspect.gathering import gather
from rdcompose.inspect.moduleview import ModuleView, view_modules, weighed_modules
from rdcompose.inspect.opened import open_image
from rdcompose.inspect.verify import verify
from rdcompose.inspect.weight import weigh
from rdcompose.kernel.release import machine_name
from rdcompose.tree import File, read_all

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from rdcompose.inspect.artifact import Artifact
    from rdcompose.inspect.boots import BootFacts
    from rdcompose.inspect.contents import Contents
    from rdcompose.inspect.findings import Check
    from rdcompose.inspect.opened import Opened
    from rdcompose.inspect.verify import SetReport
    from rdcompose.inspect.walks import Part as Piece
    from rdcompose.inspect.weight import Weight

# What has files in it.
_IMAGES: Final = frozenset({Kind.INITRAMFS, Kind.DISK, Kind.UKI})
# What is looked at by itself, as nothing is known that it has to fit.
_ALONE: Final = frozenset({Kind.DIRECTORY, Kind.PACKAGE, Kind.FILESYSTEM})
# Roles of a manifest's inputs that are one program each, and where it lies.
_PROGRAMS: Final = {"busybox": "bin/busybox", "e2fsck": "sbin/e2fsck"}


@dataclasses.dataclass(frozen=True, slots=True)
class ProgramView:
    """A program or library.

    ``version`` is name and version of the package that a manifest names for it, else what it says
    itself, or empty. ``needs`` are the libraries that it is linked with.
    """

    path: str
    elf: str
    needs: tuple[str, ...]
    sha256: str
    version: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A file with files in it. ``problem`` says why not all of it could be read.

    ``weight`` is ``None`` where nothing could be.
    """

    name: str
    kind: Kind
    release: str | None
    size: int
    pieces: tuple[Piece, ...]
    weight: Weight | None
    modules: tuple[ModuleView, ...]
    programs: tuple[ProgramView, ...]
    problem: str | None


@dataclasses.dataclass(frozen=True, slots=True)
class Other:
    """A file that belongs to a group and has no files in it."""

    name: str
    kind: Kind
    size: int
    problem: str | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Files that belong together, and what the checks of them found.

    ``name`` is that of a boot folder, of which the sets are groups of their own; else empty.
    """

    name: str = ""
    release: str | None
    architecture: str | None
    images: tuple[Image, ...] = ()
    others: tuple[Other, ...] = ()
    checks: tuple[Check, ...] = ()


def overview(
    paths: Sequence[Path], release: str | None = None, *, threads: int = 1
) -> tuple[Group, ...]:
    """Look at files and directories; ``release`` chooses among several.

    Files are one group, and of a directory there are its sets.

    :raises SpecError: something cannot be read, or is nothing that is known.
    """
    alone: list[Group] = []
    with ExitStack() as stack:
        found = []
        files = []
        for path in paths:
            with open_image(path, path.name or str(path)) as image:
                sets = _sets_of(path, release, stack) if image.kind is Kind.DIRECTORY else None
                if sets is not None:
                    found.append(sets)
                elif image.kind in _ALONE:
                    alone.append(_by_itself(image, threads))
                else:
                    files.append(path)
        if files:
            found.insert(0, gather(files, release, stack))
        return (*_judged(found, threads), *alone)


def _sets_of(path: Path, release: str | None, stack: ExitStack) -> _Gathered | None:
    """Return the sets of a directory; ``None`` if it is a tree to look into.

    :raises SpecError: there is none of the release that is asked for.
    """
    try:
        return gather([path], release, stack)
    except SpecError:
        if release is not None:
            raise
        return None


def _judged(found: Iterable[_Gathered], threads: int) -> Iterator[Group]:
    sets = tuple(one for collection, _ in found for one in collection.sets)
    folders = tuple(one for _, several in found for one in several)
    report = verify(Collection(sets, ()), folders)
    for folder in report.folders:
        shown = f"{folder.facts.folder.kind.value} {folder.facts.folder.name}"
        yield Group(name=shown, release=None, architecture=None, checks=folder.checks)
    # What lies in the image of a card cannot be opened as a file.
    inside = {
        id(group)
        for facts in folders
        if facts.folder.kind is FolderKind.IMAGE
        for group in facts.sets
    }
    for one in report.sets:
        yield _group(one, threads, opens=id(one.group) not in inside)


def _by_itself(image: Opened, threads: int) -> Group:
    weight, problem = _weighed(image, {}, threads)
    found = Image(
        name=image.name,
        kind=image.kind,
        release=image.release,
        size=weight.size if weight is not None else image.size,
        pieces=image.parts,
        weight=weight,
        modules=weighed_modules(weight),
        programs=(),
        problem=problem,
    )
    return Group(release=image.release, architecture=None, images=(found,))


def _group(one: SetReport, threads: int, *, opens: bool) -> Group:
    group = one.group
    parts = {id(part) for row in group.artifacts for part in row.parts}
    own = [row for row in group.artifacts if id(row) not in parts]
    manifest = next((row.manifest for row in group.of(Kind.MANIFEST) if row.manifest), {})
    images = []
    for row in own:
        if row.kind in _IMAGES:
            # In a boot folder, the path is that of the folder.
            path = row.path / row.name if row.path.is_dir() else row.path
            images.append(_image(row, path if opens else None, manifest, threads))
    return Group(
        release=group.release,
        architecture=one.architecture,
        images=tuple(images),
        others=tuple(
            Other(row.name, row.kind, row.size, row.problem)
            for row in sorted(own, key=lambda row: row.name)
            if row.kind not in _IMAGES
        ),
        checks=one.checks,
    )


def _image(
    artifact: Artifact, path: Path | None, manifest: Mapping[str, Any], threads: int
) -> Image:
    weight = None
    pieces: tuple[Piece, ...] = ()
    problem = artifact.problem
    if path is not None:
        with open_image(path, artifact.name) as image:
            weight, problem = _weighed(image, manifest, threads)
            pieces = image.parts
    held = [row.contents for row in (artifact, *artifact.parts) if row.contents is not None]
    disk = artifact.kind is Kind.DISK
    return Image(
        name=artifact.name,
        kind=artifact.kind,
        release=artifact.claimed,
        size=artifact.size,
        pieces=pieces,
        weight=weight,
        modules=tuple(
            view for one in held for view in view_modules(one, weight, manifest, disk=disk)
        ),
        programs=tuple(program for one in held for program in _programs(one, manifest)),
        problem=problem or artifact.problem,
    )


def _weighed(
    image: Opened, manifest: Mapping[str, Any], threads: int
) -> tuple[Weight | None, str | None]:
    """Return the weight of an image, and why it is not that of the whole."""
    measure, level = _packing(manifest)
    try:
        weight = weigh(image, measure=measure, level=level, threads=threads)
    except (FormatError, UnsupportedError) as error:
        return None, error.message
    return weight, None if image.problem is None else image.problem.message


def _packing(manifest: Mapping[str, Any]) -> tuple[bool, int | None]:
    """Return whether it is known how the initramfs was compressed, and the level."""
    initramfs = manifest.get("initramfs")
    named = initramfs.get("compression") if isinstance(initramfs, dict) else None
    if not isinstance(named, str):
        return False, None
    try:
        return True, parse_compression(named)[1]
    except SpecError:
        return False, None


def _programs(contents: Contents, manifest: Mapping[str, Any]) -> Iterator[ProgramView]:
    packaged = _packaged(manifest)
    for program in contents.programs:
        elf = program.elf
        yield ProgramView(
            program.path,
            machine_name(elf.machine, elf.bits, elf.byteorder),
            elf.needed,
            program.sha256,
            packaged.get(program.path) or _own_version(contents, program.path),
        )


def _own_version(contents: Contents, path: str) -> str:
    """Return what a program says of its version itself."""
    entry = contents.tree.get(path)
    if not isinstance(entry, File) or entry.content.size > MAX_PROGRAM:
        return ""
    said = read_version(path.rpartition("/")[2], read_all(entry.content))
    return "" if said is None else f"{said.name} {said.version}"


def _packaged(manifest: Mapping[str, Any]) -> dict[str, str]:
    """Return package and version of the programs that a manifest names, by their paths."""
    inputs = manifest.get("inputs")
    return {
        _PROGRAMS[row["role"]]: f"{row['package']} {row['version']}"
        for row in (inputs if isinstance(inputs, list) else ())
        if isinstance(row, dict)
        and row.get("role") in _PROGRAMS
        and isinstance(row.get("package"), str)
        and isinstance(row.get("version"), str)
    }


_Gathered = tuple[Collection, "tuple[BootFacts, ...]"]
