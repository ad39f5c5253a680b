"""Raspberry Pis of QEMU, started with what their firmware would load from a boot folder.

QEMU has no firmware stage: it is told kernel, initramfs, device tree and command line. What these
are is read from config.txt by the same rules as the firmware has.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
from typing import TYPE_CHECKING, BinaryIO, Final, cast

from rdcompose.boards.configtxt import ConfigTxt
from rdcompose.boards.firmware_view import view
from rdcompose.boards.models import MODELS
from rdcompose.formats.fat.reader import read_fat
from rdcompose.formats.mbr import read_mbr
from rdcompose.formats.window import Window
from rdcompose.qemu.boards import BOARDS
from rdcompose.tree import Bytes, File, Tree, read_all
from tests.support.tools import tool

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rdcompose.qemu.boards import Board

# The model's name, and which of its boards the machine is.
MACHINES: Final = {
    "raspi0": ("zero", "Zero"),
    "raspi1ap": ("1", "1 A+"),
    "raspi2b": ("2", "2 B"),
    "raspi3b": ("3", "3 B"),
}
# The serial port that the last console= means is the machine's second one.
_SECOND: Final = "console=ttyS1"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Raspi:
    """A machine and the files that it starts with; ``line`` is the kernel command line."""

    board: Board
    kernel: Path
    initramfs: Path
    dtb: Path
    line: str
    devices: tuple[str, ...] = ()

    def argv(self) -> list[str]:
        """Return the command that runs it."""
        last = [word for word in self.line.split() if word.startswith("console=")][-1]
        serial = ["-serial", "null"] if last.startswith(_SECOND) else []
        threads = "multi" if self.board.cpus > 1 else "single"
        return [
            *(tool(self.board.program), "-machine", self.board.machine),
            *("-accel", f"tcg,thread={threads}", "-m", str(self.board.memory)),
            *("-nodefaults", "-no-reboot", "-display", "none", *serial, "-serial", "stdio"),
            *("-kernel", os.fspath(self.kernel), "-initrd", os.fspath(self.initramfs)),
            *("-dtb", os.fspath(self.dtb), "-append", f"{self.line} {self.board.append}".strip()),
            *self.devices,
        ]


def raspi(machine: str, boot: Tree, folder: Path, *devices: str) -> Raspi:
    """Return a machine with what its firmware loads from a boot folder; files go to ``folder``."""
    [board] = [one for boards in BOARDS.values() for one in boards if one.name == machine]
    name, own = MACHINES[machine]
    [variant] = [one for one in MODELS[name].variants if one.name == own]
    config = ConfigTxt.parse(_content(boot, "config.txt"))
    seen = view(config, MODELS[name], lambda path: path in boot, variant=variant)
    assert seen.ignored == ()
    assert seen.prefix == seen.prefix_asked
    assert not seen.initramfs_missing
    files = {
        "kernel": _content(boot, seen.kernel),
        "dtb": _content(boot, seen.device_tree),
        "initramfs": b"".join(_content(boot, path) for path in seen.initramfs),
    }
    for stem, data in files.items():
        (folder / stem).write_bytes(data)
    return Raspi(
        board=board,
        kernel=folder / "kernel",
        initramfs=folder / "initramfs",
        dtb=folder / "dtb",
        line=_content(boot, seen.cmdline).decode("ascii").rstrip("\n"),
        devices=devices,
    )


def card(image: Path) -> tuple[str, ...]:
    """Return the options for a card in the slot; what is written to it is thrown away."""
    return ("-drive", f"if=sd,format=raw,snapshot=on,file={image}")


@contextlib.contextmanager
def boot_partition(image: Path) -> Iterator[Tree]:
    """Open the first partition of a card."""
    with image.open("rb") as stream:
        first = read_mbr(stream.read(512)).partitions[0]
        yield read_fat(cast("BinaryIO", Window(stream, first.offset, first.size)))


def folder_tree(path: Path) -> Tree:
    """Return a directory as a tree."""
    tree = Tree()
    for file in _files(path):
        name = file.relative_to(path).as_posix()
        tree.add(File(path=name, content=Bytes(file.read_bytes())))
    return tree


def _files(path: Path) -> Iterator[Path]:
    return (file for file in path.rglob("*") if file.is_file())


def _content(boot: Tree, path: str | None) -> bytes:
    assert path is not None
    entry = boot.get(path)
    assert isinstance(entry, File), path
    return read_all(entry.content)
