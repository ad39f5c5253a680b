"""Modules that others are of no use without, though these do not depend on them.

A driver of a bus's devices does not depend on what drives the bus, nor that of a controller on
that of the disks behind it. Where all that is known is what ``lsmod`` printed, one of the two may
be missing, because it is built into the kernel of that machine.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from rdcompose.kernel.depmod import Depmod
    from rdcompose.kernel.module import Module

# What a root may be; the first is guessed.
_ROOTS: Final = ("ext4", "btrfs", "xfs", "f2fs", "bcachefs", "erofs", "nfs", "reiserfs", "jfs")


def root_guess(depmod: Depmod, names: Collection[str]) -> Iterator[str]:
    """Yield the file system that a root may have, if none of these modules is one."""
    if not any(name in names for name in _ROOTS) and _ROOTS[0] in depmod.modules:
        yield _ROOTS[0]


def companions(depmod: Depmod, names: Collection[str]) -> Iterator[str]:
    """Yield the modules that have to be guessed beside those with these names."""
    modules = [depmod.modules[name] for name in names]
    for is_user, alternatives in _COMPANIONS:
        if not any(map(is_user, modules)):
            continue
        if any(name in names or name in depmod.builtin for name in alternatives):
            continue
        yield from (name for name in alternatives if name in depmod.modules)


def has_disk(names: Collection[str], depmod: Depmod) -> bool:
    """Whether one of the modules drives disks, or the controller of some."""
    return any(_CONTROLLER.match(depmod.modules[name].path) for name in names)


def _on(bus: str) -> Callable[[Module], bool]:
    """Return whether a module is for devices of a bus."""
    return lambda module: any(alias.startswith(bus) for alias in module.elf.values("alias"))


def _at(pattern: str) -> Callable[[Module], bool]:
    place = re.compile(pattern)
    return lambda module: place.match(module.path) is not None


_CONTROLLER: Final = re.compile(
    r"kernel/drivers/((ata|scsi|message/fusion|usb/storage|ufs|nvme|mmc)/|block/(virtio|xen))"
)
_COMPANIONS: Final = (
    (_on("virtio:"), ("virtio_pci", "virtio_mmio")),
    (_at(r"kernel/drivers/(ata|message/fusion|usb/storage|ufs|scsi)/"), ("sd_mod",)),
    (_at(r"kernel/drivers/mmc/host/"), ("mmc_block",)),
    (_on("usb:"), ("xhci_pci", "ehci_pci", "ohci_pci", "uhci_hcd")),
)
