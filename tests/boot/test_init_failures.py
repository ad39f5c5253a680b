"""What the init script does when the machine is not as it should be."""

from __future__ import annotations

import dataclasses
import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.support import rootfs
from tests.support.qemu import Guest, boot, virtio_disk
from tests.support.tools import run, tool

if TYPE_CHECKING:
    from pathlib import Path

    from tests.boot.conftest import Compose, Composition, RootImage

pytestmark = pytest.mark.boot

INIT = """#!/bin/sh
ls /lib/modules/$(uname -r)/modules.dep 2> /dev/null && echo "root: has modules"
echo "root: runs, arguments: $*"
poweroff -f
"""
PROMPT = r"^/ # "


@pytest.fixture
def built(composition: Compose) -> Composition:
    return composition("bookworm", "cloud-amd64")


def by_init(console: str) -> list[str]:
    """The lines that the init script printed, without warnings of the kernel between."""
    return re.findall(r"^rdcompose: (.*)", console, re.MULTILINE)


def test_missing_root_opens_a_shell_and_tries_again(built: Composition) -> None:
    def talk(guest: Guest) -> None:
        guest.expect("rdcompose: error: the root device /dev/vdz is not there$")
        guest.expect("rdcompose: check root= and the machine's disks")
        guest.expect(r"major minor +#blocks +name")
        guest.expect(PROMPT)
        # Job control: the terminal's interrupt ends what runs in the foreground.
        # The process that says so is the foreground by then; the shell itself would not be.
        guest.type("sh -c 'echo started; exec sleep 1000'")
        guest.expect("^started")
        guest.press(b"\x03")
        guest.expect(PROMPT)
        guest.type("tty; echo still here")
        guest.expect("^still here")
        guest.expect(PROMPT)
        guest.type("exit")
        guest.expect("rdcompose: error: the root device /dev/vdz is not there$")
        guest.expect(PROMPT)
        guest.type("poweroff -f")

    console = boot(built.machine("root=/dev/vdz rootwait=1", virtio_disk(built.disk)), talk=talk)
    assert "job control turned off" not in console
    assert "can't access tty" not in console


def test_panic_option_restarts_instead_of_a_shell(built: Composition) -> None:
    # QEMU ends at a restart, because of -no-reboot.
    console = boot(built.machine("root=/dev/vdz rootwait=1 panic=1 quiet"))
    assert by_init(console) == [
        "error: the root device /dev/vdz is not there",
        "check root= and the machine's disks; a driver may be missing in the initramfs",
        "block devices that the kernel sees:",
        "restarting, because the command line has panic=1",
    ]


def test_root_that_appears_late_is_waited_for(built: Composition, root_image: RootImage) -> None:
    def talk(guest: Guest) -> None:
        guest.expect("shell before the root is mounted")
        guest.expect(PROMPT)
        guest.type("(sleep 2; ln -s vda /dev/late) & exit")

    machine = built.machine("root=/dev/late single", virtio_disk(root_image(INIT)))
    console = boot(machine, talk=talk)
    assert "rdcompose: waiting for /dev/late\n" in console
    assert "root: runs, arguments: single\n" in console


def test_no_modules_disk_is_one_line(built: Composition, root_image: RootImage) -> None:
    console = boot(built.machine("root=/dev/vda", virtio_disk(root_image(INIT))))
    assert by_init(console) == [
        f"loading drivers for {built.release}",
        "root filesystem is /dev/vda, ext4, ro",
        f"there is no modules disk for {built.release}",
        "starting /sbin/init",
    ]
    assert "root: has modules" not in console
    assert "root: runs, arguments: \n" in console


def test_quiet_prints_nothing(built: Composition, root_image: RootImage) -> None:
    machine = built.machine("root=/dev/vda rw quiet", virtio_disk(root_image(INIT)))
    assert by_init(boot(machine)) == []


def test_modules_disk_of_another_release(
    built: Composition, root_image: RootImage, tmp_path: Path
) -> None:
    (tmp_path / "tree" / "6.1.0-1-other").mkdir(parents=True)
    other = rootfs.squashfs_image(tmp_path / "tree", tmp_path / "other.img")
    machine = built.machine(
        "root=/dev/vda quiet", virtio_disk(root_image(INIT)), virtio_disk(other)
    )
    console = boot(machine)
    assert by_init(console) == [
        f"there is no modules disk for {built.release}; /dev/vdb is for 6.1.0-1-other",
    ]
    assert "root: runs" in console


def test_disk_is_found_beside_that_of_another_release(
    built: Composition, root_image: RootImage, tmp_path: Path
) -> None:
    (tmp_path / "tree" / "6.1.0-1-other").mkdir(parents=True)
    other = rootfs.squashfs_image(tmp_path / "tree", tmp_path / "other.img")
    machine = built.machine(
        "root=/dev/vdc",
        virtio_disk(other),
        virtio_disk(built.disk, kind="qcow2"),
        virtio_disk(root_image(INIT)),
    )
    console = boot(machine)
    assert "rdcompose: modules are on /dev/vdb and in the initramfs\n" in console
    assert "root: has modules\n" in console


