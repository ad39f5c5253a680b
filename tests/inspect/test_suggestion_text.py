from __future__ import annotations

from rdcompose.inspect.observed import Observed
from rdcompose.inspect.suggestion import suggest
from rdcompose.inspect.suggestion_text import autoload_text, ramfs_text, remarks
from tests.support.depmods import depmod_of_text

KERNEL = depmod_of_text("""
module kernel/drivers/block/loop.ko alias=devname:loop-control
module kernel/drivers/virtio/virtio.ko
module kernel/drivers/virtio/virtio_pci.ko needs=virtio alias=pci:v00001AF4d*
module kernel/drivers/net/virtio_net.ko needs=virtio alias=virtio:d00000001* "description=A card"
module kernel/drivers/net/wireless/iwlwifi.ko alias=pci:v00008086d00002723* firmware=a firmware=b
module kernel/fs/ext4/ext4.ko alias=fs-ext4
builtin kernel/fs/overlayfs/overlay.ko
""")
CARDS = (
    "pci:v00001AF4d00001000sv00001AF4sd00000001bc02sc00i00",
    "pci:v00001AF4d00001001sv00001AF4sd00000001bc01sc00i00",
    "pci:v00001AF4d00001002sv00001AF4sd00000001bc00sc00i00",
    "pci:v00008086d00002723sv00000000sd00000000bc02sc80i00",
    "pci:v00001B36d00000010sv00000000sd00000000bc01sc08i02",
    "virtio:d00000001v00001AF4",
)
SEEN = Observed(loaded=("overlay", "zfs", "loop"), devices=CARDS)


def test_lists_as_they_are_written() -> None:
    found = suggest(KERNEL, SEEN, refused=("virtio",))
    assert (
        ramfs_text(found, "Modules for Linux 6.1")
        == """\
# Modules for Linux 6.1. What these modules depend on comes along.
# Take out what your machine does without; what is not here is on the disk.

# Buses, and what devices hang on
virtio_pci         # PCI 1AF4:1000, network card, PCI 1AF4:1001, disk controller and 1 more

# Network
virtio_net         # A card; virtio network card

# File systems
ext4               # a guess, for nothing told of it

# Left to the booted system: these ask for firmware as soon as they see their device, and an
# initramfs without it would leave that device without a driver that works. Take the # away if
# you build with --firmware-from.
#iwlwifi           # PCI 8086:2723, network card; firmware a, …

# Loaded there, built into this kernel: overlay.

# Devices ask for these, and yet they were not loaded when the boot was over: virtio.

# Loaded there, and not in this kernel: zfs.

# No module of this kernel is for PCI 1B36:0010, disk controller
# (pci:v00001B36d00000010sv00000000sd00000000bc01sc08i02): its driver is built in, or there is
# none.

# Guessed, for nothing told of it: ext4.
"""
    )
    assert (
        autoload_text(found, "Modules for Linux 6.1")
        == """\
# Modules for Linux 6.1. Loaded at boot in this order, because no device asks for it:
loop               # its device node is not there before it (devname:loop-control)

# The kernel asks for these itself when it needs them: ext4 (fs-ext4).
"""
    )


def test_nothing_to_load() -> None:
    found = suggest(KERNEL, Observed(devices=CARDS[:1]))
    assert autoload_text(found, "T").splitlines()[1] == (
        "# nothing: what devices ask for, and what the kernel asks for, loads by itself"
    )
    assert [said.partition(",")[0] for said in remarks(found)] == ["guessed"]


def test_a_machine_of_which_no_disk_is_known() -> None:
    [said] = remarks(suggest(KERNEL, Observed(loaded=("ext4", "loop"))))
    assert said.startswith("nothing here is for a disk: what is built into the kernel of that ")
