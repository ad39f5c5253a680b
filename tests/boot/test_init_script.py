"""The init script as a text, and its functions run by the shells that will run them."""

from __future__ import annotations

import dataclasses
import os
import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from rdcompose.compose.template import builtin_template_path
from tests.support import rootfs
from tests.support.kernels import unpacked
from tests.support.tools import run, tool

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.reference

TEMPLATE = builtin_template_path()
PARTS = TEMPLATE / "etc" / "rdcompose" / "init"
SUITES = ["bookworm", "trixie"]


@dataclasses.dataclass(frozen=True, slots=True)
class Shell:
    """A busybox that has read the parts of the script, with its own applets only."""

    busybox: Path
    applets: Path

    def run(self, program: str, *arguments: str | Path) -> str:
        parts = "".join(f". {part}\n" for part in sorted(PARTS.glob("*.sh")))
        done = subprocess.run(
            [self.busybox, "sh", "-c", f"{parts}{program}", "sh", *arguments],
            capture_output=True,
            text=True,
            check=True,
            env={"PATH": os.fspath(self.applets)},
        )
        assert done.stderr == ""
        return done.stdout


@pytest.fixture(params=SUITES)
def shell(request: pytest.FixtureRequest, tmp_path: Path) -> Shell:
    package = unpacked(request.param, "amd64", "busybox-static")
    [busybox] = [path for path in package.rglob("bin/busybox") if path.is_file()]
    applets = tmp_path / "applets"
    applets.mkdir()
    for name in run(busybox, "--list").split():
        (applets / name).symlink_to(busybox)
    return Shell(busybox, applets)


def scripts() -> list[Path]:
    """Every shell script of the template."""
    return [path for path in sorted(TEMPLATE.rglob("*")) if _is_script(path)]


def _is_script(path: Path) -> bool:
    return path.suffix == ".sh" or (path.is_file() and path.read_bytes()[:9] == b"#!/bin/sh")


def test_shellcheck_has_nothing_to_say(tmp_path: Path) -> None:
    options = ("--shell=sh", "--severity=style", "--external-sources", "--check-sourced")
    # Parts and features use each other's variables: they are judged where init brings them
    # together.
    parts = [path for path in scripts() if path.suffix == ".sh"]
    programs = [path for path in scripts() if path.suffix != ".sh" and path.name != "init"]
    assert len(parts) > 8
    features = "".join(f". {path}\n" for path in parts if path.parent != PARTS)
    text = (TEMPLATE / "init").read_text()
    assert text.count("for part in ") == 1
    (tmp_path / "init").write_text(text.replace("for part in ", f"{features}for part in "))
    run(tool("shellcheck"), *options, f"--source-path={TEMPLATE}", tmp_path / "init", *programs)


def test_every_part_is_read() -> None:
    text = (TEMPLATE / "init").read_text()
    read = re.findall(r"^\. /etc/rdcompose/init/(\S+)$", text, re.MULTILINE)
    assert sorted(read) == sorted(path.name for path in PARTS.iterdir())


def test_options_are_read_as_the_kernel_reads_them(shell: Shell) -> None:
    cases = {
        "root=/dev/vda ro": "/dev/vda|ro|10||",
        'root="/dev/vda" rw': "/dev/vda|rw|10||",
        '"root=LABEL=my root" rw': "LABEL=my root|rw|10||",
        "root=UUID=a=b rootwait": "UUID=a=b||forever||",
        "root=a root=b rootwait=30": "b||30||",
        "rootdelay=5 rootwait=x": "||5||",
        'x="root=/dev/no rw" root=/dev/yes': "/dev/yes||10||",
        "root=/dev/vda -- root=/dev/no": "/dev/vda||10||",
        "rootflags=noatime,subvol=@ single": "||10|noatime,subvol=@|y",
        'root=$(poweroff) `x` * "?"': "$(poweroff)||10||",
        "": "||10||",
    }
    for line, expected in cases.items():
        program = (
            "wait=10; warn() { :; }\n"
            'read_options "$1"; echo "$root|$access|$wait|$rootflags|$single"\n'
        )
        assert shell.run(program, line).rstrip("\n") == expected, line


