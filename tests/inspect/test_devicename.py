from __future__ import annotations

import pytest

from rdcompose.inspect.devicename import DISK, NETWORK, device_name, device_role


@pytest.mark.parametrize(
    ("modalias", "name", "role"),
    [
        (
            "pci:v00008086d0000100Esv00001AF4sd00001100bc02sc00i00",
            "PCI 8086:100E, network card",
            NETWORK,
        ),
        (
            "pci:v00001B36d00000010sv00001AF4sd00001100bc01sc08i02",
            "PCI 1B36:0010, disk controller",
            DISK,
        ),
        ("pci:v00008086d00001237sv00001AF4sd00001100bc06sc00i00", "PCI 8086:1237", ""),
        ("usb:v46F4p0001d0000dc00dsc00dp00ic08isc06ip50in00", "USB 46F4:0001", DISK),
        ("usb:v0627p0001d0000dc00dsc00dp00ic03isc01ip01in00", "USB 0627:0001", ""),
        ("virtio:d00000001v00001AF4", "virtio network card", NETWORK),
        ("virtio:d00000002v554D4551", "virtio disk", DISK),
        ("virtio:d00000008v00001AF4", "virtio SCSI controller", DISK),
        ("virtio:d00000063v00001AF4", "virtio:d00000063v00001AF4", ""),
        ("cpu:type:x86,ven0002fam000Fmod006B:feature:,0000", "the processor", ""),
        ("scsi:t-0x00", "SCSI or SATA disk", ""),
        ("acpi:LNXPWRBN:", "acpi:LNXPWRBN:", ""),
        ("of:NethernetT(null)C" + "a" * 30, "of:NethernetT(null)C" + "a" * 19 + "…", ""),
        ("pci:v00008086", "pci:v00008086", ""),
    ],
)
def test_names_and_roles(modalias: str, name: str, role: str) -> None:
    assert (device_name(modalias), device_role(modalias)) == (name, role)
