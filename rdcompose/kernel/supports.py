"""What a kernel can do, by what its configuration and its modules say.

The options are those of Linux (``Kconfig`` of each driver), the modules those that the options
build. Names that drivers had before are known, too: ``overlayfs`` became ``overlay`` when it went
into Linux 3.18, ``aufs`` never did and comes with patched kernels alone.
"""

from __future__ import annotations

import dataclasses
import enum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping

    from rdcompose.kernel.config import KernelConfig

# What PiNet's and LTSP's clients have their root from.
PINET: Final = ("nbd", "squashfs", "overlay")


class Status(enum.StrEnum):
    """Where a kernel has something."""

    BUILT_IN = "built in"
    MODULE = "module"
    LACKING = "lacking"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Support:
    """What a kernel has of a feature.

    ``missing`` are options that are off, with ``CONFIG_``, or several that each would do, joined
    by "or"; ``modules`` those that are wanted,
    ``absent`` the ones of them that the configuration promises and the packages do not have;
    ``remark`` is what there is to know, empty for nothing.
    """

    feature: str
    status: Status
    missing: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    remark: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class _Need:
    """Options of which one has to be on, each with the module that it builds."""

    options: Mapping[str, str]


def _one(option: str, module: str) -> _Need:
    return _Need({option: module})


# What a feature needs, all of it.
_FEATURES: Final[Mapping[str, tuple[_Need, ...]]] = {
    "nbd": (_one("BLK_DEV_NBD", "nbd"),),
    "nfs": (_one("NFS_FS", "nfs"), _Need({"NFS_V4": "nfsv4", "NFS_V3": "nfsv3"})),
    "9p": (_one("9P_FS", "9p"),),
    "overlay": (_one("OVERLAY_FS", "overlay"),),
    "aufs": (_one("AUFS_FS", "aufs"),),
    "squashfs": (_one("SQUASHFS", "squashfs"),),
    "erofs": (_one("EROFS_FS", "erofs"),),
    "ext4": (_one("EXT4_FS", "ext4"),),
    "btrfs": (_one("BTRFS_FS", "btrfs"),),
    "xfs": (_one("XFS_FS", "xfs"),),
    "f2fs": (_one("F2FS_FS", "f2fs"),),
    "vfat": (_one("VFAT_FS", "vfat"),),
    "exfat": (_one("EXFAT_FS", "exfat"),),
    "ntfs3": (_one("NTFS3_FS", "ntfs3"),),
    "iso9660": (_one("ISO9660_FS", "isofs"),),
    "loop": (_one("BLK_DEV_LOOP", "loop"),),
    "dm": (_one("BLK_DEV_DM", "dm_mod"),),
    "crypt": (_one("BLK_DEV_DM", "dm_mod"), _one("DM_CRYPT", "dm_crypt")),
    "raid1": (_one("BLK_DEV_MD", "md_mod"), _one("MD_RAID1", "raid1")),
    "nvme": (_one("BLK_DEV_NVME", "nvme"),),
    "sd": (_one("MMC_BLOCK", "mmc_block"),),
    "usb-storage": (_one("USB_STORAGE", "usb_storage"), _one("BLK_DEV_SD", "sd_mod")),
    "virtio-blk": (_one("VIRTIO_BLK", "virtio_blk"),),
}
FEATURES: Final = tuple(_FEATURES)
# The options of the modules among them.
OPTIONS: Final[Mapping[str, str]] = {
    module: option
    for needs in _FEATURES.values()
    for need in needs
    for option, module in need.options.items()
}

# What FAT cannot be mounted without: its default tables of characters, by their options.
_CODEPAGE: Final = "FAT_DEFAULT_CODEPAGE"
_CHARSET: Final = "FAT_DEFAULT_IOCHARSET"

# Other names, and what to know of them.
_RENAMED: Final = {
    "overlayfs": ("overlay", "overlayfs is called overlay since Linux 3.18"),
    "fat": ("vfat", ""),
    "isofs": ("iso9660", ""),
    "dm-crypt": ("crypt", ""),
    "luks": ("crypt", ""),
    "mmc": ("sd", ""),
}
_REMARKS: Final = {
    "aufs": "aufs is no part of Linux, only of patched kernels: overlay does the same",
}


def find_feature(name: str) -> str | None:
    """Return the feature that a name stands for: one of the table, or ``CONFIG_`` and an option."""
    wanted = name.lower().replace("_", "-")
    if wanted in _FEATURES:
        return wanted
    if wanted in _RENAMED:
        return _RENAMED[wanted][0]
    if name.startswith("CONFIG_") and name.removeprefix("CONFIG_"):
        return name
    return None


def supports(config: KernelConfig, modules: Container[str], name: str) -> Support:
    """Say what a kernel has of a feature; ``modules`` are the names of its modules.

    :raises KeyError: nothing is known of such a feature (:func:`find_feature`).
    """
    feature = find_feature(name)
    if feature is None:
        raise KeyError(name)
    remark = _RENAMED.get(name.lower(), ("", ""))[1] or _REMARKS.get(feature, "")
    if feature not in _FEATURES:
        return _option(config, feature)
    missing: list[str] = []
    wanted: list[str] = []
    for need in (*_FEATURES[feature], *_characters(config, feature)):
        enabled = [option for option in need.options if config.enabled(option)]
        if not enabled:
            missing.append(" or ".join(f"CONFIG_{option}" for option in need.options))
        elif not any(config.builtin(option) for option in enabled):
            wanted.append(need.options[enabled[0]])
    absent = tuple(module for module in wanted if module not in modules)
    status = Status.MODULE if wanted else Status.BUILT_IN
    return Support(
        feature=feature,
        status=Status.LACKING if missing or absent else status,
        missing=tuple(missing),
        modules=tuple(wanted),
        absent=absent,
        remark=remark if missing or absent or name.lower() in _RENAMED else "",
    )


def lacking(config: KernelConfig, modules: Container[str], names: Iterable[str]) -> list[Support]:
    """Return those of some features that a kernel does not have."""
    found = [supports(config, modules, name) for name in names]
    return [one for one in found if one.status is Status.LACKING]


def _option(config: KernelConfig, feature: str) -> Support:
    name = feature.removeprefix("CONFIG_")
    if not config.enabled(name):
        return Support(feature=feature, status=Status.LACKING, missing=(feature,))
    status = Status.BUILT_IN if config.builtin(name) else Status.MODULE
    return Support(feature=feature, status=status)


def _characters(config: KernelConfig, feature: str) -> Iterable[_Need]:
    if feature != "vfat":
        return ()
    page = config.options.get(_CODEPAGE, "437")
    return _table(f"cp{page}"), _table(config.options.get(_CHARSET, "iso8859-1"))


def _table(name: str) -> _Need:
    """Return what a table of characters needs, by the kernel's name for it."""
    name = name.lower().replace("-", "_")
    option = f"NLS_{name.upper()}"
    if name.startswith("cp"):
        option = f"NLS_CODEPAGE_{name.removeprefix('cp')}"
    return _one(option, f"nls_{name}")
