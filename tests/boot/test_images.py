"""What ``rdcompose build`` makes for machines that do not start from a vmlinuz."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.boot.test_command import PROVEN, check, states

if TYPE_CHECKING:
    from tests.boot.conftest import Compose

pytestmark = pytest.mark.boot


def test_an_unpacked_kernel_starts_by_its_pvh_entry(composition: Compose) -> None:
    # The kind of machine that Firecracker is: nothing is there but virtio-mmio and ACPI.
    options = ("--image", "vmlinux", "--disk-format", "squashfs")
    built = composition("trixie", "cloud-amd64", *options)
    result = check(built.directory, "--machine", "microvm", status=0)
    assert (states(result), result["machine"]) == (PROVEN, "microvm")
    assert result["steps"][2]["detail"] == "squashfs on /dev/vda, ro"
