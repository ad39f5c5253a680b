"""How the init script finds and mounts roots of all kinds."""

from __future__ import annotations

import re
import struct
import uuid
import zlib
from typing import TYPE_CHECKING

import pytest

from tests.support import rootfs
from tests.support.console import steps
from tests.support.qemu import boot, virtio_disk

if TYPE_CHECKING:
    from pathlib import Path

    from tests.boot.conftest import Compose, Composition, RootImage

pytestmark = pytest.mark.boot

UUID = "5e0f7a30-94a8-4a0d-9d5e-7f0b7d1f0c11"
INIT = """#!/bin/sh
[ -e /proc/mounts ] || mount -t proc proc /proc
echo "root: $(grep -o '^/dev/[a-z0-9]* / .*' /proc/mounts)"
modprobe dummy && echo "root: dummy loaded"
modprobe sr_mod && echo "root: sr_mod loaded"
echo "root: arguments $*"
poweroff -f
"""
LOADED = ["root: dummy loaded", "root: sr_mod loaded"]


@pytest.fixture
def built(composition: Compose) -> Composition:
    return composition("bookworm", "cloud-amd64")


def said(console: str) -> list[str]:
    return re.findall(r"^root: .*", console, re.MULTILINE)


def tree(path: Path, init: str = INIT) -> Path:
    return rootfs.root_tree(path / "tree", "amd64", init)


def test_by_uuid_and_label(built: Composition, tmp_path: Path) -> None:
    image = rootfs.ext4_image(tree(tmp_path), tmp_path / "r.img", "-U", UUID, "-L", "my-root")
    for name in (f"UUID={UUID}", "LABEL=my-root", f"/dev/disk/by-uuid/{UUID}"):
        console = boot(built.machine(f"root={name} rw", virtio_disk(image)))
        assert "root filesystem is /dev/vda, ext4, rw" in steps(console)
        assert said(console)[0].startswith("root: /dev/vda / ext4 rw")


