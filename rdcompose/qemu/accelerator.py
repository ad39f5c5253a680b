"""Whether this machine can run a guest on its own processor, found out by running one.

That ``/dev/kvm`` is there and can be opened does not mean that it works: inside some virtual
machines a guest then hangs or QEMU aborts. The first words of a guest prove it.
"""

from __future__ import annotations

import dataclasses
import os
import platform
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rdcompose.qemu.boards import Board

SOFTWARE: Final = "tcg"
_LIMIT: Final = 5.0
_ENOUGH: Final = 4096
_KVM: Final = Path("/dev/kvm")

# mov x1, #0x9000000 (the serial port of virt); mov w0, #'K'; strb w0, [x1]; b .
_ARM64_WORDS: Final = (0xD2A12001, 0x52800960, 0x39000020, 0x14000000)
_ARM64: Final = b"".join(word.to_bytes(4, "little") for word in _ARM64_WORDS)

_NATIVE: Final = {
    "x86_64": "qemu-system-x86_64",
    "aarch64": "qemu-system-aarch64",
    "arm64": "qemu-system-aarch64",
}


@dataclasses.dataclass(frozen=True, slots=True)
class Accelerator:
    """What runs the guest's processor: ``tcg``, ``kvm`` or ``hvf``; and why, for a person."""

    name: str
    why: str


def choose_accelerator(board: Board, program: str) -> Accelerator:
    """Return the fastest that works for this board; takes up to 5 s where one hangs."""
    if board.fixed or _NATIVE.get(platform.machine()) != board.program:
        return Accelerator(SOFTWARE, "its processor is none that this machine has")
    if platform.system() == "Darwin":
        name = "hvf"
    elif not _KVM.exists():
        return Accelerator(SOFTWARE, "this machine has no /dev/kvm")
    elif not os.access(_KVM, os.R_OK | os.W_OK):
        return Accelerator(SOFTWARE, "/dev/kvm may not be used by this user")
    else:
        name = "kvm"
    if runs_guest(board, program, ("-accel", name, "-cpu", "host")):
        return Accelerator(name, "a probe ran")
    return Accelerator(SOFTWARE, f"{name} is there, but a guest does not run with it")


def runs_guest(board: Board, program: str, accelerator: Sequence[str]) -> bool:
    """Whether a guest's first instructions run and reach its console."""
    command = [program, *accelerator, "-nodefaults", "-display", "none"]
    if board.program == "qemu-system-x86_64":
        # The firmware's debug port.
        command += ["-chardev", "stdio,id=debug"]
        command += ["-device", "isa-debugcon,iobase=0x402,chardev=debug"]
        return _prints(command, b"SeaBIOS")
    with tempfile.NamedTemporaryFile(prefix="rdcompose-", suffix=".bin") as firmware:
        firmware.write(_ARM64)
        firmware.flush()
        command += ["-machine", "virt", "-serial", "stdio", "-bios", firmware.name]
        return _prints(command, b"K")


def _prints(command: Sequence[str], wanted: bytes) -> bool:
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdout is not None
        timer = threading.Timer(_LIMIT, process.kill)
        timer.start()
        printed = b""
        try:
            while wanted not in printed and len(printed) < _ENOUGH:
                if not (piece := os.read(process.stdout.fileno(), 64)):
                    return False
                printed += piece
            return wanted in printed
        finally:
            timer.cancel()
            process.kill()
