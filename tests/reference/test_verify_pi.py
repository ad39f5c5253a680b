"""``rdcompose verify`` on boot folders of real kernels, and the models against Debian's trees."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING, Final

import pytest

from rdcompose.boards.models import MODELS
from rdcompose.cli.main import main
from rdcompose.formats.deb import Deb
from rdcompose.formats.devicetree import read_device_tree
from tests.support.kernels import package
from tests.support.tools import run, tool

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.reference

_BOARD: Final = re.compile(r".*/(bcm27\w+-rpi-.*|bcm283\d-rpi-.*)\.dtb")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("boot") / "rpi"
    programs = ["--e2fsck", "none", "--pi-firmware", "none"]
    programs += ["--busybox", str(package("bookworm", "armel", "busybox-static"))]
    deb = package("bookworm", "armel", "linux-image-rpi")
    assert main(["pi", str(deb), "-q", "-o", str(out), "--profile", "pi", *programs]) == 0
    return out


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    return shutil.copytree(folder, tmp_path / "rpi")


def verify(capsys: pytest.CaptureFixture[str], path: Path, *, ok: bool) -> tuple[str, str]:
    assert main(["verify", str(path)]) == (0 if ok else 1)
    printed = capsys.readouterr()
    assert "Traceback" not in printed.err
    return printed.out, printed.err


def test_what_pi_writes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, _ = verify(capsys, folder, ok=True)
    assert out.startswith(f"boot folder {folder}: Raspberry Pi zero, 1\n")
    assert "-rpi, armel: " in out
    [remarked] = [line for line in out.splitlines() if line.startswith("  remark")]
    assert remarked.startswith("  remark  firmware      there are no firmware files")


def test_an_initramfs_of_another_kernel(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    [initramfs] = copy.glob("*/initramfs")
    armmp = package("bookworm", "armhf", "linux-image-armmp")
    out = copy.parent / "armmp"
    busybox = str(package("bookworm", "armhf", "busybox-static"))
    words = ["-q", "-o", str(out), "--profile", "minivm", "--busybox", busybox]
    assert main(["build", str(armmp), *words, "--e2fsck", "none", "--disk", "none"]) == 0
    [other] = out.glob("initramfs-*")
    shutil.copy(other, initramfs)
    _, err = verify(capsys, copy, ok=False)
    assert "has modules of" in err
    assert "-armmp" in err


def test_the_driver_of_the_root(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    [line] = copy.glob("*/cmdline.txt")
    for kind, ok in (("ext4", True), ("xfs", False)):
        line.write_text(f"root=/dev/mmcblk0p2 rootfstype={kind}\n", "ascii")
        for stamp in (*line.parent.glob("manifest-*"), line.parent / "SHA256SUMS"):
            stamp.unlink(missing_ok=True)
        out, err = verify(capsys, copy, ok=ok)
        assert ("ok      root          ext4: driver there" in out) is ok
        assert ("xfs is not built in by" in err) is not ok


@pytest.mark.parametrize("width", ["16", "32"])
def test_a_card_that_others_made(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], width: str
) -> None:
    volume, image = tmp_path / "volume", tmp_path / "sd.img"
    run(tool("mkfs.vfat"), "-F", width, "-C", volume, str(64 * 1024))
    run(tool("mcopy"), "-i", volume, "-s", *sorted(folder.iterdir()), "::")
    image.write_bytes(bytes(1 << 20) + volume.read_bytes())
    run(tool("sfdisk"), "-q", image, stdin=b"label: dos\nstart=2048, type=c\n")
    out, _ = verify(capsys, image, ok=True)
    assert out.startswith(f"boot partition {image}, partition 1: Raspberry Pi zero, 1\n")
    assert "ok      partitions    1 vfat" in out


@pytest.mark.parametrize(
    ("suite", "architecture", "name"),
    [
        ("bookworm", "armel", "linux-image-rpi"),
        ("trixie", "arm64", "linux-image-arm64"),
    ],
)
def test_device_trees_of_debian_are_known(suite: str, architecture: str, name: str) -> None:
    chips = {
        tree: model.soc.lower()
        for model in MODELS.values()
        for tree in model.device_trees(upstream=True)
    }
    found = 0
    with package(suite, architecture, name).open("rb") as source:
        for member in Deb.open(source).members(lambda path: _BOARD.fullmatch(path) is not None):
            place = _BOARD.fullmatch(member.path)
            if place is not None:
                found += 1
                compatible = read_device_tree(member.content).compatible
                assert f"brcm,{chips[place[1] + '.dtb']}" in compatible
    assert found >= 9
