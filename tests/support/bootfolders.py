"""Boot folders as trees, with contents that only their names matter of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rdcompose.tree import Bytes, File, Tree

if TYPE_CHECKING:
    from collections.abc import Mapping

RELEASE: Final = "6.12.9-arm64"
CONFIG: Final = f"""\
[all]
os_prefix={RELEASE}/
arm_64bit=1
kernel=kernel8.img
initramfs initramfs8 followkernel
upstream_kernel=1
enable_uart=1
"""
_FIRMWARE: Final = ("bootcode.bin", "start.elf", "fixup.dat", "start4.elf", "fixup4.dat")
_TREES: Final = (
    *("bcm2837-rpi-3-b.dtb", "bcm2837-rpi-3-b-plus.dtb", "bcm2837-rpi-cm3-io3.dtb"),
    *("bcm2837-rpi-3-a-plus.dtb", "bcm2711-rpi-4-b.dtb", "bcm2711-rpi-cm4s.dtb"),
    *("bcm2712-rpi-5-b.dtb", "bcm2712-rpi-500.dtb", "bcm2712-rpi-cm5-cm5io.dtb"),
)
_SET: Final = ("kernel8.img", "initramfs8", "cmdline.txt", *_TREES)


def files() -> dict[str, bytes]:
    """Return the files of a folder for a Pi 3, 4 and 5, by path."""
    found = {path: f"{path}\n".encode() for path in _FIRMWARE}
    found |= {f"{RELEASE}/{path}": f"{path}\n".encode() for path in _SET}
    found[f"{RELEASE}/cmdline.txt"] = b"console=tty0 root=none\n"
    return found | {"config.txt": CONFIG.encode()}


def tree(contents: Mapping[str, bytes]) -> Tree:
    """Return a tree of these files."""
    found = Tree()
    for path, data in contents.items():
        found.add(File(path=path, content=Bytes(data)))
    return found
