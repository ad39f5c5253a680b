"""The root's driver and the stamp: folders that trigger a lint, and ones that do not."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from rdcompose.inspect.bootfolder import BootFolder, FolderKind, Volume
from rdcompose.inspect.boots import BootFacts
from rdcompose.inspect.checks.bootroot import check_partitions, check_root, check_stamp
from tests.support.artifacts import contradictions, disk_bytes, remarks, tree_of
from tests.support.modules import make_ko
from tests.support.pifolders import (
    CONFIG_TXT,
    EXT4,
    OLD,
    RELEASE,
    boot_set,
    facts,
    flat,
    initramfs,
    kernel_config,
    sound,
    stamped,
)

CONFIG = f"config-{RELEASE}"


def root(line: bytes, *options: str, ext4: bool = True) -> BootFacts:
    files = flat(cmdline__txt=line, initramfs8=initramfs(ext4=ext4))
    return facts(files | {CONFIG: kernel_config(RELEASE, *options)})


LINE = b"root=/dev/mmcblk0p2 rootfstype=ext4\n"


def test_a_driver_in_the_initramfs() -> None:
    done = check_root(root(LINE))
    assert (done.findings, done.summary) == ((), "ext4: driver there")


def test_a_driver_that_is_built_in() -> None:
    assert check_root(root(LINE, "CONFIG_EXT4_FS=y", ext4=False)).findings == ()


@pytest.mark.parametrize("kind", ["ext2", "ext3"])
def test_older_names_of_a_driver(kind: str) -> None:
    assert check_root(root(f"rootfstype={kind}\n".encode())).findings == ()


@pytest.mark.parametrize("options", [(), ("# CONFIG_EXT4_FS is not set",)], ids=["module", "none"])
def test_a_driver_that_is_nowhere(options: tuple[str, ...]) -> None:
    [message] = contradictions(check_root(root(LINE, *options, ext4=False)))
    assert message == (
        f"kernel8.img cannot mount its root: rootfstype=ext4, ext4 is not built in by {CONFIG}, "
        "and initramfs8 does not hold it"
    )


def test_no_initramfs_at_all() -> None:
    files = flat(config__txt=b"arm_64bit=1\nupstream_kernel=1\n")
    [message] = contradictions(check_root(facts(files)))
    assert message.endswith("and there is no initramfs")


ALONE = b"arm_64bit=1\nupstream_kernel=1\n"


@pytest.mark.parametrize("where", ["/dev/mmcblk0p2", "/dev/sda2", "PARTUUID=1a2b3c4d-02", "UUID=1"])
def test_no_initramfs_and_no_file_system_in_the_kernel(where: str) -> None:
    """Whatever the type of the root, which nothing tells: there is no driver for any."""
    files = flat(config__txt=ALONE, cmdline__txt=f"root={where} rootwait\n".encode())
    [message] = contradictions(check_root(facts(files)))
    assert message == (
        f"kernel8.img cannot mount its root {where}: no initramfs is loaded, and {CONFIG} has no "
        "file system of disks built in; config.txt wants a line 'initramfs FILE followkernel'"
    )


@pytest.mark.parametrize("line", [b"root=/dev/ram rw\n", b"console=tty0\n", b"root=/dev/nfs\n"])
def test_no_initramfs_and_no_disk(line: bytes) -> None:
    found = contradictions(check_root(facts(flat(config__txt=ALONE, cmdline__txt=line))))
    assert not [message for message in found if "no file system of disks" in message]


@pytest.mark.parametrize("option", ["CONFIG_EXT4_FS=y", "CONFIG_SQUASHFS=y"])
def test_no_initramfs_but_a_file_system_in_the_kernel(option: str) -> None:
    files = flat(config__txt=ALONE, cmdline__txt=b"root=/dev/mmcblk0p2\n")
    config = {CONFIG: kernel_config(RELEASE, option)}
    assert check_root(facts(files | config)).findings == ()


def test_nothing_tells_what_is_built_in() -> None:
    files = flat(initramfs8=initramfs(ext4=False))
    del files[CONFIG]
    check = check_root(facts(files))
    assert contradictions(check) == []
    [message] = remarks(check)
    assert "nothing tells whether ext4 is built into kernel8.img" in message


@pytest.mark.parametrize(
    ("line", "driver"),
    [
        (b"root=/dev/nbd0 ip=dhcp\n", "nbd"),
        (b"nbdroot=server/x ip=dhcp\n", "nbd"),
        (b"root=/dev/nfs\n", "nfs"),
        (b"nfsroot=server:/x\n", "nfs"),
        (b"root=/dev/mmcblk0p2 rootfstype=squashfs\n", "squashfs"),
        (b"root=/dev/mmcblk0p2 overlay=tmpfs\n", "overlay"),
    ],
)
def test_other_roots(line: bytes, driver: str) -> None:
    [message] = contradictions(check_root(root(line)))
    assert f"{driver} is not built in" in message


@pytest.mark.parametrize(
    "line",
    [b"root=/dev/sda2\n", b"rootfstype=ext4,btrfs\n", b"rootfstype=ramfs\n"],
    ids=["unknown", "several", "memory"],
)
def test_nothing_to_judge(line: bytes) -> None:
    done = check_root(root(line))
    assert (done.done, done.findings) == (False, ())


def image(where: str, *, missing: int = 0) -> BootFacts:
    files = flat(cmdline__txt=f"root={where}\n".encode(), initramfs8=initramfs(ext4=False))
    volumes = tuple(
        Volume(
            number=number,
            part_uuid=f"12345678-0{number}",
            kinds=kinds,
            source=io.BytesIO(),
            missing=missing,
        )
        for number, kinds in ((1, ()), (2, ("ext2", "ext3", "ext4")))
    )
    path = Path("sd.img")
    return BootFacts(BootFolder("sd.img", FolderKind.IMAGE, path, tree_of(files), volumes=volumes))


@pytest.mark.parametrize("where", ["/dev/mmcblk0p2", "PARTUUID=12345678-02"])
def test_the_partition_of_an_image_tells(where: str) -> None:
    [message] = contradictions(check_root(image(where)))
    assert "partition 2 is ext4, ext4 is not built in" in message
    assert check_partitions(image(where)).findings == ()
    assert check_partitions(image(where)).summary == "1 of no known kind, 2 ext4"


@pytest.mark.parametrize("where", ["/dev/mmcblk0p3", "PARTUUID=87654321-02"])
def test_a_root_that_is_in_no_partition(where: str) -> None:
    [message] = remarks(check_partitions(image(where)))
    assert message == f"root={where} is no partition of this image"
    assert check_partitions(image("/dev/sda2")).findings == ()


def test_a_partition_that_is_cut() -> None:
    [first, _] = contradictions(check_partitions(image("/dev/mmcblk0p2", missing=512)))
    assert first == "partition 1 is cut: the image lacks its last 512 bytes"
    assert check_partitions(facts(flat())).done is False


def test_a_stamp_that_covers_all() -> None:
    done = check_stamp(facts(sound()))
    assert (done.findings, done.done) == ((), True)
    assert check_stamp(facts(flat())).done is False


def test_a_file_of_another_set() -> None:
    files = sound() | boot_set(OLD, "S/")
    files["config.txt"] = CONFIG_TXT.replace("initramfs8", "/S/initramfs8").encode()
    [message] = contradictions(check_stamp(facts(files)))
    assert message == (
        f"S/initramfs8 is loaded with the kernel {RELEASE}, "
        f"and by S/manifest-{OLD}.json it is of {OLD}"
    )


def test_a_file_that_no_stamp_names() -> None:
    files = sound(other__dtb=sound()["R/bcm2711-rpi-4-b.dtb"])
    files["config.txt"] += b"[pi4]\ndevice_tree=/other.dtb\n"
    check = check_stamp(facts(files))
    assert contradictions(check) == []
    [message] = remarks(check)
    assert message.endswith("1 file that is loaded with R/kernel8.img is in no stamp: other.dtb")


def test_a_kernel_that_was_replaced_under_an_old_stamp() -> None:
    parts = {name: data for name, data in flat().items() if name not in {"config.txt"}}
    files = flat() | stamped(parts, OLD)
    found = facts(files)
    assert any(row.name == f"manifest-{OLD}.json" for row in found.sets[0].artifacts)
    [message] = contradictions(check_stamp(found))
    assert f"by manifest-{OLD}.json they are of {OLD}: " in message


def test_the_list_of_what_is_built_in_tells_too() -> None:
    files = flat(cmdline__txt=LINE, initramfs8=initramfs(ext4=False, builtin=EXT4))
    del files[CONFIG]
    assert check_root(facts(files)).findings == ()
    files["initramfs8"] = initramfs(ext4=False, builtin="kernel/fs/xfs/xfs.ko")
    [message] = contradictions(check_root(facts(files)))
    assert "ext4 is not built in by initramfs8" in message


def test_no_command_line_tells_no_root() -> None:
    files = flat()
    del files["cmdline.txt"]
    assert check_root(facts(files)).done is False


def test_a_driver_on_the_modules_disk_comes_too_late() -> None:
    module = make_ko({"vermagic": f"{RELEASE} SMP mod_unload modversions aarch64"}, machine=183)
    disk = disk_bytes({f"{RELEASE}/{EXT4}": module}, container="raw")
    files = flat(initramfs8=initramfs(ext4=False)) | {f"modules-{RELEASE}.squashfs": disk}
    known = facts(files)
    assert [module.name for _, module in known.sets[0].modules] == ["ext4"]
    [message] = contradictions(check_root(known))
    assert "initramfs8 does not hold it" in message
