"""Roots on every kind of disk, with every kind of filesystem, by what is written on it."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from tests.support import rootfs
from tests.support.console import steps
from tests.support.qemu import Guest, boot, ide_disk, nvme_disk, virtio_disk
from tests.support.tools import run, tool

if TYPE_CHECKING:
    from pathlib import Path

    from tests.boot.conftest import Compose

pytestmark = pytest.mark.boot

UUID = "5e0f7a30-94a8-4a0d-9d5e-7f0b7d1f0c11"
INIT = """#!/bin/sh
while read -r device place type options; do
	[ "$place" != / ] || echo "root: $device $type"
done < /proc/mounts
while read -r module rest; do
	[ "$module" != crc32_pclmul ] || echo "root: $module is loaded"
done < /proc/modules
/bin/busybox poweroff -f
"""
LISTS = """\
@include minivm
btrfs
xfs
fs/fat
nls_ascii
nls_cp437
drivers/usb/host?
usb_storage?
uas?
crc32_pclmul?
"""


@pytest.fixture(scope="session")
def lists(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("lists") / "disks"
    folder.mkdir()
    (folder / "modules.ramfs").write_text(LISTS)
    return str(folder)


@pytest.fixture(scope="session")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return rootfs.root_tree(tmp_path_factory.mktemp("root") / "tree", "amd64", INIT)


def btrfs(tree: Path, image: Path) -> Path:
    with image.open("wb") as stream:
        stream.truncate(110 << 20)
    run(tool("mkfs.btrfs"), "-q", "-U", UUID, "-L", "my-root", "--rootdir", tree, image)
    return image


def xfs(tree: Path, image: Path) -> Path:
    with image.open("wb") as stream:
        stream.truncate(300 << 20)
    # mkfs.xfs copies no directory, it reads a list of what to make.
    lines = ["/", "0 0", "d--755 0 0"]
    for name in sorted(path.name for path in tree.iterdir()):
        lines.append(f"{name} d--755 0 0")
        lines += [_xfs_line(path) for path in sorted((tree / name).iterdir())]
        lines.append("$")
    lines.append("$")
    proto = image.with_suffix(".proto")
    proto.write_text("\n".join(lines) + "\n")
    options = ("-q", "-m", f"uuid={UUID}", "-L", "my-root")
    run(tool("mkfs.xfs"), *options, "-p", proto, image)
    return image


def _xfs_line(path: Path) -> str:
    if path.is_symlink():
        return f"{path.name} l--777 0 0 {path.readlink()}"
    if path.is_dir():
        return f"{path.name} d--755 0 0\n$"
    return f"{path.name} ---755 0 0 {path}"


def vfat(tree: Path, image: Path) -> Path:
    with image.open("wb") as stream:
        stream.truncate(40 << 20)
    run(tool("mkfs.vfat"), "-i", "1a2bc3d4", "-n", "MY-ROOT", image)
    folders = [f"::{path.name}" for path in sorted(tree.iterdir())]
    run(tool("mmd"), "-i", image, *folders)
    # No links there: the shell is a second copy.
    busybox = tree / "bin" / "busybox"
    for source, target in ((busybox, "bin/sh"), (busybox, "bin"), (tree / "sbin/init", "sbin")):
        run(tool("mcopy"), "-i", image, source, f"::{target}")
    return image


def ext4(tree: Path, image: Path) -> Path:
    return rootfs.ext4_image(tree, image, "-U", UUID, "-L", "my-root")


@pytest.mark.parametrize(
    ("suite", "make", "bus", "name", "expected"),
    [
        ("bookworm", btrfs, "virtio", f"UUID={UUID}", "/dev/vda btrfs"),
        ("bookworm", xfs, "nvme", "LABEL=my-root", "/dev/nvme0n1 xfs"),
        ("bookworm", vfat, "virtio", "UUID=1A2B-C3D4", "/dev/vda vfat"),
        ("trixie", xfs, "virtio", f"/dev/disk/by-uuid/{UUID}", "/dev/vda xfs"),
        ("trixie", btrfs, "sata", "LABEL=my-root", "/dev/sda btrfs"),
        ("trixie", vfat, "virtio", "LABEL=MY-ROOT", "/dev/vda vfat"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_root_is_found_by_what_is_written_on_it(
    composition: Compose,
    lists: str,
    tree: Path,
    tmp_path: Path,
    suite: str,
    make: object,
    bus: str,
    name: str,
    expected: str,
) -> None:
    assert callable(make)
    image = make(tree, tmp_path / "root.img")
    built = composition(suite, "cloud-amd64", "--profile", lists)
    disk = {"virtio": virtio_disk, "nvme": nvme_disk, "sata": ide_disk}[bus](image)
    board = ("-machine", "q35") if bus == "sata" else ()
    console = boot(built.machine(f"root={name}", board, disk))
    assert f"\nroot: {expected}\n" in console
    device, kind = expected.split()
    assert f"root filesystem is {device}, {kind}, ro" in steps(console)


def plug_later(socket_path: Path, command: str) -> None:
    """Tell QEMU's monitor a command."""
    with socket.socket(socket.AF_UNIX) as monitor:
        monitor.connect(str(socket_path))
        _until_prompt(monitor)
        monitor.sendall(command.encode() + b"\n")
        assert b"Error" not in _until_prompt(monitor)


