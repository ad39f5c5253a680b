"""A kernel package: one kernel, its modules and its configuration, of one release.

Layout of Debian's ``linux-image`` packages: the kernel is ``boot/vmlinuz-R`` (or
``vmlinux-R``), its configuration ``boot/config-R``, the modules are below
``lib/modules/R`` (Debian 12) or ``usr/lib/modules/R`` (Debian 13), device trees below
``usr/lib/linux-image-R``. The package is read once, as a stream, and nothing of it is
written to a disk.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, BinaryIO, Final

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
PACKAGE_PREFIX: Final = "linux-image-"
DTB_ROOT: Final = "usr/lib/linux-image-"
IMAGE_NAMES: Final = ("vmlinuz", "vmlinux")

Progress = Callable[[int, int], None]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class KernelPackage:
    """What a kernel package holds, checked to be of one release.

    ``image_name`` is ``vmlinuz`` or ``vmlinux``, as in the package; ``timestamp`` is the
    newest time in the package, in seconds since 1970.
    """

    release: str
    architecture: Architecture
    image_name: str
    image: bytes
    config_text: bytes
    config: KernelConfig
    tree: ModuleTree
    timestamp: int
    package: str
    version: str


def read_package(
    stream: BinaryIO, *, threads: int = 2, progress: Progress | None = None
) -> KernelPackage:
    """Read a ``linux-image`` package.

    ``progress`` is called with the bytes read so far and the bytes there are.

    :raises FormatError: the package is damaged, or no kernel package.
    :raises ReleaseError: its parts are not all of one release.
    :raises UnsupportedError: it is of a kind that is not handled.
    """
    size = stream.seek(0, 2)
    stream.seek(0)
    deb = Deb.open(stream, threads=threads)
    parts = _Parts(deb.control)
    with ModuleIntake(threads=threads) as intake:
        for member in deb.members(wanted=_wanted):
            parts.take(member, intake)
            if progress is not None:
                progress(stream.tell(), size)
        return parts.finish(intake)


def _wanted(path: str) -> bool:
    if path.startswith("boot/"):
        return path.startswith(("boot/vmlinu", "boot/config-"))
    if not path.startswith(MODULE_ROOTS):
        return False
    return path.rpartition("/")[2] in SHIPPED_FILES or plain_module_path(path) is not None


class _Parts:
    """What has been seen of a package so far."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self._images: dict[str, bytes] = {}
        self._configs: dict[str, bytes] = {}
        self._releases: dict[str, str] = {}
        self._dtb_directories: set[str] = set()
        self._files: dict[str, bytes] = {}
        self._count = 0
        self._timestamp = 0

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
        if name == "config":
            self._configs[release] = member.content
        elif name in IMAGE_NAMES and dash:
            self._images[f"{name}-{release}"] = member.content

    def _take_module_file(self, root: str, member: Member, intake: ModuleIntake) -> None:
        release, _, inner = member.path.removeprefix(root).partition("/")
        if not release or (not inner and member.kind is not Kind.DIRECTORY):
            return
        self._releases.setdefault(release, f"the module directory {root}{release}")
        if not _wanted(member.path):
            return
        _demand_file(member)
        if inner in SHIPPED_FILES:
            self._files[inner] = member.content
        elif plain_module_path(inner) is not None:
            self._count += 1
            intake.add(inner, member.content)

    def finish(self, intake: ModuleIntake) -> KernelPackage:
        """Put the parts together, if they are all there and of one release."""
        image_file, image = self._image()
        info = read_image(image)
        release = check_release(check_claims(self._claims(image_file, info)))
        config_text = self._config(release)
        config = KernelConfig.parse(config_text)
        architecture = architecture_by_name(self._control.architecture)
        contradiction = config.contradiction(release, architecture)
        if contradiction is not None:
            raise ReleaseError(f"boot/config-{release} is not of this kernel: {contradiction}")
        self._demand_modules(config)
        modules = intake.modules()
        check_modules(release, modules)
        _check_architecture(self._control.package, architecture, info, modules)
        return KernelPackage(
            release=release,
            architecture=architecture,
            image_name=image_file.partition("-")[0],
            image=image,
            config_text=config_text,
            config=config,
            tree=ModuleTree(release=release, modules=modules, files=self._files),
            timestamp=self._timestamp,
            package=self._control.package,
            version=self._control.version,
        )

    def _image(self) -> tuple[str, bytes]:
        for name in IMAGE_NAMES:
            found = [file for file in self._images if file.startswith(f"{name}-")]
            if len(found) > 1:
                raise UnsupportedError(
                    f"{self._control.package} holds several kernels: {', '.join(sorted(found))}"
                )
            if found:
                return found[0], self._images[found[0]]
        raise FormatError(
            f"{self._control.package} holds no kernel: no boot/vmlinuz-* or boot/vmlinux-*",
            hint="the package of the kernel itself is wanted: linux-image-RELEASE",
        )

    def _claims(self, image_file: str, info: KernelImage) -> list[Claim]:
        claims = [Claim(f"the kernel file boot/{image_file}", image_file.partition("-")[2])]
        if info.release is None:
            raise ReleaseError(f"the kernel boot/{image_file} does not tell its release")
        claims.append(Claim(f"the kernel inside boot/{image_file}", info.release))
        claims += self._package_claim(info.release)
        claims += [Claim(where, name) for name, where in sorted(self._releases.items())]
        claims += [Claim(f"boot/config-{name}", name) for name in sorted(self._configs)]
        claims += [Claim(f"{DTB_ROOT}{name}", name) for name in sorted(self._dtb_directories)]
        return claims

    def _package_claim(self, release: str) -> list[Claim]:
        package = self._control.package
        if not package.startswith(PACKAGE_PREFIX):
            return []  # other distributions have names of their own
        named = package.removeprefix(PACKAGE_PREFIX).removesuffix("-unsigned")
        # Package names are lower case and without "_"; releases need not be.
        same = named.lower() == release.lower().replace("_", "-")
        return [Claim(f"the package {package}", release if same else named)]

    def _config(self, release: str) -> bytes:
        if release not in self._configs:
            raise FormatError(
                f"{self._control.package} holds no boot/config-{release}",
                hint="rdcompose reads there what the kernel can unpack, mount and load",
            )
        return self._configs[release]

    def _demand_modules(self, config: KernelConfig) -> None:
        if self._count:
            return
        modular = [name for name, value in config.options.items() if value == "m"]
        if modular:
            raise FormatError(
                f"{self._control.package} holds no modules, but its configuration has "
                f"{len(modular)} options as modules, CONFIG_{modular[0]} first",
                hint="some distributions put them into a package of their own; "
                "such pairs of packages are not handled",
            )


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
