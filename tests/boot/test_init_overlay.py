"""Roots that are only read, under a layer that takes the changes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.support import rootfs
from tests.support.console import steps
from tests.support.qemu import boot, virtio_disk

if TYPE_CHECKING:
    from pathlib import Path

    from tests.boot.conftest import Compose, Composition

pytestmark = pytest.mark.boot

INIT = """#!/bin/sh
echo "root: $(grep -o '^[a-z]* / [a-z]* [a-z]*' /proc/mounts | tail -n 1)"
cat /etc/written 2> /dev/null
echo "root: written before" > /etc/written && echo "root: can write"
ls /run/rdcompose/root/etc/written 2> /dev/null && echo "root: the layer below was changed"
modprobe dummy && echo "root: dummy loaded"
modprobe sr_mod && echo "root: sr_mod loaded"
sync
poweroff -f
"""
WORKS = ["root: overlay / overlay rw", "root: can write"]
LOADED = ["root: dummy loaded", "root: sr_mod loaded"]


@pytest.fixture
def built(composition: Compose) -> Composition:
    return composition("bookworm", "cloud-amd64")


@pytest.fixture
def squashfs(tmp_path: Path) -> Path:
    tree = rootfs.root_tree(tmp_path / "tree", "amd64", INIT)
    (tree / "bin" / "tail").symlink_to("busybox")
    (tree / "bin" / "sync").symlink_to("busybox")
    (tree / "lib" / "modules").rmdir()
    return rootfs.squashfs_image(tree, tmp_path / "root.img")


def said(console: str) -> list[str]:
    return re.findall(r"^root: .*", console, re.MULTILINE)


def test_changes_in_memory(built: Composition, squashfs: Path) -> None:
    machine = built.machine(
        "root=/dev/vda rw overlay=tmpfs",
        virtio_disk(squashfs),
        virtio_disk(built.disk, kind="qcow2"),
    )
    console = boot(machine)
    assert said(console) == [*WORKS, *LOADED]
    assert "root filesystem is /dev/vda, squashfs, ro, with overlay=tmpfs" in steps(console)


def test_changes_on_a_device_last(built: Composition, squashfs: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    upper = rootfs.ext4_image(tmp_path / "empty", tmp_path / "upper.img", "-L", "changes")
    machine = built.machine(
        "root=/dev/vda overlay=LABEL=changes",
        virtio_disk(squashfs),
        virtio_disk(upper, snapshot=False),
    )
    assert said(boot(machine))[:2] == WORKS
    assert said(boot(machine))[:3] == [WORKS[0], "root: written before", WORKS[1]]


def test_overlay_device_that_is_not_there(built: Composition, squashfs: Path) -> None:
    machine = built.machine(
        "root=/dev/vda overlay=LABEL=changes rootwait=1 panic=-1", virtio_disk(squashfs)
    )
    console = boot(machine)
    assert "error: the device overlay=LABEL=changes is not there" in steps(console)
    assert not said(console)


def test_overlay_on_what_cannot_be_written(built: Composition, squashfs: Path) -> None:
    machine = built.machine(
        "root=/dev/vda overlay=/dev/vdb panic=-1",
        virtio_disk(squashfs),
        virtio_disk(built.disk, kind="qcow2"),
    )
    console = boot(machine)
    assert "error: cannot lay overlay=/dev/vdb over the root" in steps(console)
    assert not said(console)
