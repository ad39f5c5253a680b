"""What modules are for, by where the kernel has them: the sections of a list."""

from __future__ import annotations

import enum
from typing import Final


class Section(enum.StrEnum):
    """A section of a list; the values are its titles, in the order of the list."""

    BUSES = "Buses, and what devices hang on"
    DISKS = "Disks"
    NETWORK = "Network"
    FILES = "File systems"
    INPUT = "Keyboard, mouse, console"
    PROCESSOR = "Processor, cryptography"
    OTHER = "Other devices"


# The longest start of a path below kernel/ decides.
_PLACES: Final = {
    Section.BUSES: (
        *("drivers/virtio/", "drivers/pci/", "drivers/usb/", "drivers/phy/", "drivers/regulator/"),
        *("drivers/clk/", "drivers/pinctrl/", "drivers/reset/", "drivers/bus/", "drivers/dma/"),
        *("drivers/i2c/", "drivers/spi/", "drivers/mfd/", "drivers/gpio/", "drivers/hv/"),
        *("drivers/xen/", "drivers/iommu/", "drivers/irqchip/", "drivers/mailbox/"),
        *("drivers/soc/", "drivers/thunderbolt/", "drivers/extcon/", "drivers/nvmem/"),
    ),
    Section.DISKS: (
        *("drivers/ata/", "drivers/block/", "drivers/cdrom/", "drivers/nvme/", "drivers/scsi/"),
        *("drivers/mmc/", "drivers/ufs/", "drivers/md/", "drivers/nvdimm/", "drivers/memstick/"),
        *("drivers/message/fusion/", "drivers/usb/storage/", "drivers/target/", "block/"),
        *("drivers/mtd/", "drivers/dax/"),
    ),
    Section.NETWORK: ("drivers/net/", "net/"),
    Section.FILES: ("fs/",),
    Section.INPUT: ("drivers/input/", "drivers/hid/", "drivers/tty/", "drivers/char/ipmi/"),
    Section.PROCESSOR: (
        *("arch/", "crypto/", "lib/", "drivers/crypto/", "drivers/cpufreq/", "drivers/powercap/"),
        *("drivers/thermal/", "drivers/edac/", "drivers/idle/", "virt/"),
    ),
    Section.OTHER: (
        *("drivers/net/wireless/", "net/bluetooth/", "net/wireless/", "net/mac80211/"),
        *("drivers/usb/serial/", "drivers/usb/gadget/", "drivers/usb/class/", "drivers/usb/misc/"),
    ),
}
_SECTIONS: Final = {place: section for section, places in _PLACES.items() for place in places}
# A machine starts from these, so a driver there is worth having before its firmware is.
_STARTING: Final = frozenset({Section.BUSES, Section.DISKS, Section.NETWORK})


def section_of(path: str) -> Section:
    """Return the section of a module, by its path below ``lib/modules/R``."""
    inner = path.removeprefix("kernel/")
    found = [place for place in _SECTIONS if inner.startswith(place)]
    return _SECTIONS[max(found, key=len)] if found else Section.OTHER


def starts_machine(section: Section) -> bool:
    """Whether a machine may need modules of a section before its root is there."""
    return section in _STARTING


def is_of_device(section: Section) -> bool:
    """Whether a section is of drivers that others are built on: of graphics, of sound, …."""
    return section in {Section.INPUT, Section.OTHER}
