"""Small arm64 kernels with device trees, and what is composed beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rdcompose.compose.userspace import INIT_APPLETS
from tests.support.debs import make_deb
from tests.support.devicetrees import make_dtb
from tests.support.images import make_arm64
from tests.support.modules import make_ko
from tests.support.packages import CONFIG, sample_files
from tests.support.programs import APPLETS, make_busybox, make_e2fsck

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

RELEASE: Final = "6.12.57+deb13-arm64"
OTHER: Final = "6.12.63+deb13-arm64"
TREES: Final = (
    "bcm2711-rpi-4-b",
    "bcm2712-rpi-5-b",
    "bcm2837-rpi-3-b",
    "bcm2837-rpi-3-b-plus",
    "bcm2837-rpi-zero-2-w",
)
MODULES: Final = ("fs/overlayfs/overlay", "fs/squashfs/squashfs", "net/dummy")
# Of the features network and nbd.
NETWORK_APPLETS: Final = ("ifconfig", "ip", "nbd-client", "route", "udhcpc")
# Those of the boards' own devices.
DRIVERS: Final = """\
CONFIG_BCMGENET=y
CONFIG_MISC_RP1=y
CONFIG_MMC_BCM2835=y
CONFIG_MMC_SDHCI_BRCMSTB=y
CONFIG_MMC_SDHCI_IPROC=y
CONFIG_PCIE_BRCMSTB=y
CONFIG_USB_DWC2=y
CONFIG_USB_NET_SMSC95XX=y
"""
_AARCH64: Final = 183


def arm64_kernel(
    release: str = RELEASE,
    *,
    modules: Iterable[str] = MODULES,
    config: str = "EXT4_FS=y",
    drivers: str = DRIVERS,
    image: bytes | None = None,
    names: Iterable[str] = TREES,
    trees: Mapping[str, bytes] | None = None,
) -> bytes:
    """Return the package of a kernel for the models that run 64 bits.

    ``image`` is another than a plain one, ``names`` are of the device trees, and ``trees`` more of
    them by their paths.
    """
    vermagic = f"{release} SMP preempt mod_unload modversions aarch64 "
    built = {
        f"kernel/{path}.ko": make_ko({"vermagic": vermagic}, machine=_AARCH64) for path in modules
    }
    text = CONFIG.replace("x86 6.1.99", f"arm64 {release.partition('+')[0]}")
    directory = f"usr/lib/linux-image-{release}"
    files = {
        **sample_files(release, modules=built),
        f"boot/vmlinuz-{release}": make_arm64(release) if image is None else image,
        f"boot/config-{release}": f"{text}{drivers}CONFIG_{config}\n".encode(),
        **{f"{directory}/broadcom/{name}.dtb": _tree(name) for name in names},
        **{f"{directory}/{path}": data for path, data in (trees or {}).items()},
    }
    control = {
        "Package": f"linux-image-{release}",
        "Version": "6.12.57-1",
        "Architecture": "arm64",
        "Maintainer": "Tests <tests@example.org>",
        "Description": "a kernel",
    }
    return make_deb(files, control=control)


def _tree(name: str) -> bytes:
    return make_dtb({"model": name.encode() + b"\0"})


def put_inputs(directory: Path) -> list[str]:
    """Put two kernels, programs and a profile there; return options that name all but kernels.

    The kernels are ``kernel.deb`` and ``other.deb``; there is no firmware.
    """
    applets = {*APPLETS, *INIT_APPLETS, *NETWORK_APPLETS}
    names = dict.fromkeys(sorted(applets, key=str.encode), "bin")
    names |= {name: APPLETS[name] for name in APPLETS if name in names}
    contents = {
        "kernel.deb": arm64_kernel(),
        "other.deb": arm64_kernel(OTHER),
        "busybox": make_busybox(names, machine=_AARCH64),
        "e2fsck": make_e2fsck(machine=_AARCH64),
        "lists/modules.ramfs": b"overlay\nsquashfs\n",
        "lists/modules.autoload": b"",
    }
    for name, data in contents.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    programs = ("busybox", "e2fsck")
    options = [word for name in programs for word in (f"--{name}", str(directory / name))]
    return [*options, "--profile", str(directory / "lists"), "--pi-firmware", "none"]
