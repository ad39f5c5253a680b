"""What the init script does when the machine is not as it should be."""

from __future__ import annotations

import dataclasses
import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.support import rootfs
from tests.support.console import steps
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


def test_missing_root_opens_a_shell_and_tries_again(built: Composition) -> None:
    def talk(guest: Guest) -> None:
        guest.expect("rdcompose: error: the root device /dev/vdz is not there$")
        guest.expect(r"rdcompose: tried: waited [12] s for it")
        guest.expect(r"major minor +#blocks +name")
        guest.expect("rdcompose: modules that are loaded:.* virtio_blk")
        guest.expect("rdcompose: check root= and the machine's disks")
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
    error, tried, blocks, modules, *rest = steps(console)
    assert error == "error: the root device /dev/vdz is not there"
    assert tried.startswith("tried: waited ")
    assert blocks == "block devices that the kernel sees:"
    assert modules.startswith("modules that are loaded: ")
    assert rest == [
        "check root= and the machine's disks; a driver may be missing in the initramfs",
        "restarting, because the command line has panic=1",
    ]


def test_root_that_appears_late_is_waited_for(built: Composition, root_image: RootImage) -> None:
    def talk(guest: Guest) -> None:
        guest.expect("shell before the root is mounted")
        guest.expect(PROMPT)
        guest.type("(sleep 2; ln -s vda /dev/late) & exit")

    machine = built.machine("root=/dev/late single", virtio_disk(root_image(INIT)))
    console = boot(machine, talk=talk)
    assert "waiting for /dev/late" in steps(console)
    assert "root: runs, arguments: single\n" in console


def test_no_modules_disk_is_one_line(built: Composition, root_image: RootImage) -> None:
    console = boot(built.machine("root=/dev/vda", virtio_disk(root_image(INIT))))
    assert re.search(r"^rdcompose: \[\d+\.\d\d\] loading drivers", console, re.MULTILINE)
    assert steps(console) == [
        f"loading drivers for {built.release}",
        "root filesystem is /dev/vda, ext4, ro",
        f"there is no modules disk for {built.release}",
        "starting /sbin/init",
    ]
    assert "root: has modules" not in console
    assert "root: runs, arguments: \n" in console


def test_quiet_prints_nothing(built: Composition, root_image: RootImage) -> None:
    machine = built.machine("root=/dev/vda rw quiet", virtio_disk(root_image(INIT)))
    assert steps(boot(machine)) == []


def test_modules_disk_of_another_release(
    built: Composition, root_image: RootImage, tmp_path: Path
) -> None:
    (tmp_path / "tree" / "6.1.0-1-other").mkdir(parents=True)
    other = rootfs.squashfs_image(tmp_path / "tree", tmp_path / "other.img")
    machine = built.machine(
        "root=/dev/vda quiet", virtio_disk(root_image(INIT)), virtio_disk(other)
    )
    console = boot(machine)
    assert steps(console) == [
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
    assert "modules are on /dev/vdb and in the initramfs" in steps(console)
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
    said = steps(console)
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
    assert "/dev/vda had errors: e2fsck has corrected them" in steps(console)
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
    assert "root filesystem is /dev/vda, ext4, rw" in steps(console)


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


# A check that ends as the command line says.
FAKE_CHECK = """#!/bin/sh
read -r line < /proc/cmdline
line=${line#*check-status=}
exit ${line%% *}
"""


@pytest.fixture(scope="session")
def with_fake_check(composition: Compose, tmp_path_factory: pytest.TempPathFactory) -> Composition:
    template = tmp_path_factory.mktemp("template")
    (template / "sbin").mkdir()
    (template / "sbin" / "e2fsck").write_text(FAKE_CHECK)
    (template / "sbin" / "e2fsck").chmod(0o755)
    return composition("bookworm", "cloud-amd64", "--e2fsck", "none", "--template", str(template))


def test_check_that_wants_a_restart_gets_it(
    with_fake_check: Composition, root_image: RootImage
) -> None:
    machine = with_fake_check.machine(
        "root=/dev/vda rw quiet check-status=3", virtio_disk(root_image(INIT))
    )
    console = boot(machine)
    assert steps(console) == ["/dev/vda was repaired in a way that needs a restart: restarting"]
    assert "root: runs" not in console


def test_check_that_does_not_work_is_no_damage(
    with_fake_check: Composition, root_image: RootImage
) -> None:
    machine = with_fake_check.machine(
        "root=/dev/vda rw panic=-1 check-status=8", virtio_disk(root_image(INIT))
    )
    console = boot(machine)
    assert "error: e2fsck cannot check /dev/vda: it ended with status 8" in steps(console)
    assert any("fsck.mode=skip" in line for line in steps(console))
    assert "root: runs" not in console


def test_shells_at_every_moment(built: Composition, root_image: RootImage) -> None:
    def talk(guest: Guest) -> None:
        for moment in ("top", "modules", "premount", "mount", "bottom"):
            guest.expect(f"shell because of break={moment}; leave it")
            guest.expect(PROMPT)
            guest.type("grep -c '^virtio_blk ' /proc/modules; grep -c ' /newroot ' /proc/mounts")
            counts = {"premount": ("1", "0"), "mount": ("1", "0"), "bottom": ("1", "1")}
            virtio, root = counts.get(moment, ("0", "0"))
            guest.expect(f"^{virtio}$")
            guest.expect(f"^{root}$")
            guest.expect(PROMPT)
            guest.type("exit")

    machine = built.machine(
        "root=/dev/vda break=top,modules,premount,mount,bottom,sideways",
        virtio_disk(root_image(INIT)),
    )
    console = boot(machine, talk=talk)
    assert "root: runs" in console
    warning = "warning: break=sideways: there are top, modules, premount, mount and bottom"
    assert warning in steps(console)


def test_root_that_expects_another_kernel(built: Composition, tmp_path: Path) -> None:
    tree = rootfs.root_tree(tmp_path / "tree", "amd64", INIT)
    stamp = tree / "etc" / "rdcompose" / "expected-release"
    stamp.parent.mkdir()
    for expected in ("6.1.0-1-other", built.release):
        stamp.write_text(f"{expected}\n")
        image = rootfs.ext4_image(tree, tmp_path / f"root-{len(expected)}.img")
        console = boot(built.machine("root=/dev/vda quiet", virtio_disk(image)))
        said = [line for line in steps(console) if line.startswith("warning: ")]
        wanted = (
            f"warning: the root expects the kernel {expected}, this is {built.release}: boot it "
            f"with kernel and initramfs of {expected}, or change its "
            "/etc/rdcompose/expected-release"
        )
        assert said == ([wanted] if expected != built.release else [])
        assert "root: runs" in console
