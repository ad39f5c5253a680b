"""Programs that are not static run in the initramfs that they were added to."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.support.qemu import Guest, boot, virtio_disk

if TYPE_CHECKING:
    from tests.boot.conftest import Compose, RootImage

pytestmark = pytest.mark.boot

ADDED = ("nbd-client", "e2fsprogs:/sbin/e2fsck", "kmod", "cryptsetup-bin:/sbin/cryptsetup")
INIT = """#!/bin/sh
echo "root: runs"
poweroff -f
"""
PROMPT = r"^[/~] # "
# sr_mod is in the initramfs and no device asks for it; it needs cdrom. kmod reads indexes
# that busybox does not need.
COMMANDS = (
    # By path: the shell of Debian's busybox takes its own modprobe and nbd-client otherwise.
    "/sbin/modprobe --version",
    "e2fsck -V",
    "/sbin/nbd-client -V",
    "cryptsetup --version",
    "/sbin/modprobe -v sr_mod",
    "/sbin/modprobe -c | grep -c ^alias",
)


@pytest.mark.parametrize("suite", ["bookworm", "trixie"])
def test_programs_run(composition_by_name: Compose, root_image: RootImage, suite: str) -> None:
    built = composition_by_name(
        suite, "cloud-amd64", *(word for name in ADDED for word in ("--add", name))
    )

    def talk(guest: Guest) -> None:
        guest.expect("shell before the root is mounted", limit=120)
        guest.expect(PROMPT)
        for command in COMMANDS:
            guest.type(f"{{ {command}; }} 2>&1 | sed 's/^/said: /'")
            guest.expect("^said: ")
            guest.expect(PROMPT)
        guest.type("exit")

    machine = built.machine("root=/dev/vda rw single loglevel=1", virtio_disk(root_image(INIT)))
    console = boot(machine, talk=talk)
    said = re.findall(r"^said: (.*)", console, re.MULTILINE)
    assert any(line.startswith("kmod version ") for line in said)
    assert any(re.fullmatch(r"e2fsck 1\.\d+\.\d+ .*", line) for line in said)
    assert any("nbd-client, from nbd 3." in line for line in said)
    assert any(line.startswith("cryptsetup 2.") for line in said)
    inserted = [line.split("/")[-1] for line in said if line.startswith("insmod ")]
    assert inserted == ["cdrom.ko ", "sr_mod.ko "]
    assert int(said[-1]) > 100
    # init itself went on, with the dynamic e2fsck.
    assert "rdcompose: warning" not in console
    assert "root: runs\n" in console
