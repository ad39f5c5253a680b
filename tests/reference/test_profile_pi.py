"""The profiles for the Raspberry Pi over Debian's kernels and their device trees.

What a board's device tree names is built in, or in the initramfs, or known not to matter there.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final

import pytest

from rdcompose.compose.features import load_features
from rdcompose.compose.profile import load_profile
from rdcompose.kernel.depmod import Depmod
from rdcompose.kernel.modmatch import ModuleIndex
from rdcompose.kernel.package import read_kernels
from rdcompose.kernel.selection import Selection, select
from rdcompose.kernel.source import DebSource
from tests.support.devicetrees import devices
from tests.support.kernels import package

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rdcompose.kernel.config import KernelConfig

pytestmark = pytest.mark.reference

Kernel = tuple[str, str, str]
ARM64: Final = ("trixie", "arm64", "linux-image-arm64")
ARMHF: Final = ("bookworm", "armhf", "linux-image-armmp")
ARMEL: Final = ("bookworm", "armel", "linux-image-rpi")
# The boards that each runs on, by their device trees.
BOARDS: Final = {
    ARM64: ("bcm2837-rpi-", "bcm2711-rpi-", "bcm2712-rpi-"),
    ARMHF: ("bcm2836-rpi-", "bcm2837-rpi-", "bcm2711-rpi-"),
    ARMEL: ("bcm2835-rpi-",),
}
# Modules that devices ask for and a boot does not: fans, lamps, Bluetooth, sound, 3D.
NOT_FOR_THE_BOOT: Final = {
    "bcm2711_thermal",
    "bcm2835_thermal",
    "hci_uart",
    "leds_gpio",
    "pwm_bcm2835",
    "v3d",
    "vchiq",
}
# What a boot needs of the board, and the option for its driver. The aliases of what is built in
# are in no package: only the configuration tells.
DRIVERS: Final = {
    "arm,pl011": "SERIAL_AMBA_PL011",
    "brcm,bcm2711-genet-v5": "BCMGENET",
    "brcm,bcm2711-gpio": "PINCTRL_BCM2835",
    "brcm,bcm2711-pcie": "PCIE_BRCMSTB",
    "brcm,bcm2712-sdhci": "MMC_SDHCI_BRCMSTB",
    "brcm,bcm2835-aux-uart": "SERIAL_8250_BCM2835AUX",
    "brcm,bcm2835-dma": "DMA_BCM2835",
    "brcm,bcm2835-gpio": "PINCTRL_BCM2835",
    "brcm,bcm2835-mbox": "BCM2835_MBOX",
    "brcm,bcm2835-pm": "BCM2835_WDT",
    "brcm,bcm2835-sdhost": "MMC_BCM2835",
    "brcm,bcm2835-usb": "USB_DWC2",
    "brcm,bcm7445-gpio": "GPIO_BRCMSTB",
    "mmc-pwrseq-simple": "PWRSEQ_SIMPLE",
    "raspberrypi,bcm2835-firmware": "RASPBERRYPI_FIRMWARE",
    "raspberrypi,bcm2835-power": "RASPBERRYPI_POWER",
    "raspberrypi,firmware-clocks": "CLK_RASPBERRYPI",
    "raspberrypi,firmware-gpio": "GPIO_RASPBERRYPI_EXP",
    "usb-nop-xceiv": "NOP_USB_XCEIV",
}
# docs/raspberry-pi-kernels.md tells of it.
LACKING: Final = {
    ARM64: {"MMC_SDHCI_BRCMSTB", "GPIO_BRCMSTB"},
    ARMHF: {"BCMGENET", "PCIE_BRCMSTB"},
    ARMEL: set[str](),
}
# Entries for the Pi 5, whose drivers Debian 13 does not have, but Debian's Linux 7 has.
_FOR_LATER: Final = {
    "clk_rp1",
    "gpio_brcmstb",
    "irq_bcm2712_mip",
    "pinctrl_brcmstb_bcm2712",
    "pinctrl_rp1",
    "rp1_pci",
    "sdhci_brcmstb",
}
# Entries that match nothing, built in or not: what each is for is on no board of these kernels.
_NOT_IN_32_BITS: Final = _FOR_LATER | {"genet", "macb", "onboard_usb_dev", "pcie_brcmstb"}
_NOT_ON_ZERO_AND_1: Final = {
    *("dwc3", "fixed", "gpio_regulator", "mdio_bcm_unimac", "nvme"),
    *("reset_raspberrypi", "xhci_pci", "xhci_plat_hcd"),
}
UNMATCHED: Final = {
    ARM64: _FOR_LATER,
    ARMHF: _NOT_IN_32_BITS,
    ARMEL: _NOT_IN_32_BITS | _NOT_ON_ZERO_AND_1,
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A kernel, what the profile comes to in it, and the devices of its boards."""

    config: KernelConfig
    depmod: Depmod
    selection: Selection
    devices: Mapping[str, tuple[str, ...]]


