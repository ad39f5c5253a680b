"""What this kernel, by its own configuration, can boot.

A composition that the kernel cannot boot is refused here, with the missing
``CONFIG_`` named, and a compressor that was not asked for is chosen among those that
the kernel can undo.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rdcompose.compose.spec import Codec, DiskMode, Preset
from rdcompose.errors import CapabilityError
from rdcompose.formats.compression import BY_NAME
from rdcompose.formats.squashfs.compressors import find

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rdcompose.kernel.config import KernelConfig

# Best first, with their levels, of which ``None`` is the compressor's default. The figures
# behind the orders are in docs/compression.md.
_INITRAMFS: Final = {
    Preset.BALANCED: (Codec("zstd"), Codec("xz"), Codec("gzip"), Codec("none")),
    Preset.FAST: (Codec("zstd", 3), Codec("gzip", 1), Codec("none"), Codec("xz", 0)),
    Preset.SMALL: (Codec("zstd", 19), Codec("xz", 6), Codec("gzip", 9), Codec("none")),
}
_DISK: Final = {
    Preset.BALANCED: (Codec("zstd"), Codec("xz"), Codec("gzip")),
    Preset.FAST: (Codec("zstd", 1), Codec("gzip", 1), Codec("xz", 0)),
    Preset.SMALL: (Codec("zstd", 19), Codec("xz", 6), Codec("gzip", 6)),
}


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


def initramfs_compression(config: KernelConfig, asked: Codec | None, preset: Preset) -> Codec:
    """Return the compression of the initramfs: as asked, or the best one by the preset.

    :raises CapabilityError: the kernel cannot unpack it, or no initramfs at all.
    """
    possible = [c for c in _INITRAMFS[preset] if not config.missing_for_initramfs(c.name)]
    codec = asked or next(iter(possible), Codec("none"))
    name = codec.name
    missing = config.missing_for_initramfs(name)
    if missing:
        raise CapabilityError(
            f"this kernel cannot unpack an initramfs compressed with {name}: "
            f"it lacks {', '.join(missing)}",
            hint=f"it can unpack: {_names(possible)}" if possible else None,
        )
    return _with_level(codec, BY_NAME[name].default_level)


def disk_compression(
    config: KernelConfig, mode: DiskMode, asked: Codec | None, preset: Preset
) -> Codec:
    """Return the compression of the modules disk: as asked, or the best one by the preset.

    :raises CapabilityError: the kernel cannot mount such a disk, or cannot lay the
        modules of the initramfs over it.
    """
    if mode is DiskMode.REMAINING and (missing := config.missing_for_overlay()):
        raise CapabilityError(
            "this kernel cannot lay the modules of the initramfs over the modules disk: "
            f"it lacks {', '.join(missing)}",
            hint="use --disk all, which puts every module on the disk",
        )
    possible = [c for c in _DISK[preset] if not config.missing_for_squashfs(c.name)]
    codec = asked or next(iter(possible), Codec("gzip"))
    name = codec.name
    missing = config.missing_for_squashfs(name)
    if missing:
        other = f"it can read: {_names(possible)}; or " if possible else ""
        raise CapabilityError(
            f"this kernel cannot read a modules disk compressed with {name}: "
            f"it lacks {', '.join(missing)}",
            hint=f"{other}use --disk none",
        )
    return _with_level(codec, find(name).default_level)


def _names(codecs: Iterable[Codec]) -> str:
    return ", ".join(codec.name for codec in codecs)


def _with_level(codec: Codec, default: int | None) -> Codec:
    return codec if codec.level is not None else Codec(codec.name, default)
