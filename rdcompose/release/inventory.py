"""What is in the files of a build, read back from the files themselves."""

from __future__ import annotations

import dataclasses
import hashlib
from typing import TYPE_CHECKING, Final

from rdcompose.errors import SpecError
from rdcompose.inspect.artifact import Kind
from rdcompose.inspect.identify import identify
from rdcompose.kernel.moduletree import plain_module_path
from rdcompose.tree import File

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rdcompose.inspect.artifact import Artifact
    from rdcompose.inspect.contents import Contents, ModuleFile
    from rdcompose.release.builds import Build

_FIRMWARE: Final = ("lib/firmware/", "usr/lib/firmware/")
_MICROCODE: Final = "kernel/"
_PIECE: Final = 1 << 20
_HINT: Final = "build it again; rdcompose verify says all that is wrong with it"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Driver:
    """A kernel module: its path in the file that holds it, and what it says of itself.

    ``inner`` is the path below ``/lib/modules/R``, ``depends`` are names of modules.
    """

    name: str
    path: str
    inner: str
    sha256: str
    version: str
    licences: tuple[str, ...]
    description: str
    depends: tuple[str, ...]
    own: bool


@dataclasses.dataclass(frozen=True, slots=True)
class Piece:
    """A program, library or file of firmware: its path and the SHA-256 of its content."""

    path: str
    sha256: str
    library: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """What one file of a build holds; ``file`` is its name in the build."""

    file: str
    drivers: tuple[Driver, ...]
    programs: tuple[Piece, ...] = ()
    firmware: tuple[Piece, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """What the files of a build hold: its initramfs, and its modules disk if it has one."""

    initramfs: Holding
    disk: Holding | None


def take_inventory(build: Build) -> Inventory:
    """Read the initramfs and the modules disk of a build.

    :raises SpecError: one is not there, or damaged.
    """
    names = [file.name for file in build.files]
    initramfs = next((name for name in names if name == f"initramfs-{build.release}"), None)
    disk = next((name for name in names if name.startswith(f"modules-{build.release}.")), None)
    if initramfs is None:
        raise SpecError(
            f"the build of {build.release} in {build.directory} has no initramfs-{build.release}",
            hint="only what rdcompose build wrote can be released",
        )
    return Inventory(
        initramfs=_holding(build, initramfs, Kind.INITRAMFS),
        disk=None if disk is None else _holding(build, disk, Kind.DISK),
    )


def on_disk(inventory: Inventory) -> tuple[str, ...]:
    """Return the names of the modules on the disk, sorted."""
    return () if inventory.disk is None else tuple(sorted(x.name for x in inventory.disk.drivers))


def _holding(build: Build, name: str, kind: Kind) -> Holding:
    path = build.directory / name
    artifact = identify(path, name)
    contents = _contents(artifact, kind)
    own = build.record.own_modules
    # The disk is closed, and it holds neither programs nor firmware.
    pieces = tuple(_pieces(contents)) if kind is Kind.INITRAMFS else ()
    return Holding(
        file=name,
        drivers=tuple(_driver(module, own=module.name in own) for module in contents.modules),
        programs=tuple(
            Piece(program.path, program.sha256, program.elf.soname is not None)
            for program in contents.programs
        ),
        firmware=pieces,
    )


def _contents(artifact: Artifact, kind: Kind) -> Contents:
    problem = artifact.problem
    contents = artifact.contents
    if problem is None and (contents is None or artifact.kind is not kind):
        problem = f"{artifact.what}, and no {kind.value}"
    if problem is None and contents is not None:
        # What else cannot be read may be anything: a template holds what its owner likes.
        damaged = [row for row in contents.damaged if plain_module_path(row.path) is not None]
        problem = next((f"{row.path}: {row.why}" for row in damaged), None)
    if problem is not None or contents is None:
        raise SpecError(f"{artifact.path} cannot be released: {problem}", hint=_HINT)
    return contents


def _driver(module: ModuleFile, *, own: bool) -> Driver:
    elf = module.elf
    return Driver(
        name=module.name,
        path=module.path,
        inner=module.inner,
        sha256=module.sha256,
        version=elf.value("version") or "",
        licences=elf.values("license"),
        description=elf.value("description") or "",
        depends=module.depends,
        own=own,
    )


def _pieces(contents: Contents) -> Iterator[Piece]:
    for entry in contents.tree:
        if isinstance(entry, File) and entry.path.startswith((*_FIRMWARE, _MICROCODE)):
            digest = hashlib.sha256()
            for piece in entry.content.chunks(_PIECE):
                digest.update(piece)
            yield Piece(entry.path, digest.hexdigest())
