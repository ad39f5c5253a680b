"""The command line of every machine, as it is; a change shows in the golden file."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Final

import pytest

from rdcompose.errors import UnsupportedError, UsageError
from rdcompose.qemu.boards import BOARDS, BUSES, Board, find_board
from rdcompose.qemu.command import Access, Disk, Machine, image_format
from rdcompose.qemu.efi import Efi

GOLDEN: Final = Path(__file__).parents[1] / "golden" / "qemu" / "commands"
DISKS: Final = (
    Disk(name="root", path=Path("/i/root.img"), form="raw", access=Access.SNAPSHOT),
    Disk(name="modules", path=Path("/i/modules.qcow2"), form="qcow2", access=Access.READ_ONLY),
)


def machine(board: Board, accelerator: str = "tcg", **more: object) -> Machine:
    given: dict[str, object] = {
        "append": f"root={board.first_disk}",
        "disks": DISKS,
        "memory": board.memory,
        "cpus": board.cpus,
        "network": False,
        "monitor": True,
        "dtb": Path("/i") / board.dtb if board.dtb else None,
    }
    return Machine(
        board=board,
        accelerator=accelerator,
        kernel=Path("/i/vmlinuz"),
        initramfs=Path("/i/initramfs"),
        **(given | more),  # type: ignore[arg-type]
    )


def commands() -> str:
    lines = [
        f"{architecture}: {shlex.join(machine(board).argv(board.program))}\n"
        for architecture, boards in BOARDS.items()
        for board in boards
    ]
    virt, pc = BOARDS["arm64"][0], BOARDS["amd64"][0]
    lines.append(f"check: {shlex.join(machine(pc, monitor=False).argv(pc.program))}\n")
    lines.append(f"kvm: {shlex.join(machine(virt, 'kvm').argv(virt.program))}\n")
    efi = Efi(Path("/fw/OVMF.fd"), Path("/i/a,b"))
    lines.append(f"efi: {shlex.join(machine(pc, efi=efi).argv(pc.program))}\n")
    for bus in BUSES:
        board, devices = pc.with_bus(bus)
        on_bus = machine(board, devices=(*devices, "e1000"))
        lines.append(f"{bus}: {shlex.join(on_bus.argv(pc.program))}\n")
    lines.append(f"network: {shlex.join(machine(pc, network=True).argv(pc.program))}\n")
    return "".join(lines)


def test_commands_are_golden() -> None:
    # RDCOMPOSE_UPDATE_GOLDEN=1 writes the file anew; look at the difference.
    if os.environ.get("RDCOMPOSE_UPDATE_GOLDEN") == "1":
        GOLDEN.parent.mkdir(parents=True, exist_ok=True)
        GOLDEN.write_text(commands(), encoding="ascii")
    assert commands() == GOLDEN.read_text(encoding="ascii")


def test_paths_that_qemu_would_misread() -> None:
    odd = Disk(name="root", path=Path("a,b:c"), form="raw", access=Access.WRITABLE)
    argv = machine(BOARDS["amd64"][0], disks=(odd,)).argv("qemu")
    wanted = f"if=none,id=root,format=raw,snapshot=off,file={Path.cwd()}/a,,b:c"
    assert argv[argv.index("-drive") + 1] == wanted


def test_one_processor_has_one_thread() -> None:
    argv = machine(BOARDS["amd64"][0], cpus=1).argv("qemu")
    assert argv[argv.index("-accel") + 1] == "tcg"


def test_image_format_is_by_content() -> None:
    assert image_format(b"QFI\xfb") == "qcow2"
    assert image_format(b"QFI") == "raw"


def test_boards_are_found_by_name() -> None:
    assert find_board("amd64", None).name == "pc"
    assert find_board("arm64", "raspi3b").dtb == "bcm2837-rpi-3-b.dtb"
    with pytest.raises(UsageError, match="amd64 has no machine 'virt'") as caught:
        find_board("amd64", "virt")
    assert caught.value.hint == "it has pc, q35, microvm"
    with pytest.raises(UnsupportedError, match="no machine of QEMU is known here for mips"):
        find_board("mips", None)


def test_buses_that_a_machine_does_not_have() -> None:
    for architecture, name in (("arm64", "raspi3b"), ("amd64", "microvm")):
        with pytest.raises(UsageError, match=f"of the machine {name} cannot be on nvme"):
            find_board(architecture, name).with_bus("nvme")
    # pc has a controller of its own.
    assert find_board("amd64", "pc").with_bus("ata")[1] == ()
    assert find_board("arm64", "virt").with_bus("ata")[1] == ("ahci",)


def test_a_flavour_has_a_machine_of_its_own_or_none() -> None:
    assert find_board("mips64el", None, "5kc-malta").name == "malta"
    assert find_board("mips64el", None, "loongson-3").name == "loongson3-virt"
    assert find_board("mips64el", None, "mine").name == "malta"
    assert find_board("mips64el", "malta", "loongson-3").name == "malta"
    with pytest.raises(UnsupportedError, match="that marvell kernels are for") as caught:
        find_board("armel", None, "marvell")
    assert caught.value.hint is not None
    assert caught.value.hint.endswith("--machine: raspi0, raspi1ap")
    assert find_board("armel", "raspi0", "marvell").name == "raspi0"
