"""Boot folders of real packages, against sha256sum and verify, and Debian's firmware packages."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rdcompose.boards.models import MODELS
from rdcompose.boards.pifirmware import LICENCE, read_pi_firmware
from rdcompose.cli.main import main
from rdcompose.compose.filesource import PI_FIRMWARE, Source, parse_source
from rdcompose.compose.inputs import InputFile
from tests.support.kernels import package
from tests.support.tools import run

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.reference


@pytest.mark.parametrize("suite", ["bookworm", "trixie"])
def test_the_firmware_package_has_what_every_board_needs(suite: str) -> None:
    path = package(suite, "arm64", "raspi-firmware")
    source = Source(parse_source(PI_FIRMWARE, str(path)), InputFile(path=path))
    found = read_pi_firmware(source, MODELS.values())
    assert found.files.keys() == {LICENCE} | {
        name for model in MODELS.values() for name in model.firmware
    }
    # An ELF file of VideoCore, and no link or text.
    assert found.files["start4.elf"][:4] == b"\x7fELF"
    assert found.input.package == "raspi-firmware"


def test_a_folder_of_a_real_kernel(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kernel = package("bookworm", "armel", "linux-image-rpi")
    programs = {
        name: str(package("bookworm", "armel", f"{name}-static")) for name in ("busybox", "e2fsck")
    }
    firmware = str(package("bookworm", "arm64", "raspi-firmware"))
    given = ["--busybox", programs["busybox"], "--e2fsck", programs["e2fsck"]]
    out = tmp_path / "boot"
    arguments = ["pi", str(kernel), *given, "--pi-firmware", firmware, "-o", str(out)]
    assert main(arguments) == 0, capsys.readouterr().err
    [made] = (path for path in out.iterdir() if path.is_dir())
    trees = {path.name for path in made.glob("*.dtb")}
    assert {"bcm2835-rpi-zero-w.dtb", "bcm2835-rpi-b-plus.dtb"} <= trees
    listed = run("/usr/bin/sha256sum", "-c", "--strict", "SHA256SUMS", cwd=made)
    assert len(listed.splitlines()) == len([path for path in made.rglob("*") if path.is_file()]) - 1
    assert main(["verify", str(out)]) == 0
