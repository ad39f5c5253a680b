"""What the files of an image are for, and which part of the kernel a module is of."""

from __future__ import annotations

import enum
import re
from typing import TYPE_CHECKING, Final

from rdcompose.formats.executable import is_elf
from rdcompose.inspect.artifact import Kind as FileKind
from rdcompose.inspect.contents import module_place
from rdcompose.kernel.module import modname
from rdcompose.kernel.moduletree import plain_module_path
from rdcompose.tree import File

if TYPE_CHECKING:
    from rdcompose.tree import Entry

_FIRMWARE: Final = re.compile(r"(?:usr/)?lib/firmware/(?:([^/]+)/)?.+")
_MICROCODE: Final = re.compile(r"kernel/.+")
_KERNEL: Final = re.compile(r"boot/(?:vmlinu[xz]|Image|kernel)\b[^/]*")
# A subsystem: drivers/net, fs/btrfs, net.
_SUBSYSTEM: Final = re.compile(r"(?:[^/]*/)?(?:drivers|fs|arch|sound)/[^/]+|(?:[^/]+/)?[^/]+")
# Where an entry is a record of newc, with header and name.
RECORDS: Final = frozenset({FileKind.INITRAMFS, FileKind.UKI})
# Where module directories may lie at the top.
AS_DISKS: Final = frozenset({FileKind.DISK, FileKind.FILESYSTEM})


class Kind(enum.StrEnum):
    """What a file is for."""

    KERNEL = "kernel"
    MODULES = "modules"
    INDEXES = "indexes"
    PROGRAMS = "programs"
    FIRMWARE = "firmware"
    MICROCODE = "microcode"
    INIT = "init and settings"
    OTHERS = "other files"
    STUB = "EFI stub and settings"
    LINKS = "links and directories"
    TABLES = "tables and free space"


def kind_of(entry: Entry, start: bytes, image: FileKind) -> tuple[Kind, str]:
    """Return what a file in a kind of image is for, and its group."""
    path = entry.path
    if not isinstance(entry, File):
        return Kind.LINKS, ""
    disk = image in AS_DISKS
    if plain_module_path(path) is not None:
        return Kind.MODULES, _subsystem(path, disk=disk)
    place = module_place(path, disk=disk)
    if place is not None and place[1].startswith("modules."):
        return Kind.INDEXES, ""
    if (found := _FIRMWARE.fullmatch(path)) is not None:
        return Kind.FIRMWARE, found[1] or ""
    return (Kind.PROGRAMS if is_elf(start) else _other_kind(path, image)), ""


def _other_kind(path: str, image: FileKind) -> Kind:
    if image in RECORDS:
        return Kind.MICROCODE if _MICROCODE.fullmatch(path) is not None else Kind.INIT
    return Kind.KERNEL if _KERNEL.fullmatch(path) is not None else Kind.OTHERS


def _subsystem(path: str, *, disk: bool) -> str:
    """Return the part of the kernel that a module is of."""
    place = module_place(path, disk=disk)
    inner = path if place is None else place[1]
    found = _SUBSYSTEM.match(inner.removeprefix("kernel/").rpartition("/")[0])
    return found[0] if found is not None else modname(path)
