"""Lists that trial boots find, on the machines of QEMU; each is booted alone before it counts."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest

from rdcompose.compose.profile import load_profile
from tests.boot.conftest import architecture_of
from tests.support.kernels import package
from tests.support.tools import run, tool

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.boot.conftest import Compose

pytestmark = pytest.mark.boot


@pytest.mark.parametrize(
    ("suite", "flavour", "program", "options", "wanted"),
    [
        (
            *("bookworm", "cloud-amd64", "qemu-system-x86_64", ("--net", "user")),
            {"virtio_pci", "virtio_blk", "virtio_net"},
        ),
        (
            *("bookworm", "amd64", "qemu-system-x86_64"),
            ("--machine", "q35", "--disk-bus", "nvme", "--nic", "e1000"),
            {"nvme", "e1000", "ahci"},
        ),
        (
            *("trixie", "arm64", "qemu-system-aarch64", ("--device", "virtio-rng-pci")),
            {"virtio_rng"},
        ),
    ],
    ids=["pc", "q35-nvme", "virt"],
)
def test_a_trial_finds_lists_that_boot(
    kernel_cache: Path,
    composition: Compose,
    tmp_path: Path,
    suite: str,
    flavour: str,
    program: str,
    options: Sequence[str],
    wanted: set[str],
) -> None:
    tool(program)
    architecture = architecture_of(flavour)
    kernel = package(suite, architecture, f"linux-image-{flavour}")
    found = json.loads(
        run(
            *(sys.executable, "-m", "rdcompose", "suggest", str(kernel), "--boot", "--json", "-q"),
            *("--busybox", str(package(suite, architecture, "busybox-static")), "--timeout", "500"),
            *("--cache", str(kernel_cache), "-o", str(tmp_path / "mine"), *options),
            timeout=2400,
        )
    )
    assert found["proof"]["passed"] is True
    assert found["problems"] == []
    names = [entry.pattern for entry in load_profile(str(tmp_path / "mine")).entries]
    assert names == [module["name"] for module in found["modules"]]
    assert wanted <= set(names)
    # No more than devices and the processor ask for: the kernel has thousands.
    assert len(names) < 40
    if flavour != "cloud-amd64":
        return
    # What build makes of them passes without anything that a trial adds.
    built = composition(suite, flavour, "--profile", str(tmp_path / "mine"), "--fast")
    out = run(
        *(sys.executable, "-m", "rdcompose", "boot", built.directory, "--check", "--json"),
        *("--timeout", "500", *options),
        timeout=1200,
    )
    assert json.loads(out)["passed"] is True
