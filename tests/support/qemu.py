"""Machines in QEMU whose serial console a test reads and types on.

Software emulation serves everywhere; KVM is used where a probe shows that it works
(that /dev/kvm is there does not mean it). ``RDCOMPOSE_TEST_ACCEL=tcg`` or ``kvm``
decides instead of the probe.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
import re
import subprocess
import threading
import time
from typing import IO, TYPE_CHECKING, Final, NoReturn, Protocol

import pytest

from rdcompose.qemu.accelerator import choose_accelerator
from rdcompose.qemu.boards import BOARDS
from rdcompose.qemu.console import Line
from rdcompose.qemu.verdict import died_early
from tests.support.tools import tool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from rdcompose.qemu.boards import Board

# Software emulation now and then dies in an interrupt before init has started: that
# says nothing about an initramfs. Later panics count.
_ATTEMPTS: Final = 3


class Runs(Protocol):
    """A machine, ready to be started."""

    def argv(self) -> list[str]:
        """Return the command that runs it."""
        ...


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What to boot: files, the kernel command line without the console, devices."""

    architecture: str
    kernel: Path
    initramfs: Path
    append: str = ""
    devices: tuple[str, ...] = ()
    memory: int = 512

    def argv(self) -> list[str]:
        """Return the command that runs it."""
        board = BOARDS[self.architecture][0]
        name = _accelerator(board)
        accelerator = ("tcg,thread=multi", "-cpu", board.cpu)
        if name != "tcg":
            accelerator = (name, "-cpu", "host")
        return [
            *(tool(board.program), "-machine", board.machine, "-accel", *accelerator, "-smp", "2"),
            *("-m", str(self.memory), "-nodefaults", "-no-reboot", "-display", "none"),
            *("-serial", "stdio", "-kernel", os.fspath(self.kernel)),
            *("-initrd", os.fspath(self.initramfs)),
            *("-append", f"console={board.console} {self.append}".strip()),
            *self.devices,
        ]


def virtio_disk(path: Path, *, kind: str = "raw", snapshot: bool = True) -> tuple[str, ...]:
    """Options for a disk on virtio-blk; changes are thrown away unless asked for."""
    return _disk(path, kind, snapshot, "virtio-blk-pci")


def scsi_disk(path: Path, *, kind: str = "raw", snapshot: bool = True) -> tuple[str, ...]:
    """Options for a disk on a SCSI controller; :data:`SCSI_CONTROLLER` has to be there."""
    return _disk(path, kind, snapshot, "scsi-hd")


def ide_disk(path: Path, *, kind: str = "raw", snapshot: bool = True) -> tuple[str, ...]:
    """Options for a disk on the IDE controller of the machine."""
    return _disk(path, kind, snapshot, "ide-hd")


def nvme_disk(path: Path, *, kind: str = "raw", snapshot: bool = True) -> tuple[str, ...]:
    """Options for a disk that is an NVMe device."""
    return _disk(path, kind, snapshot, "nvme,serial=1")


SCSI_CONTROLLER: Final = ("-device", "virtio-scsi-pci")


def _disk(path: Path, kind: str, snapshot: bool, device: str) -> tuple[str, ...]:
    name = re.sub(r"\W", "-", path.name)
    switch = "on" if snapshot else "off"
    drive = f"if=none,id={name},format={kind},snapshot={switch},file={path}"
    return ("-drive", drive, "-device", f"{device},drive={name}")


class Guest:
    """A running machine. Everything its console printed is in :attr:`console`."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._process = process
        self._keyboard: IO[bytes] = process.stdin
        self._screen: IO[bytes] = process.stdout
        self._printed = bytearray()
        self._changed = threading.Condition()
        self._read_to = 0
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def console(self) -> str:
        """What the machine printed so far, with plain line ends."""
        return bytes(self._printed).decode("utf-8", "replace").replace("\r", "")

    def expect(self, pattern: str, *, limit: float = 60) -> re.Match[str]:
        """Wait for what matches, after what was waited for before.

        The test fails, showing the console, when the time is over or the machine ends.
        """
        wanted = re.compile(pattern, re.MULTILINE)
        end = time.monotonic() + limit
        with self._changed:
            while (match := wanted.search(self.console, self._read_to)) is None:
                left = end - time.monotonic()
                if left <= 0 or not self._reader.is_alive():
                    self.fail(f"the console did not print {pattern!r}")
                self._changed.wait(min(left, 0.5))
        self._read_to = match.end()
        return match

    def type(self, line: str) -> None:
        """Type a line."""
        self.press(line.encode() + b"\r")

    def press(self, keys: bytes) -> None:
        """Type keys as they are, control characters included."""
        self._keyboard.write(keys)
        self._keyboard.flush()

    def finish(self, *, limit: float = 60) -> str:
        """Wait until the machine has powered off, and return its console."""
        try:
            status = self._process.wait(limit)
        except subprocess.TimeoutExpired:
            self.fail(f"the machine did not power off in {limit:g} s")
        self._reader.join()
        if status != 0:
            self.fail(f"QEMU ended with status {status}")
        return self.console

    def fail(self, reason: str) -> NoReturn:
        """Fail the test with the end of the console."""
        pytest.fail(f"{reason}; the console's end was:\n{self.console[-6000:]}", pytrace=False)

    def stop(self) -> None:
        """End the machine if it still runs."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._reader.join()
        for stream in (self._keyboard, self._screen):
            with contextlib.suppress(BrokenPipeError):
                stream.close()

    def _read(self) -> None:
        while piece := os.read(self._screen.fileno(), 65536):
            with self._changed:
                self._printed += piece
                self._changed.notify_all()
        with self._changed:
            self._changed.notify_all()

    def died_early(self) -> bool:
        """Whether the kernel panicked before init could have had a part in it."""
        return died_early([Line(0, text) for text in self.console.splitlines()])


@contextlib.contextmanager
def running(machine: Runs) -> Iterator[Guest]:
    """Start a machine and end it, whatever happens."""
    process = subprocess.Popen(
        machine.argv(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    guest = Guest(process)
    try:
        yield guest
    finally:
        guest.stop()


def boot(machine: Runs, *, limit: float = 120, talk: Callable[[Guest], None] | None = None) -> str:
    """Run a machine until it powers off, and return its console.

    ``talk`` may read and type meanwhile; it starts anew when the emulation has crashed
    before init ran, which is tried a few times.
    """
    for attempt in range(1, _ATTEMPTS + 1):
        with running(machine) as guest:
            try:
                if talk is not None:
                    talk(guest)
                return guest.finish(limit=limit)
            except pytest.fail.Exception:
                if attempt == _ATTEMPTS or not guest.died_early():
                    raise
    raise AssertionError("unreachable")


@functools.cache
def _accelerator(board: Board) -> str:
    choice = os.environ.get("RDCOMPOSE_TEST_ACCEL")
    return choice or choose_accelerator(board, tool(board.program)).name
