"""Modaliases as people know the devices: ``PCI 8086:100E``, ``virtio disk``.

The forms are those of the kernel's ``scripts/mod/file2alias.c``; the classes of PCI are those of
``include/linux/pci_ids.h``, the numbers of virtio those of its specification, section 5.
"""

from __future__ import annotations

import re
from typing import Final

_LONGEST: Final = 40
_PCI: Final = re.compile(
    r"pci:v0000(?P<vendor>[0-9A-F]{4})d0000(?P<device>[0-9A-F]{4})sv\w+"
    r"bc(?P<base>[0-9A-F]{2})sc(?P<sub>[0-9A-F]{2})i\w\w"
)
_USB: Final = re.compile(
    r"usb:v(?P<vendor>[0-9A-F]{4})p(?P<device>[0-9A-F]{4})\S*ic(?P<base>[0-9A-F]{2})\S*"
)
_VIRTIO: Final = re.compile(r"virtio:d(?P<device>[0-9A-F]{8})v[0-9A-F]{8}")

_VIRTIO_NAMES: Final = {
    1: "virtio network card",
    2: "virtio disk",
    3: "virtio console",
    4: "virtio random numbers",
    5: "virtio balloon",
    8: "virtio SCSI controller",
    9: "virtio 9p",
    16: "virtio graphics",
    18: "virtio input",
    19: "virtio socket",
    26: "virtio file system",
}
_PCI_NAMES: Final = {
    "01": "disk controller",
    "02": "network card",
    "03": "graphics",
    "04": "sound",
    "0C": "USB or serial bus",
}
# Of these the rest says little to people.
_NAMES: Final = {
    "cpu:": "the processor",
    "dmi:": "this model of machine",
    "hid:": "input by USB or Bluetooth",
    "input:": "an input device",
    "scsi:t-0x00": "SCSI or SATA disk",
    "scsi:t-0x05": "CD-ROM",
}
DISK: Final = "disk"
NETWORK: Final = "network"
_PCI_ROLES: Final = {"01": DISK, "02": NETWORK}
_USB_ROLES: Final = {"08": DISK}
_VIRTIO_ROLES: Final = {1: NETWORK, 2: DISK, 8: DISK}


def device_name(modalias: str) -> str:
    """Return a device as a few words; what is not known stays a modalias, a long one cut."""
    if found := _PCI.fullmatch(modalias):
        kind = _PCI_NAMES.get(found["base"], "")
        return f"PCI {found['vendor']}:{found['device']}" + (f", {kind}" if kind else "")
    if found := _USB.fullmatch(modalias):
        return f"USB {found['vendor']}:{found['device']}"
    if found := _VIRTIO.fullmatch(modalias):
        return _VIRTIO_NAMES.get(int(found["device"], 16), modalias)
    for start, name in _NAMES.items():
        if modalias.startswith(start):
            return name
    return modalias if len(modalias) <= _LONGEST else f"{modalias[: _LONGEST - 1]}…"


def device_role(modalias: str) -> str:
    """Return whether a device is for :data:`DISK` or :data:`NETWORK`, as far as it tells; or ""."""
    if found := _PCI.fullmatch(modalias):
        return _PCI_ROLES.get(found["base"], "")
    if found := _USB.fullmatch(modalias):
        return _USB_ROLES.get(found["base"], "")
    if found := _VIRTIO.fullmatch(modalias):
        return _VIRTIO_ROLES.get(int(found["device"], 16), "")
    return ""
