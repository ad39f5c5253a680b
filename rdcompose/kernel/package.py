"""A kernel's packages: one kernel, its modules and its configuration, of one release.

Layout of Debian's ``linux-image`` packages: the kernel is ``boot/vmlinuz-R`` (or
``vmlinux-R``), its configuration ``boot/config-R``, the modules are below
``lib/modules/R`` (Debian 12) or ``usr/lib/modules/R`` (Debian 13), device trees below
``usr/lib/linux-image-R``. From Linux 7 on, Debian has these parts in packages of their own
(``linux-binary``, ``linux-base``, ``linux-modules``), with the kernel and its configuration
as ``vmlinuz`` and ``config`` in the module directory. Each package is read once, as a
stream, and nothing of it is written to a disk.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, BinaryIO, Final, NamedTuple

from rdcompose.errors import FormatError, ReleaseError, UnsupportedError
from rdcompose.formats.deb import Control, Deb, Kind, Member
from rdcompose.formats.image import KernelImage, read_image
from rdcompose.kernel.config import KernelConfig
from rdcompose.kernel.gate import Claim, check_claims, check_modules
from rdcompose.kernel.moduletree import (
    SHIPPED_FILES,
    ModuleIntake,
    ModuleTree,
    plain_module_path,
)
from rdcompose.kernel.release import (
    Architecture,
    architecture_by_name,
    architectures_of_image,
    check_release,
    machine_name,
)

if TYPE_CHECKING:
    from rdcompose.kernel.module import Module

MODULE_ROOTS: Final = ("lib/modules/", "usr/lib/modules/")
CONFIG_NAME: Final = "config"
DTB_ROOT: Final = "usr/lib/linux-image-"
IMAGE_NAMES: Final = ("vmlinuz", "vmlinux")
_IN_MODULE_DIRECTORY: Final = frozenset({*IMAGE_NAMES, CONFIG_NAME})
# What a package with a part of a kernel is called, in front of the release.
_PART: Final = re.compile(r"linux-(?:image|binary|base|modules-extra|modules)-(.+?)(?:-unsigned)?")
# Those that hold what linux-image itself does not, in newer kernels.
PART_PREFIXES: Final = ("linux-base-", "linux-binary-", "linux-modules-")
_OTHER_PARTS: Final = re.compile(rf"(?:^|[,|])\s*((?:{'|'.join(PART_PREFIXES)})[^\s,|(]+)")

Progress = Callable[[int, int], None]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class KernelPackage:
    """What a kernel's packages hold, checked to be of one release.

    ``image_name`` is ``vmlinuz`` or ``vmlinux``, as in the package; ``timestamp`` is the
    newest time in the packages, in seconds since 1970. ``controls`` are their control stanzas.
    """

    release: str
    architecture: Architecture
    image_name: str
    image: bytes
    config_text: bytes
    config: KernelConfig
    tree: ModuleTree
    timestamp: int
    controls: tuple[Control, ...]


def read_packages(
    streams: Sequence[BinaryIO], *, threads: int = 2, progress: Progress | None = None
) -> KernelPackage:
    """Read the packages that together are a kernel; mostly one, ``linux-image``.

    ``progress`` is called with the bytes read so far and the bytes there are.

    :raises FormatError: a package is damaged, or they are not a whole kernel.
    :raises ReleaseError: their parts are not all of one release.
    :raises UnsupportedError: one is of a kind that is not handled.
    """
    sizes = [stream.seek(0, 2) for stream in streams]
    parts = _Parts()
    with ModuleIntake(threads=threads) as intake:
        for number, stream in enumerate(streams):
            stream.seek(0)
            deb = Deb.open(stream, threads=threads)
            parts.open(deb.control)
            for member in deb.members(wanted=_wanted):
                parts.take(member, intake)
                if progress is not None:
                    progress(sum(sizes[:number]) + stream.tell(), sum(sizes))
        return parts.finish(intake)


def other_packages(depends: str) -> tuple[str, ...]:
    """Return the packages with the parts of a kernel, by the Depends of its ``linux-image``."""
    return tuple(dict.fromkeys(_OTHER_PARTS.findall(depends)))


def _wanted(path: str) -> bool:
    if path.startswith("boot/"):
        return path.startswith(("boot/vmlinu", "boot/config-"))
    if not path.startswith(MODULE_ROOTS):
        return False
    name = path.rpartition("/")[2]
    if name in SHIPPED_FILES or plain_module_path(path) is not None:
        return True
    return name in _IN_MODULE_DIRECTORY and path.count("/") == _depth(path)


def _depth(path: str) -> int:
    """Slashes in the path of what lies in the module directory itself."""
    root = next(root for root in MODULE_ROOTS if path.startswith(root))
    return root.count("/") + 1


class _File(NamedTuple):
    path: str
    content: bytes


class _Parts:
    """What has been seen of a kernel's packages so far; files by their names in ``boot/``."""

    def __init__(self) -> None:
        self._controls: list[Control] = []
        self._images: dict[str, _File] = {}
        self._configs: dict[str, _File] = {}
        self._releases: dict[str, str] = {}
        self._dtb_directories: set[str] = set()
        self._files: dict[str, bytes] = {}
        self._count = 0
        self._timestamp = 0

    def open(self, control: Control) -> None:
        """Begin with a package."""
        self._controls.append(control)

    def take(self, member: Member, intake: ModuleIntake) -> None:
        """Sort one member of the package into its place."""
        self._timestamp = max(self._timestamp, member.mtime)
        path = member.path
        if path.startswith(DTB_ROOT):
            self._dtb_directories.add(path.removeprefix(DTB_ROOT).partition("/")[0])
        for root in MODULE_ROOTS:
            if path.startswith(root):
                self._take_module_file(root, member, intake)
        if not _wanted(path) or path.startswith(MODULE_ROOTS):
            return
        _demand_file(member)
        name, dash, release = path.removeprefix("boot/").partition("-")
        if dash:
            self._take_file(name, release, member)

    def _take_file(self, name: str, release: str, member: Member) -> None:
        if name == CONFIG_NAME:
            self._configs[release] = _File(member.path, member.content)
        elif name in IMAGE_NAMES:
            self._images[f"{name}-{release}"] = _File(member.path, member.content)

    def _take_module_file(self, root: str, member: Member, intake: ModuleIntake) -> None:
        release, _, inner = member.path.removeprefix(root).partition("/")
        if not release or (not inner and member.kind is not Kind.DIRECTORY):
            return
        self._releases.setdefault(release, f"the module directory {root}{release}")
        if not _wanted(member.path):
            return
        if inner in _IN_MODULE_DIRECTORY:
            # Other distributions have links there to what is in boot/.
            if member.kind is Kind.FILE:
                self._take_file(inner, release, member)
            return
        _demand_file(member)
        if inner in SHIPPED_FILES:
            self._files[inner] = member.content
        elif plain_module_path(inner) is not None:
            self._count += 1
            intake.add(inner, member.content)

    def finish(self, intake: ModuleIntake) -> KernelPackage:
        """Put the parts together, if they are all there and of one release."""
        file, image = self._image()
        info = read_image(image.content)
        release = check_release(check_claims(self._claims(file, image, info)))
        config_file = self._config(release)
        config = KernelConfig.parse(config_file.content)
        architecture = self._architecture()
        contradiction = config.contradiction(release, architecture)
        if contradiction is not None:
            raise ReleaseError(f"{config_file.path} is not of this kernel: {contradiction}")
        self._demand_modules(config)
        modules = intake.modules()
        check_modules(release, modules)
        _check_architecture(self._name, architecture, info, modules)
        return KernelPackage(
            release=release,
            architecture=architecture,
            image_name=file.partition("-")[0],
            image=image.content,
            config_text=config_file.content,
            config=config,
            tree=ModuleTree(release=release, modules=modules, files=self._files),
            timestamp=self._timestamp,
            controls=tuple(self._controls),
        )

    @property
    def _name(self) -> str:
        return self._controls[0].package

    @property
    def _names(self) -> str:
        """The packages, as the subject of a sentence."""
        names = [control.package for control in self._controls]
        return f"{names[0]} holds" if len(names) == 1 else f"{', '.join(names)} hold"

    def _missing(self, hint: str) -> str:
        """Return what to do about a part that is not there."""
        have = {control.package for control in self._controls}
        named = [
            name
            for control in self._controls
            for name in other_packages(control.get("Depends"))
            if name not in have
        ]
        if named:
            return f"this kernel is in several packages: give {', '.join(named)}, too"
        return hint

    def _architecture(self) -> Architecture:
        first, *others = self._controls
        for other in others:
            if other.architecture != first.architecture:
                raise ReleaseError(
                    f"{first.package} is for {first.architecture}, but {other.package} is for "
                    f"{other.architecture}"
                )
        return architecture_by_name(first.architecture)

    def _image(self) -> tuple[str, _File]:
        for name in IMAGE_NAMES:
            found = [file for file in self._images if file.startswith(f"{name}-")]
            if len(found) > 1:
                raise UnsupportedError(f"{self._names} several kernels: {', '.join(sorted(found))}")
            if found:
                return found[0], self._images[found[0]]
        raise FormatError(
            f"{self._names} no kernel: no boot/vmlinuz-* or boot/vmlinux-*",
            hint=self._missing("the package of the kernel itself is wanted: linux-image-RELEASE"),
        )

    def _claims(self, file: str, image: _File, info: KernelImage) -> list[Claim]:
        claims = [Claim(f"the kernel file {image.path}", file.partition("-")[2])]
        if info.release is None:
            raise ReleaseError(f"the kernel {image.path} does not tell its release")
        claims.append(Claim(f"the kernel inside {image.path}", info.release))
        for control in self._controls:
            claims += _package_claim(control.package, info.release)
        claims += [Claim(where, name) for name, where in sorted(self._releases.items())]
        claims += [Claim(config.path, name) for name, config in sorted(self._configs.items())]
        claims += [Claim(f"{DTB_ROOT}{name}", name) for name in sorted(self._dtb_directories)]
        return claims

    def _config(self, release: str) -> _File:
        if release not in self._configs:
            raise FormatError(
                f"{self._names} no boot/config-{release}",
                hint=self._missing(
                    "rdcompose reads there what the kernel can unpack, mount and load"
                ),
            )
        return self._configs[release]

    def _demand_modules(self, config: KernelConfig) -> None:
        if self._count:
            return
        modular = [name for name, value in config.options.items() if value == "m"]
        if modular:
            raise FormatError(
                f"{self._names} no modules, but the configuration has "
                f"{len(modular)} options as modules, CONFIG_{modular[0]} first",
                hint=self._missing(
                    "some distributions have them in a package of their own: give that, too"
                ),
            )


