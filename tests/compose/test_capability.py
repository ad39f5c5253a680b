from __future__ import annotations

from typing import Final

import pytest

from rdcompose.compose.capability import disk_compression, initramfs_compression
from rdcompose.compose.spec import Codec, DiskMode, Preset
from rdcompose.errors import CapabilityError
from rdcompose.kernel.config import KernelConfig

BASE: Final = "BLK_DEV_INITRD BLOCK SQUASHFS TMPFS OVERLAY_FS"
ALL: Final = "RD_ZSTD RD_XZ RD_GZIP SQUASHFS_ZSTD SQUASHFS_XZ SQUASHFS_ZLIB"


def config(names: str, *, without: str = "") -> KernelConfig:
    options = [name for name in f"{BASE} {names}".split() if name not in without.split()]
    return KernelConfig.parse("".join(f"CONFIG_{name}=y\n" for name in options).encode())


@pytest.mark.parametrize(
    ("preset", "lacks", "initramfs", "disk"),
    [
        (Preset.BALANCED, "", "zstd:9", "zstd:6"),
        (Preset.BALANCED, "RD_ZSTD SQUASHFS_ZSTD", "xz:6", "xz:6"),
        (Preset.FAST, "", "zstd:3", "zstd:1"),
        (Preset.FAST, "RD_ZSTD SQUASHFS_ZSTD", "gzip:1", "gzip:1"),
        (Preset.FAST, "RD_ZSTD RD_GZIP SQUASHFS_ZSTD SQUASHFS_ZLIB", "none", "xz:0"),
        (Preset.SMALL, "", "zstd:19", "zstd:19"),
        (Preset.SMALL, "RD_ZSTD SQUASHFS_ZSTD", "xz:6", "xz:6"),
        (Preset.SMALL, "RD_ZSTD RD_XZ SQUASHFS_ZSTD SQUASHFS_XZ", "gzip:9", "gzip:6"),
    ],
)
def test_chosen_among_what_the_kernel_has(
    preset: Preset, lacks: str, initramfs: str, disk: str
) -> None:
    kernel = config(ALL, without=lacks)
    assert str(initramfs_compression(kernel, None, preset)) == initramfs
    assert str(disk_compression(kernel, DiskMode.REMAINING, None, preset)) == disk


@pytest.mark.parametrize("preset", Preset)
def test_nothing_to_choose_from(preset: Preset) -> None:
    kernel = config("")
    assert initramfs_compression(kernel, None, preset).name == "none"
    with pytest.raises(CapabilityError, match="compressed with gzip: it lacks CONFIG_SQUASHFS_Z"):
        disk_compression(kernel, DiskMode.ALL, None, preset)


@pytest.mark.parametrize("preset", Preset)
def test_what_is_asked_for_counts(preset: Preset) -> None:
    kernel = config(ALL)
    assert str(initramfs_compression(kernel, Codec("gzip"), preset)) == "gzip:9"
    assert str(disk_compression(kernel, DiskMode.ALL, Codec("gzip", 3), preset)) == "gzip:3"
    with pytest.raises(CapabilityError) as caught:
        initramfs_compression(config(ALL, without="RD_XZ"), Codec("xz"), preset)
    assert "xz: it lacks CONFIG_RD_XZ" in caught.value.message
    assert "zstd" in (caught.value.hint or "")
