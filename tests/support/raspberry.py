"""Raspberry Pi OS's package of before Debian 12: several kernels, named for the firmware.

Nothing but the kernels tells which release each is of, and the configurations are in the kernels
or in a module.
"""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING, Final

from tests.support.archive_packages import MODULES
from tests.support.archive_packages import package as any_package
from tests.support.images import banner, gzipped, make_arm64, make_zimage
from tests.support.modules import make_ko
from tests.support.packages import CONFIG

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.support.debs import Content

VERSION: Final = "6.1.21"
# File, release, and what its configuration says of the processor.
KERNELS: Final = {
    "kernel.img": (f"{VERSION}+", "CPU_V6K"),
    "kernel7.img": (f"{VERSION}-v7+", "CPU_V7"),
    "kernel7l.img": (f"{VERSION}-v7l+", "CPU_V7"),
    "kernel8.img": (f"{VERSION}-v8+", "64BIT"),
    "kernel_2712.img": (f"{VERSION}-v8-16k+", "64BIT"),
}
BY_RELEASE: Final = {release: name for name, (release, _) in KERNELS.items()}


def ikconfig(text: str) -> bytes:
    """Return a configuration as CONFIG_IKCONFIG stores it."""
    return b"IKCFG_ST" + gzip.compress(text.encode(), 9, mtime=0) + b"IKCFG_ED"


def config(name: str) -> str:
    """Return the configuration of one of the kernels."""
    option = KERNELS[name][1]
    if option == "64BIT":
        return CONFIG.replace("Linux/x86 6.1.99", f"Linux/arm64 {VERSION}")
    text = CONFIG.replace("Linux/x86 6.1.99", f"Linux/arm {VERSION}")
    return text.replace("CONFIG_64BIT=y", f"CONFIG_{option}=y")


def image(name: str, release: str) -> bytes:
    """Return a kernel of a release, with its configuration inside if it is of 64 bits."""
    if KERNELS[name][1] == "64BIT":
        text = banner(release) + ikconfig(config(name))
        return gzipped(make_arm64(release, text=text))
    return make_zimage(gzipped(banner(release)))


def files(*names: str) -> dict[str, Content]:
    """Return the files of the package with these kernels, by default all, by path."""
    found: dict[str, Content] = {
        "boot/COPYING.linux": b"",
        "boot/bcm2708-rpi-b.dtb": b"",
        "boot/overlays/README": b"",
    }
    for name in names or KERNELS:
        release, option = KERNELS[name]
        found[f"boot/{name}"] = image(name, release)
        bits, machine = (64, 183) if option == "64BIT" else (32, 40)
        word = "aarch64" if bits == 64 else "ARMv6 p2v8" if option == "CPU_V6K" else "ARMv7 p2v8"
        vermagic = f"{release} SMP mod_unload modversions {word} "
        base = f"lib/modules/{release}"
        for path in MODULES:
            found[f"{base}/kernel/{path}.ko.xz"] = _module(vermagic, bits, machine)
        if bits == 32:
            data = make_ko({"vermagic": vermagic}, bits=bits, machine=machine)
            found[f"{base}/kernel/kernel/configs.ko"] = data + ikconfig(config(name))
        found[f"{base}/modules.builtin"] = b"kernel/fs/ext4/ext4.ko\n"
        found[f"{base}/build"] = "/usr/src/linux"
    return found


def _module(vermagic: str, bits: int, machine: int) -> bytes:
    import lzma

    data = make_ko({"vermagic": vermagic}, bits=64 if bits == 64 else 32, machine=machine)
    return lzma.compress(data, check=lzma.CHECK_CRC32)


def package(found: Mapping[str, Content] | None = None) -> bytes:
    """Return the package of these files, by default of all kernels."""
    content = files() if found is None else found
    return any_package("raspberrypi-kernel", "1:1.20230405-1", "armhf", content)
