"""A card under the Linux kernel: its boot partition read, written to and the root of a system."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, BinaryIO, Final

import pytest

from rdcompose.boards.sdcard import ALIGNMENT, CardSpec, write_card
from rdcompose.formats.squashfs.writer import write_squashfs
from rdcompose.tree import Bytes, Directory, File, Tree
from tests.support import rootfs
from tests.support.console import steps
from tests.support.qemu import boot, virtio_disk
from tests.support.tools import run, tool

if TYPE_CHECKING:
    from pathlib import Path

    from tests.boot.conftest import Compose

pytestmark = pytest.mark.boot

MIB: Final = 1 << 20
BOOT_SIZE: Final = 64 * MIB
INIT: Final = """#!/bin/sh
b=/bin/busybox
while read -r device place type options; do
	[ "$place" != / ] || echo "root: $device $type"
done < /proc/mounts
$b sha256sum -c -s /SHA256SUMS && echo "every file is as it was written"
$b mount -o remount,rw /
# Into free clusters, and with names that need entries of their own.
for n in 1 2 3 4 5 6 7 8; do
	$b cp /6.12.107+deb13-arm64/kernel8.img "/6.12.107+deb13-arm64/another kernel $n.img"
done
$b rm "/6.12.107+deb13-arm64/another kernel 3.img"
$b mkdir "/a new directory"
$b mount -o remount,ro / && echo "written to"
$b df -k / | $b tail -n 1
$b poweroff -f
"""
LISTS: Final = "@include minivm\nfs/fat\nnls_ascii\nnls_cp437\n"


def card_tree(path: Path, release: str) -> Tree:
    """Return a root for FAT, which has no links, with the checksums of all its files."""
    root = rootfs.root_tree(path, "amd64", INIT)
    busybox = (root / "bin" / "busybox").read_bytes()
    contents = {
        "bin/busybox": busybox,
        "bin/sh": busybox,
        "sbin/init": INIT.encode(),
        "config.txt": b"[all]\n",
        "6.12.107+deb13-arm64/kernel8.img": bytes(range(256)) * 9000,
        "overlays/empty": b"",
        **{f"overlays/an overlay, number {n}.dtbo": b"%d" % n for n in range(700)},
    }
    sums = "".join(
        f"{hashlib.sha256(data).hexdigest()}  /{name}\n" for name, data in contents.items()
    )
    tree = Tree()
    for name, data in {**contents, "SHA256SUMS": sums.encode()}.items():
        tree.add(File(path=name, content=Bytes(data)))
    # No overlay can add a directory: FAT is none of its filesystems.
    for name in ("dev", "etc", f"lib/modules/{release}", "mnt", "proc", "run", "sys", "tmp"):
        tree.add(Directory(path=name))
    return tree


def modules(release: str) -> Tree:
    """Return the tree of a modules disk that has nothing for the kernel but its directory."""
    tree = Tree()
    tree.add(File(path=f"{release}/modules.dep", content=Bytes(b"")))
    return tree


def test_the_kernel_reads_and_writes_it(
    composition: Compose, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    lists = tmp_path_factory.mktemp("lists") / "fat"
    lists.mkdir()
    (lists / "modules.ramfs").write_text(LISTS)
    built = composition("trixie", "cloud-amd64", "--profile", str(lists))

    def disk(out: BinaryIO) -> None:
        write_squashfs(out, modules(built.release), mtime=0)

    image = tmp_path / "sd.img"
    spec = CardSpec(signature=0x1A2B3C4D, mtime=1_700_000_000, boot_size=BOOT_SIZE)
    with image.open("w+b") as out:
        write_card(out, card_tree(tmp_path / "tree", built.release), spec, modules=disk)
    console = boot(built.machine("root=PARTUUID=1a2b3c4d-01", virtio_disk(image, snapshot=False)))
    assert "\nroot: /dev/vda1 vfat\n" in console
    assert "\nevery file is as it was written\n" in console
    assert "\nwritten to\n" in console
    assert "FAT-fs" not in console
    assert "modules are on /dev/vda3 and in the initramfs" in steps(console)
    volume = tmp_path / "boot"
    with image.open("rb") as source, volume.open("wb") as copy:
        source.seek(ALIGNMENT)
        copy.write(source.read(BOOT_SIZE))
    run(tool("fsck.vfat"), "-n", volume)
    listing = run(tool("mdir"), "-b", "-i", volume, "::/6.12.107+deb13-arm64")
    assert "another kernel 8.img" in listing
    assert "another kernel 3.img" not in listing