def read(kernel: Kernel) -> Seen:
    def board(path: str) -> bool:
        return path.rpartition("/")[2].startswith(BOARDS[kernel])

    with package(*kernel).open("rb") as stream:
        (found,) = read_kernels([DebSource(stream)], device_trees=board)
    tree = found.tree
    depmod = Depmod(
        tree.modules,
        order=tree.order,
        builtin=tree.builtin,
        builtin_modinfo=tree.builtin_modinfo,
    )
    profile = load_profile("pi")
    assert len(found.device_trees) > 5
    return Seen(
        config=found.config,
        depmod=depmod,
        selection=select(depmod, profile.entries, profile.autoload),
        devices=dict(line for data in found.device_trees.values() for line in devices(data)),
    )


# One test a kernel: reading it takes most of the time.
@pytest.mark.parametrize("kernel", BOARDS, ids="-".join)
def test_what_boards_need_is_there(kernel: Kernel) -> None:
    found = read(kernel)
    check_modules_of_devices(found)
    check_drivers_built_in(found, LACKING[kernel])
    # Network cards on USB, and their PHYs, have no name in the device tree.
    for name in ("smsc95xx", "lan78xx", "smsc", "microchip", "usbhid", "ext4", "vfat", "nls_ascii"):
        assert found.depmod.is_builtin(name) or name in found.selection.ramdisk
    index = ModuleIndex(found.depmod.modules, found.depmod.builtin)
    patterns = {entry.pattern for entry in load_profile("pi").entries}
    assert {one for one in patterns if not index.match(one)} == UNMATCHED[kernel]
    check_pinet(found)


def check_modules_of_devices(found: Seen) -> None:
    asked = {name for alias in found.devices for name in found.depmod.resolve(alias)}
    assert asked - set(found.selection.ramdisk) - NOT_FOR_THE_BOOT == set()
    assert {"vc4", "sdhci_iproc"} <= asked


def check_drivers_built_in(found: Seen, lacking: set[str]) -> None:
    without_module = {
        option
        for alias, compatible in found.devices.items()
        for text in compatible
        if (option := DRIVERS.get(text)) is not None and not found.depmod.resolve(alias)
    }
    built_in = {name for name in without_module if found.config.options.get(name) == "y"}
    # The watchdog's module serves a part of that device, which has a name of its own.
    assert without_module - built_in - {"BCM2835_WDT"} == lacking
    assert found.depmod.is_builtin("bcm2835_wdt") or "bcm2835_wdt" in found.selection.ramdisk


def check_pinet(found: Seen) -> None:
    """It is the same, with what the way to the server needs."""
    profile = load_profile("pinet")
    features = load_features(profile.features)
    entries = [entry for feature in features for entry in feature.entries]
    selection = select(found.depmod, (*entries, *profile.entries), profile.autoload)
    assert set(selection.ramdisk) >= {*found.selection.ramdisk, "nbd", "squashfs", "overlay"}