def with_mbr(content: bytes) -> bytes:
    """A disk with content in its second partition and the signature 0x1234abcd."""
    table = bytearray(1 << 20)
    table[440:444] = (0x1234ABCD).to_bytes(4, "little")
    for index, (first, count) in enumerate([(64, 64), (2048, len(content) // 512)]):
        start = 446 + 16 * index
        table[start + 4] = 0x83
        table[start + 8 : start + 16] = first.to_bytes(4, "little") + count.to_bytes(4, "little")
    table[510:512] = b"\x55\xaa"
    return bytes(table) + content


def test_by_mbr_partition(built: Composition, root_image: RootImage, tmp_path: Path) -> None:
    disk = tmp_path / "disk.img"
    disk.write_bytes(with_mbr(root_image(INIT).read_bytes()))
    console = boot(built.machine("root=PARTUUID=1234abcd-02", virtio_disk(disk)))
    assert "root filesystem is /dev/vda2, ext4, ro" in steps(console)
    assert said(console)


def with_gpt(content: bytes, identity: uuid.UUID, name: str) -> bytes:
    """A disk with content in its third partition (UEFI specification, 5.3)."""
    first, count = 2048, len(content) // 512
    last = first + count + 33
    entry = uuid.UUID("0fc63daf-8483-4772-8e79-3d69d8477de4").bytes_le + identity.bytes_le
    entry += struct.pack("<QQQ", first, first + count - 1, 0) + name.encode("utf-16-le").ljust(
        72, b"\0"
    )
    entries = (bytes(256) + entry).ljust(128 * 128, b"\0")

    def header(here: int, other: int, table: int) -> bytes:
        fields = (
            here,
            other,
            34,
            last - 33,
            identity.bytes_le,
            table,
            128,
            128,
            zlib.crc32(entries),
        )
        draft = struct.pack("<8s4sII4xQQQQ16sQIII", b"EFI PART", b"\0\0\1\0", 92, 0, *fields)
        return draft[:16] + struct.pack("<I", zlib.crc32(draft)) + draft[20:].ljust(492, b"\0")

    protective = bytearray(512)
    protective[446:462] = struct.pack("<B3xB3xII", 0, 0xEE, 1, last)
    protective[510:] = b"\x55\xaa"
    start = bytes(protective) + header(1, last, 2) + entries
    return start.ljust(first * 512, b"\0") + content + entries + header(last, 1, last - 32)


def test_by_gpt_partition(built: Composition, root_image: RootImage, tmp_path: Path) -> None:
    own = uuid.UUID(UUID)
    disk = tmp_path / "disk.img"
    disk.write_bytes(with_gpt(root_image(INIT).read_bytes(), own, "the-root"))
    for name in (f"PARTUUID={own}", "PARTLABEL=the-root"):
        console = boot(built.machine(f"root={name}", virtio_disk(disk)))
        assert "root filesystem is /dev/vda3, ext4, ro" in steps(console)
        assert said(console)


def test_command_line_with_quotes_and_flags(built: Composition, root_image: RootImage) -> None:
    append = (
        'root=/dev/vda note="root=/dev/wrong rw" "rootflags=noatime,errors=remount-ro" '
        'rootfstype=ext4 rw quiet -- first "second third" root=/dev/other'
    )
    console = boot(built.machine(append, virtio_disk(root_image(INIT))))
    lines = said(console)
    assert " / ext4 rw,noatime" in lines[0]
    assert lines[-1] == "root: arguments first second third root=/dev/other"


@pytest.mark.parametrize("layout", ["lib", "usr/lib", "absolute", "none"])
def test_read_only_root_without_a_modules_directory(
    built: Composition, tmp_path: Path, layout: str
) -> None:
    source = tree(tmp_path)
    (source / "lib" / "modules").rmdir()
    if layout in {"usr/lib", "absolute"}:
        (source / "usr").mkdir()
        (source / "lib").rename(source / "usr" / "lib")
        (source / "lib").symlink_to("/usr/lib" if layout == "absolute" else "usr/lib")
    if layout == "none":
        (source / "lib").rmdir()
    image = rootfs.squashfs_image(source, tmp_path / "root.img")
    console = boot(
        built.machine("root=/dev/vda", virtio_disk(image), virtio_disk(built.disk, kind="qcow2"))
    )
    if layout == "none":
        assert "rdcompose: warning: the root has no directory for modules" in console
        assert "root: arguments " in console
    else:
        assert [line for line in said(console) if line in LOADED] == LOADED


def test_writable_root_gets_the_directory(built: Composition, tmp_path: Path) -> None:
    source = tree(tmp_path)
    (source / "lib" / "modules").rmdir()
    image = rootfs.ext4_image(source, tmp_path / "root.img")
    machine = built.machine(
        "root=/dev/vda rw", virtio_disk(image), virtio_disk(built.disk, kind="qcow2")
    )
    console = boot(machine)
    assert [line for line in said(console) if line in LOADED] == LOADED


def test_root_whose_init_mounts_everything_itself(built: Composition, tmp_path: Path) -> None:
    # As MiniVM's mininit does: a mount that is there already is the end of it.
    source = tree(
        tmp_path,
        """#!/bin/sh -e
mount -t proc none /proc
mount -t sysfs none /sys
mount -t devtmpfs none /dev
exec /etc/init.sh
""",
    )
    script = source / "etc" / "init.sh"
    script.write_text(INIT)
    script.chmod(0o755)
    image = rootfs.ext4_image(source, tmp_path / "root.img")
    machine = built.machine(
        "root=/dev/vda rw", virtio_disk(image), virtio_disk(built.disk, kind="qcow2")
    )
    assert [line for line in said(boot(machine)) if line in LOADED] == LOADED


def test_disk_with_all_modules_needs_no_overlay(
    composition: Compose, root_image: RootImage
) -> None:
    built = composition("bookworm", "cloud-amd64", "--disk", "all")
    machine = built.machine(
        "root=/dev/vda rw modprobe.blacklist=overlay,evdev",
        virtio_disk(root_image(INIT)),
        virtio_disk(built.disk, kind="qcow2"),
    )
    console = boot(machine)
    assert "modules are on /dev/vdb" in steps(console)
    assert [line for line in said(console) if line in LOADED] == LOADED


def test_every_modalias_is_seen(built: Composition, root_image: RootImage) -> None:
    # The script reads known places only; a walk through all of /sys must find no more.
    init = """#!/bin/sh
echo "root: $(cat $(find /sys/devices -name modalias) | sort -u | cat -)"
echo "root: known"
cat /sys/bus/*/devices/*/modalias /sys/class/input/*/modalias /sys/class/dmi/*/modalias \\
	/sys/devices/system/*/modalias | sort -u
echo "root: end"
poweroff -f
"""
    image = root_image(init.replace("find", "busybox find"))
    console = boot(built.machine("root=/dev/vda quiet", virtio_disk(image)))
    match = re.search(r"root: (.*?)\nroot: known\n(.*?)\nroot: end", console, re.DOTALL)
    assert match is not None
    assert set(match[1].split("\n")) == set(match[2].split("\n"))
    assert len(match[1].split("\n")) > 10
