"""What ``rdcompose build`` makes for machines that do not start from a vmlinuz."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from tests.boot.test_command import PROVEN, check, states
from tests.support.kernels import package
from tests.support.tools import missing

if TYPE_CHECKING:
    from tests.boot.conftest import Compose

pytestmark = pytest.mark.boot

OVMF: Final = Path("/usr/share/ovmf/OVMF.fd")


def test_an_unpacked_kernel_starts_by_its_pvh_entry(composition: Compose) -> None:
    # The kind of machine that Firecracker is: nothing is there but virtio-mmio and ACPI.
    options = ("--image", "vmlinux", "--disk-format", "squashfs")
    built = composition("trixie", "cloud-amd64", *options)
    result = check(built.directory, "--machine", "microvm", status=0)
    assert (states(result), result["machine"]) == (PROVEN, "microvm")
    assert result["steps"][2]["detail"] == "squashfs on /dev/vda, ro"


def test_a_unified_kernel_image_starts_from_firmware(composition: Compose) -> None:
    if not OVMF.is_file():
        missing(f"{OVMF} is missing (Debian package ovmf)")
    stub = package("bookworm", "amd64", "systemd-boot-efi")
    built = composition("bookworm", "cloud-amd64", "--uki", "--uki-stub", str(stub))
    result = check(built.directory, "--uki", status=0)
    assert states(result) == PROVEN
