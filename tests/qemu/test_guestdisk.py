from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest

from rdcompose.errors import FormatError, SpecError
from rdcompose.formats.filesystem import kinds_of_image
from rdcompose.formats.mbr import read_mbr
from rdcompose.qemu.guestdisk import PARTITION, guest_tree, read_initramfs, write_guest_disk
from rdcompose.tree import Bytes, Directory, File, Node, NodeKind, Symlink, Tree, read_all
from tests.support.fakeqemu import MODULES, RELEASE, initramfs_tree, newc

if TYPE_CHECKING:
    from pathlib import Path


def text(tree: Tree, path: str) -> str:
    entry = tree.get(path)
    assert isinstance(entry, File)
    return read_all(entry.content).decode()


def test_what_is_known_of_an_initramfs() -> None:
    found = read_initramfs(newc(initramfs_tree()))
    # fuse is built in.
    assert (found.autoload, found.squashfs) == (("loop",), True)
    assert not read_initramfs(newc(initramfs_tree(squashfs=False))).squashfs


def test_squashfs_may_be_built_in() -> None:
    tree = initramfs_tree(squashfs=False)
    names = b"kernel/fs/squashfs/squashfs.ko\n"
    tree.add(File(path=f"{MODULES}/modules.builtin", content=Bytes(names)))
    assert read_initramfs(newc(tree)).squashfs


def test_later_segments_and_archives_win() -> None:
    first, second, third = Tree(), Tree(), Tree()
    first.add(File(path="a", content=Bytes(b"1")))
    second.add(File(path="a", content=Bytes(b"2")))
    third.add(File(path="etc/modules.autoload", content=Bytes(b"dm-mod\n")))
    found = read_initramfs(newc(first) + newc(second) + newc(third))
    assert text(found.tree, "a") == "2"
    assert found.autoload == ("dm_mod",)


def test_what_is_no_initramfs() -> None:
    with pytest.raises(FormatError, match="neither a cpio archive nor a known compression"):
        read_initramfs(b"hello, world")


def test_root_takes_programs_over_and_nothing_else() -> None:
    initramfs = initramfs_tree()
    initramfs.add(Node(path="dev/console", kind=NodeKind.CHARACTER, major=5, minor=1))
    initramfs.add(File(path="lib/libx.so", content=Bytes(b"")))
    initramfs.add(Symlink(path="sbin/init", target="../bin/busybox"))
    tree = guest_tree(read_initramfs(newc(initramfs)), RELEASE, "check", ["module loop", "x"])
    directories = {entry.path for entry in tree if isinstance(entry, Directory)}
    assert {entry.path for entry in tree} - directories == {
        *("bin/busybox", "bin/sh", "etc/check", "lib/libx.so", "sbin/init"),
    }
    assert {"dev", "mnt", "proc", "run", "sys", "tmp", MODULES} <= directories
    assert text(tree, "etc/check") == "module loop\nx\n"
    assert text(tree, "sbin/init").startswith("#!/bin/busybox sh\n")
    init = tree.get("sbin/init")
    assert init is not None
    assert init.mode == 0o755


def test_root_of_a_merged_usr() -> None:
    initramfs = initramfs_tree(busybox=False)
    busybox = File(path="usr/bin/busybox", mode=0o755, content=Bytes(b"ELF"))
    initramfs.add(busybox)
    initramfs.add(Symlink(path="bin", target="usr/bin"))
    initramfs.add(Symlink(path="sbin", target="usr/bin"))
    tree = guest_tree(read_initramfs(newc(initramfs)), RELEASE, "shell", [])
    assert "setsid cttyhack" in text(tree, "usr/bin/init")


def test_initramfs_without_busybox() -> None:
    found = read_initramfs(newc(initramfs_tree(busybox=False)))
    with pytest.raises(SpecError, match="has no /bin/busybox") as caught:
        guest_tree(found, RELEASE, "check", [])
    assert caught.value.hint == "give a root filesystem with --root"


def test_disk_is_a_squashfs() -> None:
    out = io.BytesIO()
    write_guest_disk(out, guest_tree(read_initramfs(newc(initramfs_tree())), RELEASE, "check", []))
    assert kinds_of_image(out) == ("squashfs",)


def test_a_partition_is_found_by_its_number(tmp_path: Path) -> None:
    """Where disks can change their names, the kernel knows the root by its PARTUUID."""
    tree = Tree()
    tree.add(File(path="sbin/init", mode=0o755, content=Bytes(b"#!/bin/sh\n")))
    plain, parted = tmp_path / "plain", tmp_path / "parted"
    with plain.open("wb") as out:
        write_guest_disk(out, tree)
    with parted.open("wb") as out:
        write_guest_disk(out, tree, partition=True)
    data = parted.read_bytes()
    table = read_mbr(data[:512])
    [partition] = table.partitions
    assert f"PARTUUID={table.part_uuid(partition.number)}" == PARTITION
    start, size = partition.start * 512, partition.sectors * 512
    assert data[start:] == plain.read_bytes().ljust(size, b"\0")
