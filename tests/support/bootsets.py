"""Sets of boot folders without a kernel in them, and config.txt as others make it."""

from __future__ import annotations

import json
from typing import Final

from rdcompose.boards.bootset import BootSet, initramfs_name, kernel_name
from rdcompose.boards.models import find_models
from rdcompose.tree import Bytes, File, Tree

ARM64: Final = "6.12.57+deb13-arm64"
ARMMP: Final = "6.12.57+deb13-armmp"
RPI: Final = "6.1.0-50-rpi"
_ARCHITECTURES: Final = {64: "arm64", 32: "armhf"}

# As Raspberry Pi OS has it, less its comments.
OS_CONFIG: Final = """\
# For more options see the documentation
dtparam=audio=on
camera_auto_detect=1
auto_initramfs=1
dtoverlay=vc4-kms-v3d
arm_64bit=1

[cm4]
otg_mode=1

[all]
"""
OS_FILES: Final = (
    *("kernel.img", "kernel7.img", "kernel7l.img", "kernel8.img", "kernel_2712.img"),
    *("initramfs", "initramfs7", "initramfs7l", "initramfs8", "initramfs_2712"),
    *("bcm2708-rpi-zero.dtb", "bcm2708-rpi-b-plus.dtb", "bcm2709-rpi-2-b.dtb"),
    *("bcm2710-rpi-3-b.dtb", "bcm2710-rpi-zero-2-w.dtb", "bcm2711-rpi-4-b.dtb"),
    *("bcm2712-rpi-5-b.dtb", "cmdline.txt", "start.elf", "start4.elf"),
)


def make_bootset(
    release: str = ARM64,
    boards: str = "zero2 3 4 5",
    *,
    bits: int = 64,
    content: bytes = b"kernel",
    device_tree: str | None = None,
    architecture: str | None = None,
) -> BootSet:
    """Return a set with a stamp that says what it is."""
    models = find_models(boards.split())
    kernel = kernel_name(models, bits)
    trees = {name: b"tree" for model in models for name in model.device_trees(upstream=True)}
    files = {kernel: content, initramfs_name(kernel): b"initramfs", "cmdline.txt": b"x\n", **trees}
    architecture = architecture or _ARCHITECTURES[bits]
    options = {"board": " ".join(model.name for model in models)}
    if device_tree is not None:
        options["device-tree"] = device_tree
    stamp = {
        "release": release,
        "architecture": architecture,
        "options": options,
        "outputs": [{"name": name} for name in files],
    }
    tree = Tree()
    for name, data in {**files, f"manifest-{release}.json": json.dumps(stamp).encode()}.items():
        tree.add(File(path=name, content=Bytes(data)))
    return BootSet(
        release=release,
        architecture=architecture,
        bits=bits,
        models=models,
        kernel=kernel,
        initramfs=initramfs_name(kernel),
        upstream=True,
        device_tree=device_tree,
        tree=tree,
        timestamp=1,
    )
