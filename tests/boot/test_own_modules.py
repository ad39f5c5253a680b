"""Modules that were built outside of the kernel's tree load, from both places."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.kbuild import built_modules
from tests.support.qemu import boot, virtio_disk

if TYPE_CHECKING:
    from pathlib import Path

    from tests.boot.conftest import Compose, RootImage

pytestmark = pytest.mark.boot

# The taker is on the disk and needs the giver, which is in the initramfs.
INIT = """#!/bin/sh
for name in rdc_taker dummy; do
	modprobe $name && grep "^$name " /proc/modules | cut -d' ' -f1,3,4 | sed 's/^/root: /'
done
dmesg | grep -o 'rdc_taker: [0-9]*' | sed 's/^/root: says /'
grep -o '^rdc_giver .*(.*)' /proc/modules | sed 's/0x[0-9a-f]* //;s/^/root: /'
ls /lib/modules/$(uname -r)/updates | sed 's/^/root: there is /'
poweroff -f
"""


def test_they_load(composition: Compose, root_image: RootImage, tmp_path: Path) -> None:
    (tmp_path / "modules.ramfs").write_text("@include virtio\nrdc_giver\n", encoding="ascii")
    built = composition(
        "bookworm", "cloud-amd64", "--module", str(built_modules()), "--profile", str(tmp_path)
    )
    console = boot(
        built.machine(
            "root=/dev/vda rw", virtio_disk(root_image(INIT)), virtio_disk(built.disk, kind="qcow2")
        )
    )
    said = [line for line in console.splitlines() if line.startswith("root: ")]
    assert "root: says rdc_taker: 42" in said
    assert "root: dummy 0 -" in said
    # Out of the tree and unsigned, and nothing worse.
    assert any(line.startswith("root: rdc_giver ") and line.endswith("(OE)") for line in said)
    assert "root: there is rdc_giver.ko" in said
    assert "root: there is rdc_taker.ko" in said
    assert "disagrees about version" not in console
