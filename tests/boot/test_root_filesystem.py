"""Roots made of an archive: the kernel writes to an ext4 and grows it, and mounts a squashfs."""

from __future__ import annotations

import hashlib
import tarfile
from typing import TYPE_CHECKING, Final

import pytest

from rdcompose.boards.rootfs import RootFormat, root_filesystem
from tests.support import rootfs
from tests.support.qemu import boot, virtio_disk
from tests.support.tools import run, tool

if TYPE_CHECKING:
    from pathlib import Path

    from tests.boot.conftest import Compose

pytestmark = pytest.mark.boot

MANY: Final = 2000
SIZE: Final = 3 << 30
FILLED: Final = 60 << 20
# What resize2fs of Debian 12 is linked with.
PACKAGES: Final = ("e2fsprogs", "libext2fs2", "libcom-err2", "libc6")
PROGRAM: Final = (
    "sbin/resize2fs",
    "lib64/ld-linux-x86-64.so.2",
    "libc.so.6",
    "libcom_err.so.2",
    "libe2p.so.2",
    "libext2fs.so.2",
)
INIT: Final = """#!/bin/sh
set -e
echo "read: $(cat /many/name-01234)"
busybox stat -c 'owned: %u:%g %a %Y' /etc/owned
busybox stat -c 'names: %h' /etc/again
echo new > /many/new
mount -t squashfs /dev/vdb /mnt
echo "packed: $(cat /mnt/many/name-01234)"
busybox stat -c 'packed: %u:%g %a %Y' /mnt/etc/owned
busybox rm /many/name-00001
/sbin/resize2fs /dev/vda
busybox dd if=/dev/zero bs=1M count=60 2>/dev/null | busybox tr '\\0' x > /filled
echo "filled: $(busybox md5sum < /filled)"
mount -o remount,ro /
dmesg | grep -i 'ext4.*\\(error\\|warning\\)' || echo "kernel: no complaint"
poweroff -f
"""


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    tree = rootfs.root_tree(tmp_path / "tree", "amd64", INIT)
    rootfs.add_files(tree, "amd64", PACKAGES, PROGRAM)
    (tree / "etc" / "owned").write_bytes(b"")
    (tree / "etc" / "again").hardlink_to(tree / "etc" / "owned")
    (tree / "many").mkdir()
    for number in range(MANY):
        (tree / "many" / f"name-{number:05}").write_bytes(b"%d" % number)

    def owned(info: tarfile.TarInfo) -> tarfile.TarInfo:
        mine = info.name in {"etc/owned", "etc/again"}
        info.uid, info.gid = (1000, 1001) if mine else (0, 0)
        info.mode, info.mtime = (0o640, 1_600_000_000) if mine else (info.mode, 0)
        if mine:
            info.pax_headers = {"SCHILY.xattr.user.note": "kept"}
        return info

    path = tmp_path / "root.tar"
    with tarfile.open(path, "w") as out:
        for name in sorted(tree.iterdir(), reverse=True):
            out.add(name, name.name, filter=owned)
    return path


def make(archive: Path, image: Path, wanted: RootFormat | None = None) -> Path:
    with (
        root_filesystem(archive, wanted, mtime=0, scratch=image.parent, threads=1) as root,
        image.open("w+b") as out,
    ):
        out.truncate(root.minimum)
        root.write(out, root.minimum)
    return image


def test_kernel_writes_to_it_and_grows_it(
    composition: Compose, archive: Path, tmp_path: Path
) -> None:
    image = make(archive, tmp_path / "root.img")
    assert image.stat().st_size < FILLED
    packed = make(archive, tmp_path / "root.squashfs", RootFormat.SQUASHFS)
    with image.open("r+b") as out:
        # As on a larger card.
        out.truncate(SIZE)
    built = composition("bookworm", "cloud-amd64")
    disks = (
        virtio_disk(image, snapshot=False),
        virtio_disk(packed),
        virtio_disk(built.disk, kind="qcow2"),
    )
    console = boot(built.machine("root=/dev/vda rw", *disks))
    assert "read: 1234\n" in console
    assert "owned: 1000:1001 640 1600000000\n" in console
    assert "names: 2\n" in console
    assert "packed: 1234\n" in console
    assert "packed: 1000:1001 640 1600000000\n" in console
    assert "The filesystem on /dev/vda is now 786432 (4k) blocks long." in console
    assert f"filled: {hashlib.md5(b'x' * FILLED).hexdigest()}" in console
    assert "kernel: no complaint\n" in console
    assert "rdcompose: warning" not in console
    run(tool("e2fsck"), "-fn", image)
    names = run(tool("debugfs"), "-R", "ls -p /many", image)
    assert names.count("/name-") == MANY - 1
    assert "/new/" in names