def test_named_disk_that_is_none(built: Composition, root_image: RootImage) -> None:
    def talk(guest: Guest) -> None:
        guest.expect(r"error: /dev/vdz is no modules disk for \S+; it is not there$")
        guest.expect(PROMPT)
        guest.type("exit")

    machine = built.machine(
        "root=/dev/vda rdcompose.modules=/dev/vdz rootwait=1",
        virtio_disk(root_image(INIT)),
        virtio_disk(built.disk, kind="qcow2"),
    )
    assert "root: runs" in boot(machine, talk=talk)


def test_modules_disk_can_be_refused(built: Composition, root_image: RootImage) -> None:
    machine = built.machine(
        "root=/dev/vda rdcompose.modules=none",
        virtio_disk(root_image(INIT)),
        virtio_disk(built.disk, kind="qcow2"),
    )
    console = boot(machine)
    assert "root: has modules" not in console
    assert "root: runs" in console


def test_kernel_of_another_release_is_named(
    built: Composition, composition: Compose, root_image: RootImage
) -> None:
    other = composition("trixie", "cloud-amd64")
    machine = built.machine("root=/dev/vda rootwait=1 panic=1 quiet", virtio_disk(root_image(INIT)))
    console = boot(dataclasses.replace(machine, kernel=other.machine("").kernel))
    wrong = (
        f"this initramfs is for {built.release}, the kernel is {other.release}: "
        "none of its modules can be loaded"
    )
    said = by_init(console)
    assert said[0] == f"warning: {wrong}"
    assert "error: the root device /dev/vda is not there" in said
    assert wrong in said


def damaged(image: Path, target: Path) -> Path:
    """A copy whose root directory has a wrong link count, which e2fsck -p repairs."""
    target.write_bytes(image.read_bytes())
    run(tool("debugfs"), "-w", "-R", "set_inode_field / links_count 1", target)
    run(tool("debugfs"), "-w", "-R", "set_super_value state 2", target)
    return target


def test_writable_root_is_repaired(
    built: Composition, root_image: RootImage, tmp_path: Path
) -> None:
    image = damaged(root_image(INIT), tmp_path / "damaged.img")
    console = boot(built.machine("root=/dev/vda rw", virtio_disk(image, snapshot=False)))
    assert "/dev/vda contains a file system with errors, check forced." in console
    assert "root: runs" in console
    check = subprocess.run([tool("e2fsck"), "-fn", image], capture_output=True, check=False)
    assert check.returncode == 0, check.stdout.decode()


@pytest.mark.parametrize(
    ("mode", "line"),
    [("skip", None), ("force", r"/dev/vda: \d+/\d+ files \(\d"), ("auto", "/dev/vda: clean")],
)
def test_check_can_be_skipped_or_forced(
    built: Composition, root_image: RootImage, mode: str, line: str | None
) -> None:
    append = f"root=/dev/vda rw fsck.mode={mode}"
    console = boot(built.machine(append, virtio_disk(root_image(INIT))))
    assert "root: runs" in console
    assert bool(re.search("^/dev/vda: ", console, re.MULTILINE)) == (line is not None)
    assert line is None or re.search(line, console)


def test_damage_beyond_automatic_repair_opens_a_shell(built: Composition, tmp_path: Path) -> None:
    tree = rootfs.root_tree(tmp_path / "tree", "amd64", INIT)
    (tree / "etc" / "data").write_bytes(bytes(range(256)) * 400)
    image = rootfs.ext4_image(tree, tmp_path / "broken.img")
    # Nobody but a person can decide what becomes of a file whose extents are nonsense.
    run(tool("debugfs"), "-w", "-R", "set_inode_field /etc/data block[0] 1", image)
    run(tool("debugfs"), "-w", "-R", "set_super_value state 2", image)

    def talk(guest: Guest) -> None:
        guest.expect("UNEXPECTED INCONSISTENCY; RUN fsck MANUALLY")
        guest.expect("rdcompose: error: e2fsck cannot repair /dev/vda by itself$")
        guest.expect("rdcompose: run e2fsck /dev/vda and answer it$")
        guest.expect(PROMPT)
        guest.type("e2fsck -y /dev/vda > /tmp/log; exit")

    console = boot(built.machine("root=/dev/vda rw", virtio_disk(image)), talk=talk)
    assert "rdcompose: root filesystem is /dev/vda, ext4, rw\n" in console


def test_unmountable_root(built: Composition, tmp_path: Path) -> None:
    image = tmp_path / "zeros.img"
    image.write_bytes(bytes(1 << 20))

    def talk(guest: Guest) -> None:
        guest.expect("rdcompose: error: cannot mount /dev/vda$")
        guest.expect("rdcompose: check rootfstype= and rootflags=")
        guest.expect(PROMPT)
        guest.type("poweroff -f")

    boot(built.machine("root=/dev/vda", virtio_disk(image)), talk=talk)


def test_root_without_init(built: Composition, root_image: RootImage) -> None:
    def talk(guest: Guest) -> None:
        guest.expect("rdcompose: error: /dev/vda holds no program /sbin/nothing$")
        guest.expect("rdcompose: check root= and init=; it is mounted on /newroot$")
        guest.expect(PROMPT)
        guest.type("ls /newroot/sbin; poweroff -f")
        guest.expect("^init +modprobe")

    boot(
        built.machine("root=/dev/vda init=/sbin/nothing", virtio_disk(root_image(INIT))), talk=talk
    )
