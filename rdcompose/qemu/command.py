"""The command line of QEMU for a machine: nothing is run here."""

from __future__ import annotations

import dataclasses
import enum
import os
from typing import TYPE_CHECKING, Final

from rdcompose.qemu.accelerator import SOFTWARE
from rdcompose.qemu.boards import ATA, NVME

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rdcompose.qemu.boards import Board
    from rdcompose.qemu.efi import Efi

_QCOW2: Final = b"QFI\xfb"


class Access(enum.Enum):
    """What becomes of what the guest writes to a disk."""

    READ_ONLY = "readonly=on"
    SNAPSHOT = "snapshot=on"
    WRITABLE = "snapshot=off"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Disk:
    """An image; ``name`` tells it apart on the command line, ``form`` is QEMU's format."""

    name: str
    path: Path
    form: str
    access: Access


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A machine and all that is attached to it.

    ``append`` is the kernel command line without the console. With ``efi`` firmware starts what
    it finds, and kernel, initramfs and command line are not given. With ``monitor`` the serial
    port is shared with QEMU's monitor: Ctrl-A X ends it, Ctrl-C goes to the guest. ``devices`` are
    more of them, as QEMU's ``-device`` takes them; disks can hang on these.
    """

    board: Board
    accelerator: str
    kernel: Path
    initramfs: Path
    append: str
    disks: tuple[Disk, ...]
    memory: int
    cpus: int
    network: bool
    monitor: bool
    dtb: Path | None = None
    efi: Efi | None = None
    devices: tuple[str, ...] = ()

    def command_line(self) -> str:
        """Return the kernel command line."""
        words = (f"console={self.board.console}", self.board.append, self.append)
        return " ".join(word for word in words if word)

    def argv(self, program: str) -> list[str]:
        """Return the command that runs it."""
        board = self.board
        command = [program, "-machine", board.machine]
        if self.accelerator == SOFTWARE:
            command += ["-accel", *self._emulation()]
            command += ["-cpu", board.cpu] if board.cpu else []
        else:
            command += ["-accel", self.accelerator, "-cpu", "host"]
        command += ["-smp", str(self.cpus), "-m", str(self.memory)]
        command += ["-nodefaults", "-no-reboot", "-display", "none"]
        command += ["-serial", "mon:stdio" if self.monitor else "stdio"]
        if self.efi is not None:
            command += ["-bios", _path(self.efi.firmware)]
        else:
            command += ["-kernel", _path(self.kernel), "-initrd", _path(self.initramfs)]
            command += ["-dtb", _path(self.dtb)] if self.dtb is not None else []
            command += ["-append", self.command_line()]
        for device in self.devices:
            command += ["-device", device]
        for disk in self.disks:
            command += self._disk(disk)
        if self.efi is not None:
            command += self._partition(self.efi)
        if self.network:
            command += ["-netdev", "user,id=net", "-device", f"{board.net},netdev=net"]
        return command

    def _partition(self, efi: Efi) -> Iterator[str]:
        # Behind the other disks, whose names the kernel gives in their order.
        path = _path(efi.partition).replace(",", ",,")
        yield "-drive"
        yield f"if=none,id=efi,format=raw,readonly=on,file=fat:{path}"
        yield from self._device("efi")

    def _emulation(self) -> tuple[str, ...]:
        if self.board.counted:
            return ("tcg,thread=single", "-icount", "shift=auto")
        return ("tcg,thread=multi",) if self.cpus > 1 else ("tcg",)

    def _disk(self, disk: Disk) -> Iterator[str]:
        # A comma in a path would end the option.
        path = _path(disk.path).replace(",", ",,")
        access = disk.access
        if access is Access.READ_ONLY and self.board.disk == ATA:
            # QEMU has no such disks that cannot be written to.
            access = Access.SNAPSHOT
        yield "-drive"
        yield f"if=none,id={disk.name},format={disk.form},{access.value},file={path}"
        yield from self._device(disk.name)

    def _device(self, drive: str) -> Iterator[str]:
        yield "-device"
        # Linux takes disks for one and the same that have one serial number.
        serial = f"serial={drive}," if self.board.disk == NVME else ""
        yield f"{self.board.disk},{serial}drive={drive}"


def image_format(start: bytes) -> str:
    """QEMU's name of the format of a disk image that starts with these bytes."""
    return "qcow2" if start.startswith(_QCOW2) else "raw"


def _path(path: Path) -> str:
    # QEMU takes what stands before a colon in a relative path as a protocol.
    return os.fspath(path.absolute())
