from __future__ import annotations

import pytest

from rdcompose.inspect.sections import Section, section_of, starts_machine


@pytest.mark.parametrize(
    ("path", "section"),
    [
        ("kernel/drivers/usb/host/xhci-pci.ko", Section.BUSES),
        ("kernel/drivers/usb/storage/uas.ko", Section.DISKS),
        ("kernel/drivers/usb/serial/ftdi_sio.ko", Section.OTHER),
        ("kernel/drivers/net/wireless/x.ko", Section.OTHER),
        ("kernel/drivers/net/veth.ko", Section.NETWORK),
        ("kernel/fs/ext4/ext4.ko", Section.FILES),
        ("kernel/arch/x86/kvm/kvm.ko", Section.PROCESSOR),
        ("updates/dkms/zfs.ko", Section.OTHER),
        ("kernel/filesystems.ko", Section.OTHER),
    ],
)
def test_the_longest_place_decides(path: str, section: Section) -> None:
    assert section_of(path) is section


def test_what_a_machine_starts_from() -> None:
    assert [one for one in Section if starts_machine(one)] == [
        Section.BUSES,
        Section.DISKS,
        Section.NETWORK,
    ]
