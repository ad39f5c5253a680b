"""What ``rdcompose pi`` writes, booted with nothing changed.

QEMU has no Pi 5, and a Pi 4 only since version 9.
"""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Final, NamedTuple

import pytest

from tests.boot.conftest import architecture_of
from tests.support import rootfs
from tests.support.console import steps
from tests.support.kernels import package
from tests.support.netservers import HOST, nbd_server
from tests.support.qemu import boot
from tests.support.raspi import boot_partition, card, folder_tree, raspi
from tests.support.tools import run

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.boot

INIT: Final = """#!/bin/sh
while read -r device place type options; do
	[ "$place" != / ] || echo "root: $device $type ${options%%,*}"
done < /proc/mounts
echo "root: $(cat /proc/device-tree/model)"
host=$(readlink /sys/class/mmc_host/mmc0/device/driver)
echo "root: card in ${host##*/}"
echo "root: written" > /etc/written && cat /etc/written
modprobe dummy && echo "root: dummy loaded"
poweroff -f
"""
# Four emulated processors on a machine with other work take their time.
LIMIT: Final = 300


class Board(NamedTuple):
    """A machine, the kernel for it, the board's name, and which modules its card has."""

    machine: str
    suite: str
    flavour: str
    board: str
    model: str
    disk: str


BOARDS: Final = (
    Board("raspi1ap", "bookworm", "rpi", "1", "Model A+", "remaining"),
    Board("raspi2b", "bookworm", "armmp", "2", "2 Model B", "none"),
    Board("raspi3b", "trixie", "arm64", "3", "3 Model B", "none"),
)


def make(suite: str, flavour: str, *options: str) -> None:
    """Run ``rdcompose pi`` for a kernel."""
    architecture = architecture_of(flavour)
    run(
        *(sys.executable, "-m", "rdcompose", "pi", "-q", "--pi-firmware", "none"),
        package(suite, architecture, f"linux-image-{flavour}"),
        *("--busybox", package(suite, architecture, "busybox-static")),
        *("--e2fsck", package(suite, architecture, "e2fsck-static")),
        *options,
    )


def said(console: str) -> list[str]:
    return re.findall(r"^root: .*", console, re.MULTILINE)


@pytest.mark.parametrize("board", BOARDS, ids=[board.machine for board in BOARDS])
def test_a_card(board: Board, tmp_path: Path) -> None:
    """Kernel and initramfs of the boot partition, root on the next, by the driver of the slot.

    On the third, where there is one, are the modules that the initramfs does not have.
    """
    image = tmp_path / "sd.img"
    tree = rootfs.root_tree(tmp_path / "tree", architecture_of(board.flavour), INIT)
    options = ("--board", board.board, "--disk", board.disk, "--cmdline", "rw loglevel=4")
    make(board.suite, board.flavour, *options, "--image", str(image), "--root-from", str(tree))
    with boot_partition(image) as partition:
        machine = raspi(board.machine, partition, tmp_path, *card(image))
    assert "root=PARTUUID=" in machine.line
    console = boot(machine, limit=LIMIT)
    expected = [
        "root: /dev/mmcblk0p2 ext4 rw",
        f"root: Raspberry Pi {board.model}",
        "root: card in sdhost-bcm2835",
        "root: written",
    ]
    with_disk = board.disk != "none"
    assert said(console) == [*expected, *(["root: dummy loaded"] if with_disk else [])]
    line = "modules are on /dev/mmcblk0p3 and in the initramfs"
    assert (line in steps(console)) == with_disk


def test_pinets_way(tmp_path: Path) -> None:
    """Root over NBD, a squashfs with an overlay in memory, by a network card on USB."""
    tree = rootfs.root_tree(tmp_path / "tree", "arm64", INIT)
    image = rootfs.squashfs_image(tree, tmp_path / "pinet.img")
    with nbd_server(image, "pinet", tmp_path) as port:
        folder = tmp_path / "boot"
        root = f"nbd:{HOST}:{port}/pinet"
        # On a machine with other work the emulated USB takes its time to find the card.
        options = ("--board", "3", "--root", root, "--cmdline", "rootwait=60 loglevel=4")
        make("trixie", "arm64", *options, "-o", str(folder))
        network = ("-netdev", "user,id=net", "-device", "usb-net,netdev=net")
        machine = raspi("raspi3b", folder_tree(folder), tmp_path, *network)
        console = boot(machine, limit=LIMIT)
    assert said(console)[0] == "root: overlay overlay rw"
    assert "root: written" in said(console)
    assert f"/dev/nbd0 is {HOST}:{port}/pinet" in steps(console)
    expected = "root filesystem is /dev/nbd0, squashfs, ro, with overlay=tmpfs"
    assert expected in steps(console)