def _until_prompt(monitor: socket.socket) -> bytes:
    said = b""
    while not said.endswith(b"(qemu) "):
        piece = monitor.recv(4096)
        assert piece, f"the monitor went away after {said!r}"
        said += piece
    return said


def test_usb_disk_that_appears_late(
    composition: Compose, lists: str, tree: Path, tmp_path: Path
) -> None:
    image = ext4(tree, tmp_path / "root.img")
    built = composition("bookworm", "amd64", "--profile", lists)
    monitor = tmp_path / "monitor"

    def talk(guest: Guest) -> None:
        # After the time that is waited for without rootwait.
        guest.expect("waiting for LABEL=my-root")
        guest.expect("rdcompose: .* still waiting for LABEL=my-root, 5 s", limit=120)
        plug_later(monitor, "device_add usb-storage,drive=late,bus=usb.0")

    machine = built.machine(
        "root=LABEL=my-root rootwait",
        ("-device", "qemu-xhci,id=usb"),
        ("-drive", f"if=none,id=late,format=raw,snapshot=on,file={image}"),
        ("-monitor", f"unix:{monitor},server=on,wait=off"),
    )
    console = boot(machine, talk=talk)
    assert "root: /dev/sda ext4" in console
    assert "root filesystem is /dev/sda, ext4, ro" in steps(console)


def test_usb_root_behind_the_modules_disk(
    composition: Compose, lists: str, tree: Path, tmp_path: Path
) -> None:
    image = ext4(tree, tmp_path / "root.img")
    built = composition("bookworm", "amd64", "--profile", lists)
    monitor = tmp_path / "monitor"

    def talk(guest: Guest) -> None:
        guest.expect("waiting for the root: /dev/sda is the modules disk", limit=120)
        plug_later(monitor, "device_add usb-storage,drive=late,bus=usb.0")

    machine = built.machine(
        "root=/dev/sda rootwait",
        ("-device", "qemu-xhci,id=usb"),
        ("-drive", f"if=none,id=modules,format=qcow2,snapshot=on,file={built.disk}"),
        ("-device", "usb-storage,drive=modules,bus=usb.0"),
        ("-drive", f"if=none,id=late,format=raw,snapshot=on,file={image}"),
        ("-monitor", f"unix:{monitor},server=on,wait=off"),
    )
    console = boot(machine, talk=talk)
    assert "/dev/sda is the modules disk, the root is /dev/sdb;" in console
    assert "root: /dev/sdb ext4" in console
    assert "modules are on /dev/sda and in the initramfs" in steps(console)


def test_nvme_whose_driver_is_a_module(
    composition: Compose, lists: str, tree: Path, tmp_path: Path
) -> None:
    image = ext4(tree, tmp_path / "root.img")
    built = composition("bookworm", "amd64", "--profile", lists)
    console = boot(built.machine(f"root=UUID={UUID}", nvme_disk(image)))
    assert "root: /dev/nvme0n1 ext4" in console
    # Nothing asks for it but the processor, in a modalias that is longer than modprobe takes.
    assert "root: crc32_pclmul is loaded" in console


def test_disk_that_is_plugged_in_as_a_cdrom(
    composition: Compose, lists: str, tree: Path, tmp_path: Path
) -> None:
    # The modules disk is found by its content, whatever it is called.
    image = ext4(tree, tmp_path / "root.img")
    built = composition("trixie", "cloud-amd64", "--profile", lists)
    cdrom = ("-drive", f"if=none,id=cd,media=cdrom,format=qcow2,readonly=on,file={built.disk}")
    machine = built.machine(
        "root=LABEL=my-root", virtio_disk(image), cdrom, ("-device", "ide-cd,drive=cd")
    )
    assert "modules are on /dev/sr0 and in the initramfs" in steps(boot(machine))
