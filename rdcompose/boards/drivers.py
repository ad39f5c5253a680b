"""What of a board a kernel has no driver for at all, so that no initramfs can bring one.

The options are those of the drivers that the boards' device trees name: of Linux as kernel.org and
Debian have it, and of Raspberry Pi's own kernel (``arch/arm*/configs/bcm27*_defconfig`` there).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from rdcompose.kernel.config import KernelConfig

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from rdcompose.boards.bootconfig import Placed
    from rdcompose.boards.models import Model


class Gap(NamedTuple):
    """A part of a board that does not work, and the options of which one would be wanted."""

    part: str
    options: tuple[str, ...]


_SDHOST: Final = Gap("SD card", ("MMC_BCM2835", "MMC_BCM2835_SDHOST"))
_DWC: Final = Gap("USB", ("USB_DWC2", "USB_DWCOTG"))
# On the board, but behind USB.
_SMSC: Final = Gap("Ethernet", ("USB_NET_SMSC95XX",))
_PARTS: Final[Mapping[str, tuple[Gap, ...]]] = {
    "zero": (_SDHOST, _DWC),
    "1": (_SDHOST, _DWC, _SMSC),
    "zero2": (_SDHOST, _DWC),
    "2": (_SDHOST, _DWC, _SMSC),
    "3": (_SDHOST, _DWC, _SMSC),
    "4": (
        Gap("SD card", ("MMC_SDHCI_IPROC",)),
        Gap("USB", ("PCIE_BRCMSTB",)),
        Gap("Ethernet", ("BCMGENET",)),
    ),
    "5": (
        Gap("SD card", ("MMC_SDHCI_BRCMSTB",)),
        # Both are behind the chip RP1.
        Gap("USB and Ethernet", ("MISC_RP1", "MFD_RP1")),
    ),
}


def gaps(config: KernelConfig, model: Model) -> tuple[Gap, ...]:
    """Return the parts of a model's boards that a kernel has no driver for."""
    return tuple(
        gap for gap in _PARTS[model.name] if not any(config.enabled(name) for name in gap.options)
    )


def driver_notes(
    assigned: Mapping[str, Placed], models: Iterable[Model], configs: Mapping[str, bytes]
) -> list[str]:
    """Say for each model what does not work with the kernel that it boots.

    ``assigned`` are the sets by the names of the models, ``configs`` the configurations by
    the releases of the kernels.
    """
    notes = []
    for model in models:
        if model.name not in assigned:
            continue
        release = assigned[model.name].set.release
        found = gaps(KernelConfig.parse(configs[release]), model)
        if found:
            parts = ", no ".join(gap.part for gap in found)
            options = ", ".join(f"CONFIG_{gap.options[0]}" for gap in found)
            notes.append(
                f"a {model.title} has no {parts} with the kernel {release}, which lacks {options}"
            )
    return notes
