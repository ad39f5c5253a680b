from __future__ import annotations

from rdcompose.inspect.devicename import DISK, NETWORK
from rdcompose.inspect.missing import ROOT, what_is_missing
from rdcompose.inspect.observed import Observed
from rdcompose.inspect.suggestion import suggest
from tests.support.depmods import depmod_of_text

KERNEL = depmod_of_text("""
module kernel/drivers/virtio/virtio_pci.ko alias=pci:v00001AF4d*
module kernel/drivers/net/virtio_net.ko alias=virtio:d00000001v*
module kernel/drivers/char/button.ko alias=acpi:X*
module kernel/fs/ext4/ext4.ko alias=fs-ext4
""")
EVERY = (ROOT, DISK, NETWORK)
CARD = "pci:v00001AF4d00001000sv00001AF4sd00000001bc02sc00i00"
CONTROLLER = "pci:v00001AF4d00001001sv00001AF4sd00000001bc01sc00i00"
FOREIGN = "pci:v00001B36d00000010sv00000000sd00000000bc01sc08i02"


def test_by_what_it_is_for() -> None:
    seen = Observed(
        devices=(CARD, CONTROLLER, FOREIGN, "virtio:d00000001v00001AF4", "acpi:X:"),
        asked=("fs-ext4",),
    )
    wanted = suggest(KERNEL, seen)
    assert list(what_is_missing(wanted, set(), EVERY)) == [
        "for the root, ext4 is missing",
        "for the disk, virtio_pci is missing (PCI 1AF4:1001, disk controller)",
        "for the network, virtio_pci is missing (PCI 1AF4:1000, network card)",
        "for the network, virtio_net is missing (virtio network card)",
        "for the disk, no driver took PCI 1B36:0010, disk controller",
    ]
    assert list(what_is_missing(wanted, {"ext4", "virtio_pci", "virtio_net"}, EVERY)) == [
        "for the disk, no driver took PCI 1B36:0010, disk controller"
    ]
    assert list(what_is_missing(wanted, {"virtio_pci"}, [NETWORK])) == [
        "for the network, virtio_net is missing (virtio network card)"
    ]