def _package_claim(package: str, release: str) -> list[Claim]:
    found = _PART.fullmatch(package)
    if found is None:
        return []  # other distributions have names of their own
    # Package names are lower case and without "_"; releases need not be.
    same = found[1].lower() == release.lower().replace("_", "-")
    return [Claim(f"the package {package}", release if same else found[1])]


def _demand_file(member: Member) -> None:
    if member.kind is not Kind.FILE:
        raise UnsupportedError(
            f"{member.path} in the package is a {member.kind.value}, not a regular file"
        )


def _check_architecture(
    package: str, architecture: Architecture, info: KernelImage, modules: Iterable[Module]
) -> None:
    if architecture not in architectures_of_image(info):
        raise ReleaseError(
            f"the package {package} is for {architecture.description}, but the kernel in it is "
            f"a {info.kind.value} for {_machine(info)}"
        )
    wanted = (architecture.elf_machine, architecture.bits, architecture.byteorder)
    for module in modules:
        elf = module.elf
        if (elf.machine, elf.bits, elf.byteorder) != wanted:
            raise ReleaseError(
                f"the kernel is for {architecture.description}, but the module {module.path} "
                f"is for {machine_name(elf.machine, elf.bits, elf.byteorder)}"
            )


def _machine(info: KernelImage) -> str:
    found = architectures_of_image(info)
    return found[0].description if found else "another machine"
