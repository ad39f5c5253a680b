from __future__ import annotations

from typing import Final

import pytest

from rdcompose.boards.bootconfig import Placed, assign
from rdcompose.boards.bootset import BootSet
from rdcompose.boards.drivers import Gap, driver_notes, gaps
from rdcompose.boards.models import MODELS, find_models
from rdcompose.kernel.config import KernelConfig
from rdcompose.tree import Tree

UPSTREAM: Final = (
    *("MMC_BCM2835", "USB_DWC2", "USB_NET_SMSC95XX", "MMC_SDHCI_IPROC", "PCIE_BRCMSTB"),
    *("BCMGENET", "MMC_SDHCI_BRCMSTB", "MISC_RP1"),
)
# Raspberry Pi's own kernel has other drivers for these.
DOWNSTREAM: Final = {
    "MMC_BCM2835": "MMC_BCM2835_SDHOST",
    "USB_DWC2": "USB_DWCOTG",
    "MISC_RP1": "MFD_RP1",
}


def config(*names: str) -> KernelConfig:
    return KernelConfig(dict.fromkeys(names, "m"))


@pytest.mark.parametrize("name", MODELS)
def test_with_all_drivers(name: str) -> None:
    own = [DOWNSTREAM.get(option, option) for option in UPSTREAM]
    assert gaps(config(*UPSTREAM), MODELS[name]) == gaps(config(*own), MODELS[name]) == ()


@pytest.mark.parametrize("name", MODELS)
def test_without_any(name: str) -> None:
    found = gaps(config("BCMGENET" if name != "4" else "MISC_RP1"), MODELS[name])
    assert found[0].part == "SD card"
    assert len(found) >= 2


def test_what_debian_13_lacks() -> None:
    arm64 = config(*(name for name in UPSTREAM if name not in {"MMC_SDHCI_BRCMSTB", "MISC_RP1"}))
    assert gaps(arm64, MODELS["5"]) == (
        Gap("SD card", ("MMC_SDHCI_BRCMSTB",)),
        Gap("USB and Ethernet", ("MISC_RP1", "MFD_RP1")),
    )
    assert gaps(arm64, MODELS["4"]) == ()


def placed(release: str, bits: int, *names: str) -> Placed:
    made = BootSet(
        release=release,
        architecture="arm64" if bits == 64 else "armhf",
        bits=bits,
        models=find_models(names),
        kernel="kernel8.img",
        initramfs="initramfs8",
        upstream=True,
        device_tree=None,
        tree=Tree(),
        timestamp=0,
    )
    return Placed(made, f"{release}/")


def test_notes() -> None:
    """Only of the kernel that a board boots."""
    sets = [placed("6-armmp", 32, "2", "4"), placed("6-arm64", 64, "4", "5")]
    configs = {
        "6-armmp": b"CONFIG_MMC_BCM2835=y\nCONFIG_USB_DWC2=m\nCONFIG_USB_NET_SMSC95XX=m\n",
        "6-arm64": b"CONFIG_MMC_SDHCI_IPROC=m\nCONFIG_PCIE_BRCMSTB=y\nCONFIG_BCMGENET=m\n",
    }
    models = find_models(["2", "3", "4", "5"])
    [note] = driver_notes(assign(sets, models), models, configs)
    assert note == (
        "a Raspberry Pi 5 has no SD card, no USB and Ethernet with the kernel 6-arm64, "
        "which lacks CONFIG_MMC_SDHCI_BRCMSTB, CONFIG_MISC_RP1"
    )
