"""Roots over the network, on stock kernels, from servers that others wrote."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.support import rootfs
from tests.support.console import steps
from tests.support.netservers import CARD, HOST, free_port, nbd_server, nfs_server, qemu_nbd
from tests.support.qemu import boot, virtio_disk

if TYPE_CHECKING:
    from pathlib import Path

    from tests.boot.conftest import Compose, Composition, RootImage

pytestmark = pytest.mark.boot

INIT = """#!/bin/sh
while read -r device place type options; do
	[ "$place" != / ] || echo "root: $device $type ${options%%,*}"
done < /proc/mounts
echo "root: host $(cat /proc/sys/kernel/hostname)"
cat /run/rdcompose/resolv.conf
echo "root: written" > /etc/written && cat /etc/written
modprobe dummy && echo "root: dummy loaded"
poweroff -f
"""


@pytest.fixture
def built(composition: Compose) -> Composition:
    # Debian 12's busybox has no nbd-client.
    return composition("trixie", "cloud-amd64", "--profile", "netboot")


def said(console: str) -> list[str]:
    return re.findall(r"^root: .*", console, re.MULTILINE)


def test_nbd_with_dhcp(built: Composition, root_image: RootImage) -> None:
    with qemu_nbd(root_image(INIT), "my-root") as port:
        machine = built.machine(
            f"ip=dhcp nbdroot={HOST}:{port}/my-root",
            CARD,
            virtio_disk(built.disk, kind="qcow2"),
        )
        console = boot(machine)
    assert said(console)[0] == "root: /dev/nbd0 ext4 ro"
    assert "nameserver 10.0.2.3\n" in console
    assert said(console)[-1] == "root: dummy loaded"
    assert "network is up on eth0, address 10.0.2.15" in steps(console)
    assert f"/dev/nbd0 is {HOST}:{port}/my-root" in steps(console)
    assert "I/O error" not in console


def test_nbd_with_a_fixed_address(
    built: Composition, root_image: RootImage, tmp_path: Path
) -> None:
    address = f"10.0.2.77:{HOST}:10.0.2.2:255.255.255.0:my-host:eth0:off:10.0.2.3"
    with nbd_server(root_image(INIT), "other", tmp_path) as port:
        # The server is the one that ip= names.
        machine = built.machine(f"ip={address} nbdroot=:{port}/other overlay=tmpfs quiet", CARD)
        console = boot(machine)
    assert said(console) == ["root: overlay overlay rw", "root: host my-host", "root: written"]
    assert "nameserver 10.0.2.3\n" in console
    assert steps(console) == []


@pytest.mark.parametrize(
    ("option", "mode"),
    [
        ("root={host}:/my/root nfsroot=port={port} rw", "rw"),
        ("root=/dev/nfs nfsroot={host}:/my/root,port={port},vers=4.1 overlay=tmpfs", "ro"),
    ],
    ids=["server-and-path", "dev-nfs-and-overlay"],
)
def test_nfs(built: Composition, tmp_path: Path, option: str, mode: str) -> None:
    tree = rootfs.root_tree(tmp_path / "tree", "amd64", INIT)
    with nfs_server(tree, tmp_path) as port:
        machine = built.machine(f"{option.format(host=HOST, port=port)} ip=dhcp", CARD)
        console = boot(machine)
    over = ", with overlay=tmpfs" if mode == "ro" else ""
    assert f"root filesystem is {HOST}:/my/root, nfs, {mode}{over}" in steps(console)
    mounted = "overlay overlay rw" if mode == "ro" else f"{HOST}:/my/root nfs4 rw"
    assert said(console)[0] == f"root: {mounted}"
    assert "root: written" in said(console)
    # Only without an overlay do changes arrive.
    assert (tree / "etc" / "written").exists() == (mode == "rw")


def test_no_network_card(built: Composition) -> None:
    console = boot(built.machine("nbdroot=10.0.2.2/x rootwait=1 panic=-1"))
    assert "error: the network is not there" in steps(console)
    assert "tried: ip=::::::dhcp on: no interface" in steps(console)
    warning = "warning: nbdroot needs a network, ip= asks for none: taking ip=dhcp"
    assert warning in steps(console)


def test_no_server(built: Composition) -> None:
    port = free_port()
    console = boot(built.machine(f"ip=dhcp nbdroot={HOST}:{port}/x panic=-1", CARD))
    assert f"error: cannot connect nbdroot={HOST}:{port}/x" in steps(console)
    assert re.search(r"^rdcompose: network addresses:\n.*inet 10\.0\.2\.15/24", console, re.M)
