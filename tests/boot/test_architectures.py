"""A kernel of every architecture that QEMU has a machine for, booted to a root filesystem.

The modules disk is mounted there, and a module that only the disk has loads. The machines of
amd64, and arm64's first, are in test_command.py.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Final

import pytest

from rdcompose.formats.deb import Deb
from rdcompose.qemu.boards import BOARDS, find_board
from tests.boot.conftest import architecture_of
from tests.support.kernels import package
from tests.support.tools import run, tool

if TYPE_CHECKING:
    from pathlib import Path

    from tests.boot.conftest import Compose

pytestmark = pytest.mark.boot

# Suite, flavour, machine, QEMU: the smallest kernel of each architecture.
MACHINES: Final = (
    ("bookworm", "686", "pc", "qemu-system-x86_64"),
    ("trixie", "arm64", "raspi3b", "qemu-system-aarch64"),
    ("bookworm", "armmp", "virt", "qemu-system-arm"),
    ("bookworm", "rpi", "raspi0", "qemu-system-arm"),
    ("trixie", "riscv64", "virt", "qemu-system-riscv64"),
    ("bookworm", "powerpc64le", "pseries", "qemu-system-ppc64"),
    ("bookworm", "s390x", "s390-ccw-virtio", "qemu-system-s390x"),
    ("bookworm", "4kc-malta", "malta", "qemu-system-mipsel"),
    ("bookworm", "5kc-malta", "malta", "qemu-system-mips64el"),
)

# A Raspberry Pi of QEMU has its disks on USB. raspi2b, which differs from raspi3b in its processor
# alone, boots in test_raspberry.py.
MODULES: Final = "@include virtio\nphy_generic?\ndwc2?\nusb_storage?\nsd_mod?\n"


def test_every_architecture_is_tried() -> None:
    tried = {architecture_of(flavour) for _, flavour, _, _ in MACHINES}
    assert tried | {"amd64"} == set(BOARDS)


@pytest.fixture(scope="module")
def profile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("profile")
    (directory / "modules.ramfs").write_text(MODULES)
    return directory


@pytest.mark.parametrize(
    ("suite", "flavour", "machine", "program"),
    MACHINES,
    ids=[f"{flavour}-{machine}" for _, flavour, machine, _ in MACHINES],
)
def test_boots(
    composition: Compose,
    profile: Path,
    tmp_path: Path,
    suite: str,
    flavour: str,
    machine: str,
    program: str,
) -> None:
    tool(program)
    architecture = architecture_of(flavour)
    board = find_board(architecture, machine)
    assert board.program == program
    built = composition(suite, flavour, "--profile", str(profile))
    options = ["--machine", machine, "--timeout", "500"]
    if board.dtb is not None:
        kernel = package(suite, architecture, f"linux-image-{flavour}")
        (tmp_path / board.dtb).write_bytes(device_tree(kernel, board.dtb))
        options += ["--dtb", str(tmp_path / board.dtb)]
    command = (sys.executable, "-m", "rdcompose", "boot", built.directory, "--check", "--json")
    result = json.loads(run(*command, *options, timeout=1200))
    assert result["reason"] is None
    assert (result["release"], result["machine"]) == (built.release, machine)
    proven = {step["name"] for step in result["steps"] if step["passed"]}
    assert proven >= {"root filesystem", "modules disk", "module from the disk"}


def device_tree(kernel: Path, name: str) -> bytes:
    """Return a device tree of a kernel package."""
    with kernel.open("rb") as stream:
        members = Deb.open(stream).members(lambda path: path.endswith(f"/{name}"))
        (found,) = [member.content for member in members if member.path.endswith(f"/{name}")]
    return found
