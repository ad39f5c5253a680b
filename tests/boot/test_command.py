"""``rdcompose boot`` tells compositions that boot from those that do not, with real kernels."""

from __future__ import annotations

import json
import os
import pty
import shutil
import subprocess
import sys
import termios
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest

from rdcompose.qemu.boards import BOARDS
from tests.support.tools import run, tool

if TYPE_CHECKING:
    from pathlib import Path

    from tests.boot.conftest import Compose, Composition, RootImage

pytestmark = pytest.mark.boot

INIT = "#!/bin/sh\npoweroff -f\n"


@pytest.fixture(scope="module")
def built(composition: Compose) -> Composition:
    return composition("bookworm", "cloud-amd64")


def check(directory: Path, *options: str, status: int) -> dict[str, Any]:
    """Check a composition and return the result."""
    [name] = [path.name for path in directory.glob("manifest-*")]
    architecture = json.loads((directory / name).read_text())["architecture"]
    tool(BOARDS[architecture][0].program)
    out = run(
        *(sys.executable, "-m", "rdcompose", "boot", directory, "--check", "--json"),
        *("--timeout", "500", *options),
        status=status,
        timeout=1200,
    )
    result = json.loads(out)
    assert isinstance(result, dict)
    return result


def states(result: dict[str, Any]) -> dict[str, bool | None]:
    return {step["name"]: step["passed"] for step in result["steps"]}


PROVEN = {
    "kernel release": True,
    "autoload modules": True,
    "root filesystem": True,
    "modules disk": True,
    "module from the disk": True,
    "switched to init": True,
}


def copy(built: Composition, target: Path) -> Path:
    shutil.copytree(built.directory, target)
    return target


def test_check_passes_and_draws_the_timeline(built: Composition, tmp_path: Path) -> None:
    picture, junit = tmp_path / "boot.svg", tmp_path / "junit.xml"
    result = check(
        *(built.directory, "--timeline", str(picture), "--junit", str(junit)),
        status=0,
    )
    assert result["reason"] is None
    assert states(result) == PROVEN
    assert result["steps"][2]["detail"] == "squashfs on /dev/vda, ro"
    spans = [span for span in result["timeline"] if not span["inner"]]
    assert [span["name"] for span in spans[:3]] == ["QEMU and firmware", "kernel", "init begins"]
    assert [span["part"] for span in spans[-2:]] == ["root", "root"]
    # Without a gap from the start of QEMU to the end of the boot.
    assert [span["end"] for span in spans[:-1]] == [span["start"] for span in spans[1:]]
    assert picture.read_text().startswith("<svg ")
    suite = ET.parse(junit).getroot()
    assert (suite.attrib["tests"], suite.attrib["failures"]) == ("6", "0")
    assert "Linux version" in (suite.findtext("system-out") or "")


def test_check_of_a_root_of_the_user(
    built: Composition, root_image: RootImage, tmp_path: Path
) -> None:
    root = tmp_path / "root.qcow2"
    run(tool("qemu-img"), "convert", "-O", "qcow2", root_image(INIT), root)
    before = root.read_bytes()
    result = check(
        *(built.directory, "--root", str(root), "--machine", "q35", "--append", "rw"),
        status=0,
    )
    assert states(result) == PROVEN
    assert result["steps"][2]["detail"] == "ext4 on /dev/vda, rw"
    assert root.read_bytes() == before


def test_root_without_init(built: Composition, root_image: RootImage) -> None:
    result = check(
        *(built.directory, "--root", str(root_image(INIT)), "--append", "init=/sbin/none"),
        status=1,
    )
    assert result["reason"] == "switched to init: the root has no program /sbin/none"


def test_wrong_modules_disk(built: Composition, composition: Compose, tmp_path: Path) -> None:
    other = composition("trixie", "cloud-amd64")
    shutil.copy(other.disk, copy(built, tmp_path / "out") / built.disk.name)
    result = check(tmp_path / "out", status=1)
    assert result["reason"].startswith("modules disk: there is no modules disk for ")
    assert result["reason"].endswith(f"/dev/vdb is for {other.release}")
    assert states(result) == PROVEN | {"modules disk": False, "module from the disk": None}


def test_initramfs_of_another_release(
    built: Composition, composition: Compose, tmp_path: Path
) -> None:
    other = composition("trixie", "cloud-amd64")
    target = copy(built, tmp_path / "out") / f"initramfs-{built.release}"
    shutil.copy(other.directory / f"initramfs-{other.release}", target)
    result = check(tmp_path / "out", "--append", "rootwait=1", status=1)
    assert result["reason"] == (
        f"this initramfs is for {other.release}, the kernel is {built.release}"
    )


def test_missing_root(built: Composition) -> None:
    result = check(built.directory, "--append", "root=/dev/vdz rootwait=1", status=1)
    assert result["reason"] == "the root device /dev/vdz is not there"
    assert result["crashes"] == 0


def test_check_on_arm64(composition: Compose) -> None:
    result = check(composition("trixie", "arm64").directory, status=0)
    assert (result["machine"], result["accelerator"]) == ("virt", "tcg")
    assert states(result) == PROVEN


def test_console_is_for_a_person(built: Composition) -> None:
    tool("qemu-system-x86_64")
    keyboard, terminal = pty.openpty()
    before = termios.tcgetattr(terminal)
    command = [sys.executable, "-m", "rdcompose", "boot", str(built.directory), "-q"]
    with subprocess.Popen(command, stdin=terminal, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        said = b""

        def expect(text: bytes) -> None:
            nonlocal said
            while text not in said:
                piece = os.read(process.stdout.fileno(), 65536)  # type: ignore[union-attr]
                assert piece, said.decode("utf-8", "replace")
                said += piece
            said = said.partition(text)[2]

        try:
            expect(b"/ # ")
            os.write(keyboard, b"modprobe dummy && grep -c ^dummy /proc/modules\r")
            expect(b"\n1\r\n")
            # The interrupt is the guest's: it ends what runs in the foreground, which what says
            # so here is by then; the shell itself would not be. Then QEMU's own.
            os.write(keyboard, b"sh -c 'echo sle\"\"eps; exec sleep 1000'\r")
            expect(b"sleeps")
            os.write(keyboard, b"\x03")
            expect(b"/ # ")
            os.write(keyboard, b"echo inter''rupted\r")
            expect(b"interrupted")
            os.write(keyboard, b"\x01x")
            assert process.wait(60) == 0
            assert termios.tcgetattr(terminal) == before
        finally:
            process.kill()
            os.close(keyboard)
            os.close(terminal)
