"""Starting an EFI program: the firmware, and a system partition that holds the program."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from rdcompose.errors import RdcomposeError, SpecError, UsageError
from rdcompose.formats.uki import with_cmdline

if TYPE_CHECKING:
    from rdcompose.qemu.boards import Board


class _Firmware(NamedTuple):
    """Where Debian has it, and what it starts by itself from ``EFI/BOOT`` (UEFI, 3.5.1.1)."""

    path: Path
    package: str
    program: str


_FIRMWARE: Final = {
    "qemu-system-x86_64": _Firmware(Path("/usr/share/ovmf/OVMF.fd"), "ovmf", "BOOTX64.EFI"),
    "qemu-system-aarch64": _Firmware(
        Path("/usr/share/qemu-efi-aarch64/QEMU_EFI.fd"), "qemu-efi-aarch64", "BOOTAA64.EFI"
    ),
}
_ARCHITECTURES: Final = frozenset({"amd64", "arm64"})


class Efi(NamedTuple):
    """What QEMU is told: the firmware's file, and a directory that is to be a disk with FAT."""

    firmware: Path
    partition: Path


def find_firmware(board: Board, architecture: str) -> Path:
    """Return the firmware for a board.

    :raises UsageError: the board has none.
    :raises SpecError: it is not installed.
    """
    found = _FIRMWARE.get(board.program)
    if found is None or board.fixed or board.counted or architecture not in _ARCHITECTURES:
        raise UsageError(
            f"the machine {board.name} of {architecture} starts no EFI programs here",
            hint="--uki is for pc and q35 of amd64 and virt of arm64",
        )
    if not found.path.is_file():
        raise SpecError(
            f"{found.path} is not there, the firmware that starts EFI programs",
            hint=f"on Debian: apt-get install {found.package}",
        )
    return found.path


def make_partition(partition: Path, board: Board, image: Path, cmdline: str) -> None:
    """Fill a directory that the firmware starts an image from, with this command line in it.

    :raises SpecError: the image cannot be read.
    :raises FormatError: it is none.
    :raises UnsupportedError: it is signed.
    """
    try:
        data = image.read_bytes()
    except OSError as error:
        raise SpecError(
            f"cannot read {image}: {error.strerror}", hint="rdcompose build --uki makes it"
        ) from error
    try:
        changed = with_cmdline(data, cmdline.encode())
    except RdcomposeError as error:
        raise type(error)(f"{image}: {error.message}", hint=error.hint) from error
    folder = partition / "EFI" / "BOOT"
    folder.mkdir(parents=True)
    (folder / _FIRMWARE[board.program].program).write_bytes(changed)
