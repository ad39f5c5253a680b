"""A composition boots to a root filesystem where any module of the kernel loads."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.support.qemu import SCSI_CONTROLLER, boot, ide_disk, scsi_disk, virtio_disk

if TYPE_CHECKING:
    from tests.boot.conftest import Compose, RootImage

pytestmark = pytest.mark.boot

# Two modules that no device of the machine asks for: one stays on the disk, one is in the
# initramfs. isofs is on the disk and needs cdrom of the initramfs.
DISK_MODULE = "dummy"
INITRAMFS_MODULE = "sr_mod"
MIXED_MODULE = "isofs"

INIT = f"""#!/bin/sh
R=$(uname -r)
echo "root: release $R"
echo "root: arguments $*"
grep -o ' / [a-z0-9]* r[ow]' /proc/mounts | sort -u
try() {{
	"$@" && grep -q "^$2 " /proc/modules && echo "root: $* loaded" || echo "root: $* FAILED"
}}
out() {{
	rmmod $1 || echo "root: rmmod $1 FAILED"
}}
for disk in "$@" none; do
	mount -t squashfs -o ro $disk /mnt 2> /dev/null && break
done
for name in {DISK_MODULE} {INITRAMFS_MODULE} {MIXED_MODULE}; do
	ls /mnt/$R/kernel/*/*/$name.ko /mnt/$R/kernel/*/$name/$name.ko 2> /dev/null |
		grep -q . && echo "root: $name on the disk" || echo "root: $name not on the disk"
done
umount /mnt
for modprobe in modprobe /kmod/modprobe; do
	test -e /sbin/$modprobe || test -e $modprobe || continue
	for name in {DISK_MODULE} {INITRAMFS_MODULE} {MIXED_MODULE}; do
		try $modprobe $name
	done
	out isofs
	out sr_mod
	out cdrom
	out dummy
done
cmp /lib/modules/$R/modules.dep /lib/modules/$R/modules.dep && echo "root: indexes there"
echo "root: done"
poweroff -f
"""

LOADED = [
    f"root: {DISK_MODULE} on the disk",
    f"root: {INITRAMFS_MODULE} not on the disk",
    f"root: {MIXED_MODULE} on the disk",
    *(f"root: modprobe {name} loaded" for name in (DISK_MODULE, INITRAMFS_MODULE, MIXED_MODULE)),
]
LOADED_BY_KMOD = [
    f"root: /kmod/modprobe {name} loaded" for name in (DISK_MODULE, INITRAMFS_MODULE, MIXED_MODULE)
]


def said(console: str) -> list[str]:
    """The lines that the root's init printed."""
    return re.findall(r"^root: .*", console, re.MULTILINE)


KERNELS = [
    pytest.param("bookworm", "cloud-amd64", id="bookworm-cloud"),
    pytest.param("trixie", "cloud-amd64", id="trixie-cloud"),
    pytest.param("bookworm", "amd64", id="bookworm-generic"),
]


@pytest.mark.parametrize(("suite", "flavour"), KERNELS)
@pytest.mark.parametrize("bus", ["virtio", "scsi", "ide"])
def test_boots_and_loads_any_module(
    composition: Compose, root_image: RootImage, suite: str, flavour: str, bus: str
) -> None:
    built = composition(suite, flavour)
    root = root_image(INIT, kmod=True)
    disk = {"virtio": virtio_disk, "scsi": scsi_disk, "ide": ide_disk}[bus]
    # The root is /dev/sda where the command line names none.
    option = "root=/dev/vda" if bus == "virtio" else ""
    disks = "/dev/vda /dev/vdb" if bus == "virtio" else "/dev/sda /dev/sdb"
    machine = built.machine(
        f"{option} rw -- {disks}",
        SCSI_CONTROLLER if bus == "scsi" else (),
        disk(root),
        disk(built.disk, kind="qcow2"),
    )
    console = boot(machine)
    assert said(console) == [
        f"root: release {built.release}",
        f"root: arguments {disks}",
        *LOADED,
        *LOADED_BY_KMOD,
        "root: indexes there",
        "root: done",
    ]
    assert "\n / ext4 rw\n" in console


def test_boots_what_it_fetched(composition_by_name: Compose, root_image: RootImage) -> None:
    """By name, and a kernel in several packages, as Debian has them since Linux 7."""
    built = composition_by_name("trixie-backports", "cloud-amd64")
    root = root_image(INIT, kmod=True)
    machine = built.machine(
        "root=/dev/vda rw -- /dev/vda /dev/vdb",
        virtio_disk(root),
        virtio_disk(built.disk, kind="qcow2"),
    )
    console = boot(machine)
    assert said(console) == [
        f"root: release {built.release}",
        "root: arguments /dev/vda /dev/vdb",
        *LOADED,
        *LOADED_BY_KMOD,
        "root: indexes there",
        "root: done",
    ]


def test_boots_arm64(composition: Compose, root_image: RootImage) -> None:
    built = composition("trixie", "arm64")
    root = root_image(INIT, architecture="arm64")
    machine = built.machine(
        "root=/dev/vda -- /dev/vdb",
        virtio_disk(root),
        virtio_disk(built.disk, kind="qcow2"),
        memory=1024,
    )
    console = boot(machine, limit=240)
    assert said(console) == [
        f"root: release {built.release}",
        "root: arguments /dev/vdb",
        *LOADED,
        "root: indexes there",
        "root: done",
    ]
    assert "\n / ext4 ro\n" in console


@pytest.mark.parametrize("first", ["modules", "root"])
def test_root_is_found_where_the_modules_disk_took_its_name(
    composition: Compose, root_image: RootImage, first: str
) -> None:
    # The kernel probes SCSI disks at the same time: mostly the first is sda, not always.
    built = composition("trixie", "cloud-amd64")
    root = root_image(INIT, kmod=True)
    disks = [scsi_disk(built.disk, kind="qcow2"), scsi_disk(root)]
    if first == "root":
        disks.reverse()
    append = "loglevel=6 root=/dev/sda rw -- /dev/sda /dev/sdb"
    console = boot(built.machine(append, SCSI_CONTROLLER, *disks))
    sectors = re.search(r"\[sda\] (\d+) 512-byte", console)
    assert sectors is not None
    swapped = int(sectors[1]) != root.stat().st_size // 512
    warning = "rdcompose: warning: /dev/sda is the modules disk, the root is /dev/sdb;"
    assert (warning in console) == swapped
    assert said(console)[2:-2] == [*LOADED, *LOADED_BY_KMOD]