@pytest.mark.parametrize(
    ("line", "moments", "warnings"),
    [
        ("", "", 0),
        ("break", "premount", 0),
        ("break=top", "top", 0),
        ("break=mount,bottom", "mount,bottom", 0),
        ("break=never", "never", 1),
    ],
)
def test_moments_to_stop_at(shell: Shell, line: str, moments: str, warnings: int) -> None:
    program = 'warn() { echo "$1"; }; read_options "$1"; echo "$breaks"'
    *warned, found = shell.run(program, line).split("\n")[:-1]
    assert found == moments
    assert len(warned) == warnings


UUID = "5e0f7a30-94a8-4a0d-9d5e-7f0b7d1f0c11"


def _ext4(image: Path) -> None:
    run(tool("mke2fs"), "-q", "-F", "-t", "ext4", "-U", UUID, "-L", "a label", image, "8M")


def _ext4_sixteen(image: Path) -> None:
    # A label that fills its field has no NUL behind it.
    run(tool("mke2fs"), "-q", "-F", "-t", "ext4", "-U", UUID, "-L", "sixteen-letters!", image, "8M")


def _ext2(image: Path) -> None:
    run(tool("mke2fs"), "-q", "-F", "-t", "ext2", "-U", UUID, image, "8M")


def _xfs(image: Path) -> None:
    with image.open("wb") as stream:
        stream.truncate(300 << 20)
    run(tool("mkfs.xfs"), "-q", "-m", f"uuid={UUID}", "-L", "twelve-chars", image)


def _btrfs(image: Path) -> None:
    with image.open("wb") as stream:
        stream.truncate(110 << 20)
    run(tool("mkfs.btrfs"), "-q", "-U", UUID, "-L", "große Platte", image)


def _fat(bits: int, size: int, label: str) -> Callable[[Path], None]:
    def make(image: Path) -> None:
        with image.open("wb") as stream:
            stream.truncate(size << 20)
        run(tool("mkfs.vfat"), "-F", str(bits), "-i", "1a2bc3d4", "-n", label, image)

    return make


def _f2fs(image: Path) -> None:
    with image.open("wb") as stream:
        stream.truncate(64 << 20)
    run(tool("mkfs.f2fs"), "-q", "-U", UUID, "-l", "flash", image)


def _erofs(image: Path) -> None:
    folder = image.parent / "tree"
    folder.mkdir()
    run(tool("mkfs.erofs"), "--quiet", "-U", UUID, image, folder)


FILESYSTEMS: dict[str, tuple[Callable[[Path], None], str, str, str]] = {
    "ext4": (_ext4, "ext4", UUID, "a label"),
    "ext4-full-label": (_ext4_sixteen, "ext4", UUID, "sixteen-letters!"),
    # Read by the driver of ext4 as well.
    "ext2": (_ext2, "ext4", UUID, ""),
    "xfs": (_xfs, "xfs", UUID, "twelve-chars"),
    "btrfs": (_btrfs, "btrfs", UUID, "große Platte"),
    "f2fs": (_f2fs, "f2fs", UUID, "flash"),
    "erofs": (_erofs, "erofs", UUID, ""),
    "fat12": (_fat(12, 2, "TWELVE"), "vfat", "1A2B-C3D4", "TWELVE"),
    "fat16": (_fat(16, 20, "BOOT DISK"), "vfat", "1A2B-C3D4", "BOOT DISK"),
    "fat32": (_fat(32, 40, "ELEVENCHARS"), "vfat", "1A2B-C3D4", "ELEVENCHARS"),
}


@pytest.mark.parametrize("kind", FILESYSTEMS)
def test_filesystems_are_told_apart(shell: Shell, tmp_path: Path, kind: str) -> None:
    make, filesystem, identity, label = FILESYSTEMS[kind]
    image = tmp_path / "image"
    make(image)
    found = shell.run('probe "$1"; echo "$type|$uuid|$label"', image).rstrip("\n")
    raw = identity.replace("-", "").lower()
    assert found == f"{filesystem}|{raw}|{label.encode().hex()}"


def test_squashfs_and_others_have_no_label(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    image = rootfs.squashfs_image(tmp_path / "tree", tmp_path / "image")
    (tmp_path / "zeros").write_bytes(bytes(1 << 20))
    (tmp_path / "short").write_bytes(b"XFSB")
    for path, expected in ((image, "squashfs||"), (tmp_path / "zeros", "||")):
        assert shell.run('probe "$1"; echo "$type|$uuid|$label"', path) == f"{expected}\n"
    assert shell.run('probe "$1"; echo "$type|$uuid|$label"', tmp_path / "short") == "||\n"
