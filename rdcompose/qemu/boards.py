"""The machines of QEMU that Debian's kernels boot on: what each needs on its command line.

References: QEMU's System Emulation User's Guide, "QEMU System Emulator Targets". All were
tried with the kernel that Debian has for them.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final

from rdcompose.errors import UnsupportedError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping


ATA: Final = "ide-hd"
NVME: Final = "nvme"
# What disks can hang on: the device that a disk is there, and the controllers that it takes.
BUSES: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = {
    "virtio": ("", ()),
    "ata": (ATA, ("ahci",)),
    "nvme": (NVME, ()),
    "scsi": ("scsi-hd", ("virtio-scsi-pci",)),
    "usb": ("usb-storage", ("qemu-xhci",)),
}
_WITH_ATA: Final = frozenset({"pc", "q35", "malta"})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """A machine of QEMU.

    ``machine`` is the value of ``-machine``, ``cpu`` the processor under software emulation;
    both may be empty for QEMU's default. ``disk`` and ``net`` are the devices that disks and
    a network card are. ``memory`` is in MiB; a board that is a real one has exactly that, and
    its own number of processors (``fixed``). Such a board needs a device tree of the kernel:
    ``dtb`` is its file name. ``append`` is what its kernel needs to be told. ``counted``:
    under software emulation its clock must be counted from its instructions. ``flavours`` are
    kernels that boot on this machine and not on the others.
    """

    name: str
    program: str
    package: str
    console: str
    machine: str = ""
    cpu: str = ""
    disk: str = "virtio-blk-pci"
    net: str = "virtio-net-pci"
    memory: int = 512
    cpus: int = 2
    fixed: bool = False
    dtb: str | None = None
    append: str = ""
    flavours: tuple[str, ...] = ()
    counted: bool = False

    @property
    def first_disk(self) -> str:
        """The device that the first disk is for the kernel."""
        if self.disk == NVME:
            return "/dev/nvme0n1"
        return "/dev/vda" if self.in_order else "/dev/sda"

    @property
    def in_order(self) -> bool:
        """Whether disks get their names in their order, not as the kernel happens to see them."""
        return self.disk.startswith("virtio-blk-")

    def with_bus(self, bus: str) -> tuple[Board, tuple[str, ...]]:
        """Return the machine with its disks on another bus, and the devices that this takes.

        :raises UsageError: the machine has no such bus, and none can be added.
        """
        if self.fixed or "pci" not in self.disk:
            raise UsageError(f"the disks of the machine {self.name} cannot be on {bus}")
        disk, controller = BUSES[bus]
        if bus == "ata" and self.machine in _WITH_ATA:
            controller = ()
        return dataclasses.replace(self, disk=disk or self.disk), controller


def _x86(
    name: str,
    *,
    disk: str = "virtio-blk-pci",
    net: str = "virtio-net-pci",
    cpus: int = 2,
    counted: bool = False,
) -> Board:
    return Board(
        name=name,
        program="qemu-system-x86_64",
        package="qemu-system-x86",
        console="ttyS0",
        cpu="max",
        machine=name,
        disk=disk,
        net=net,
        cpus=cpus,
        counted=counted,
    )


_PC: Final = (
    _x86("pc"),
    _x86("q35"),
    # Without KVM's clock the kernel measures its own against a timer, once. The machine has no
    # second clock for that, so it must not be disturbed, as it is on a machine with other work.
    _x86("microvm", disk="virtio-blk-device", net="virtio-net-device", cpus=1, counted=True),
)


def _raspi(name: str, program: str, dtb: str, *, memory: int, cpus: int, append: str = "") -> Board:
    return Board(
        name=name,
        program=program,
        package="qemu-system-arm",
        machine=name,
        console="ttyAMA0",
        disk="usb-storage",
        net="usb-net",
        memory=memory,
        cpus=cpus,
        fixed=True,
        dtb=dtb,
        append=append,
    )


# QEMU does not know a register that this driver's start reads, and faults.
_ZERO: Final = "initcall_blacklist=bcm2835_power_driver_init"


def _malta(program: str, cpu: str) -> Board:
    return Board(
        name="malta",
        program=program,
        package="qemu-system-mips",
        machine="malta",
        console="ttyS0",
        cpu=cpu,
        cpus=1,
    )


_LOONGSON: Final = Board(
    name="loongson3-virt",
    program="qemu-system-mips64el",
    package="qemu-system-mips",
    machine="loongson3-virt",
    console="ttyS0",
    memory=1024,
    cpus=1,
    flavours=("loongson-3",),
)

# Flavours of Debian's kernels that are for machines which QEMU does not have.
_NOT_EMULATED: Final = frozenset({"marvell", "octeon", "mips32r2el", "mips64r2el"})

BOARDS: Final[Mapping[str, tuple[Board, ...]]] = {
    "amd64": _PC,
    "i386": _PC[:2],
    "arm64": (
        Board(
            name="virt",
            program="qemu-system-aarch64",
            package="qemu-system-arm",
            machine="virt",
            console="ttyAMA0",
            # The other algorithm for signed pointers takes most of the emulation's time.
            cpu="max,pauth-impdef=on",
            memory=1024,
        ),
        _raspi("raspi3b", "qemu-system-aarch64", "bcm2837-rpi-3-b.dtb", memory=1024, cpus=4),
    ),
    "armhf": (
        Board(
            name="virt",
            program="qemu-system-arm",
            package="qemu-system-arm",
            # A kernel without LPAE does not reach a PCI bus above 4 GiB.
            machine="virt,highmem=off",
            console="ttyAMA0",
            cpu="cortex-a15",
            memory=1024,
        ),
        _raspi("raspi2b", "qemu-system-arm", "bcm2836-rpi-2-b.dtb", memory=1024, cpus=4),
    ),
    "armel": (
        _raspi(
            "raspi0",
            "qemu-system-arm",
            "bcm2835-rpi-zero.dtb",
            memory=512,
            cpus=1,
            append=_ZERO,
        ),
        _raspi(
            "raspi1ap",
            "qemu-system-arm",
            "bcm2835-rpi-a-plus.dtb",
            memory=512,
            cpus=1,
            append=_ZERO,
        ),
    ),
    "mips64el": (_malta("qemu-system-mips64el", "5KEc"), _LOONGSON),
    "mipsel": (_malta("qemu-system-mipsel", "24Kf"), _LOONGSON),
    "riscv64": (
        Board(
            name="virt",
            program="qemu-system-riscv64",
            package="qemu-system-riscv (Debian 12: qemu-system-misc)",
            machine="virt",
            console="ttyS0",
            memory=1024,
        ),
    ),
    "ppc64el": (
        Board(
            name="pseries",
            program="qemu-system-ppc64",
            package="qemu-system-ppc",
            machine="pseries",
            console="hvc0",
            memory=1024,
        ),
    ),
    "s390x": (
        Board(
            name="s390-ccw-virtio",
            program="qemu-system-s390x",
            package="qemu-system-s390x (Debian 12: qemu-system-misc)",
            machine="s390-ccw-virtio",
            console="ttysclp0",
            # Not disks on the channel subsystem: their order is another at every boot.
            disk="virtio-blk-pci",
            net="virtio-net-pci",
            memory=1024,
        ),
    ),
}


def find_board(architecture: str, machine: str | None, flavour: str | None = None) -> Board:
    """Return the board that a name of ``--machine`` means, or the first for a kernel's flavour.

    :raises UnsupportedError: no machine is known for this architecture or flavour.
    :raises UsageError: the architecture has no such machine.
    """
    boards = BOARDS.get(architecture)
    if boards is None:
        raise UnsupportedError(
            f"no machine of QEMU is known here for {architecture}",
            hint=f"there are machines for {', '.join(sorted(BOARDS))}",
        )
    names = ", ".join(board.name for board in boards)
    if machine is None:
        if flavour in _NOT_EMULATED:
            raise UnsupportedError(
                f"QEMU has no machine that {flavour} kernels are for",
                hint=f"to try another one all the same, name it with --machine: {names}",
            )
        return next((board for board in boards if flavour in board.flavours), boards[0])
    for board in boards:
        if board.name == machine:
            return board
    raise UsageError(f"{architecture} has no machine {machine!r}", hint=f"it has {names}")
