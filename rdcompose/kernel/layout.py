"""Where the parts of a kernel lie, in a package and below a root: what a path stands for.

Sources of the layouts:

- Debian and Ubuntu: ``boot/vmlinuz-R`` (or ``vmlinux-R``), ``boot/config-R`` and
  ``lib/modules/R`` or ``usr/lib/modules/R``, in one package or several. From Linux 7 on, Debian
  has kernel and configuration as ``vmlinuz`` and ``config`` in the module directory.
- ``make install``, ``modules_install`` and ``dtbs_install`` (``scripts/install.sh`` and
  ``arch/*/boot/install.sh`` of Linux), and ``make bindeb-pkg`` (``scripts/package/builddeb``). On
  x86, without a distribution's ``installkernel``, the kernel is just ``vmlinuz``.
- Raspberry Pi OS before Debian 12: the package ``raspberrypi-kernel`` with several kernels,
  ``boot/kernel.img``, ``kernel7.img``, ``kernel7l.img``, ``kernel8.img``, whose releases only they
  themselves tell.
- Device trees: ``usr/lib/linux-image-R`` (Debian, Raspberry Pi OS, bindeb-pkg), from Linux 7 on
  ``dtb`` in the module directory (Debian; Fedora),
  ``lib/firmware/R/device-tree`` (Ubuntu), ``boot/dtbs/R`` (dtbs_install by default); of
  ``raspberrypi-kernel`` ``boot/*.dtb`` and ``boot/overlays``, for all kernels beside them.
"""

from __future__ import annotations

import enum
import re
from typing import Final, NamedTuple

from rdcompose.kernel.moduletree import INDEX_FILES, SHIPPED_FILES, plain_module_path

MODULE_ROOTS: Final = ("lib/modules/", "usr/lib/modules/")
BOOT: Final = "boot/"
IMAGE_NAMES: Final = ("vmlinuz", "vmlinux")
CONFIG_NAME: Final = "config"

# What installkernel keeps of the kernel before is no kernel of its own.
_BOOT: Final = re.compile(r"(vmlinuz|vmlinux|config)-([^/]+)(?<!\.old)")
# The firmware of a Raspberry Pi takes them by these names.
_BOARD_IMAGE: Final = re.compile(r"(?:firmware/)?kernel[0-9a-z_]*\.img")
_DEVICE_TREES: Final = re.compile(
    r"(?:usr/lib/linux-image-|boot/dtbs/)([^/]+)"
    r"|(?:usr/)?lib/firmware/([^/]+)/device-tree(?=/|$)"
)
_DTB: Final = "dtb/"
_BOARD_DEVICE_TREE: Final = re.compile(r"(?:firmware/)?([^/]+\.dtb|overlays/.+)")


class Part(enum.Enum):
    """What of a kernel a file is."""

    IMAGE = "kernel"
    CONFIG = "configuration"
    MODULE = "module"
    LIST = "list that the build of a kernel makes"
    INDEX = "index that depmod makes"
    BESIDE = "something else in the module directory"
    DEVICE_TREES = "directory with device trees, or something in it"


class Place(NamedTuple):
    """What a path stands for.

    ``release`` is the one that the path tells, empty where it tells none. ``name`` is
    ``vmlinuz`` or ``vmlinux`` of a kernel, else the path below the directory of modules or
    device trees.
    ``where`` is what an error calls the place that tells the release.
    """

    part: Part
    release: str
    name: str
    where: str


def place(path: str) -> Place | None:
    """Return what a path below a root is, or ``None`` where it is no part of a kernel."""
    for root in MODULE_ROOTS:
        if path.startswith(root):
            release, _, inner = path.removeprefix(root).partition("/")
            return _in_modules(path, f"the module directory {root}{release}", release, inner)
    if (found := _DEVICE_TREES.match(path)) is not None:
        inner = path[found.end() :].removeprefix("/")
        return Place(Part.DEVICE_TREES, found[1] or found[2], inner, found[0])
    if path.startswith(BOOT):
        return _in_boot(path, path.removeprefix(BOOT))
    return None


def _in_modules(path: str, where: str, release: str, inner: str) -> Place | None:
    if not release:
        return None
    part = _part(inner)
    if part is Part.DEVICE_TREES:
        return Place(part, release, inner.removeprefix(_DTB), where)
    if part is Part.IMAGE:
        where = f"the kernel file {path}"
    elif part is Part.CONFIG:
        where = path
    return Place(part, release, inner, where)


def _part(inner: str) -> Part:
    if plain_module_path(inner) is not None:
        return Part.MODULE
    for names, part in _NAMES:
        if inner in names:
            return part
    return Part.DEVICE_TREES if inner.startswith(_DTB) else Part.BESIDE


_NAMES: Final = (
    (SHIPPED_FILES, Part.LIST),
    (INDEX_FILES, Part.INDEX),
    (IMAGE_NAMES, Part.IMAGE),
    ((CONFIG_NAME,), Part.CONFIG),
)


def _in_boot(path: str, name: str) -> Place | None:
    if (found := _BOOT.fullmatch(name)) is not None:
        if found[1] == CONFIG_NAME:
            return Place(Part.CONFIG, found[2], CONFIG_NAME, path)
        return Place(Part.IMAGE, found[2], found[1], f"the kernel file {path}")
    if name in IMAGE_NAMES:
        return Place(Part.IMAGE, "", name, path)
    if _BOARD_IMAGE.fullmatch(name) is not None:
        return Place(Part.IMAGE, "", IMAGE_NAMES[0], path)
    if (found := _BOARD_DEVICE_TREE.fullmatch(name)) is not None:
        return Place(Part.DEVICE_TREES, "", found[1], path)
    return None
