"""What this kernel, by its own configuration, can boot.

A composition that the kernel cannot boot is refused here, with the missing
``CONFIG_`` named, and a compressor that was not asked for is chosen among those that
the kernel can undo.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rdcompose.compose.spec import Codec, DiskMode
from rdcompose.errors import CapabilityError
from rdcompose.formats.compression import BY_NAME
from rdcompose.formats.squashfs.compressors import find

if TYPE_CHECKING:
    from rdcompose.kernel.config import KernelConfig

# Best first; the figures behind the order are in docs/compression.md.
_INITRAMFS: Final = ("zstd", "xz", "gzip", "none")
_DISK: Final = ("zstd", "xz", "gzip")


def check_init(config: KernelConfig, *, modules: bool) -> None:
    """Check what the built-in init script needs.

    :raises CapabilityError: names what is missing.
    """
    missing = config.missing_for_init()
    if modules:
        missing += config.missing_for_modules()
    if missing:
        raise CapabilityError(
            f"this kernel cannot run the init script: it lacks {', '.join(missing)}",
            hint="take another kernel, or a template of your own with --template",
        )


def initramfs_compression(config: KernelConfig, asked: Codec | None) -> Codec:
    """Return the compression of the initramfs: as asked, or the best one possible.

    :raises CapabilityError: the kernel cannot unpack it, or no initramfs at all.
    """
    possible = [name for name in _INITRAMFS if not config.missing_for_initramfs(name)]
    name = asked.name if asked is not None else next(iter(possible), "none")
    missing = config.missing_for_initramfs(name)
    if missing:
        raise CapabilityError(
            f"this kernel cannot unpack an initramfs compressed with {name}: "
            f"it lacks {', '.join(missing)}",
            hint=f"it can unpack: {', '.join(possible)}" if possible else None,
        )
    return _with_level(name, asked, BY_NAME[name].default_level)


def disk_compression(config: KernelConfig, mode: DiskMode, asked: Codec | None) -> Codec:
    """Return the compression of the modules disk: as asked, or the best one possible.

    :raises CapabilityError: the kernel cannot mount such a disk, or cannot lay the
        modules of the initramfs over it.
    """
    if mode is DiskMode.REMAINING and (missing := config.missing_for_overlay()):
        raise CapabilityError(
            "this kernel cannot lay the modules of the initramfs over the modules disk: "
            f"it lacks {', '.join(missing)}",
            hint="use --disk all, which puts every module on the disk",
        )
    possible = [name for name in _DISK if not config.missing_for_squashfs(name)]
    name = asked.name if asked is not None else next(iter(possible), "gzip")
    missing = config.missing_for_squashfs(name)
    if missing:
        other = f"it can read: {', '.join(possible)}; or " if possible else ""
        raise CapabilityError(
            f"this kernel cannot read a modules disk compressed with {name}: "
            f"it lacks {', '.join(missing)}",
            hint=f"{other}use --disk none",
        )
    return _with_level(name, asked, find(name).default_level)


def _with_level(name: str, asked: Codec | None, default: int | None) -> Codec:
    level = asked.level if asked is not None else None
    return Codec(name, default if level is None else level)
