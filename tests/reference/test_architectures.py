"""A kernel of every architecture, from its package to what comes out.

test_depmod.py and test_composition.py look closer at kernels of amd64 and arm64; here it is
the other word sizes, byte orders and kernel images, and what their kernels lack.
"""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from rdcompose.cli.main import main
from rdcompose.compose.profile import load_profile, profile_names
from rdcompose.kernel.selection import select
from tests.support.depmod import Case, assert_same_files, case_of_package
from tests.support.kernels import OTHER_ARCHITECTURES, package
from tests.support.tools import run, run_bytes, tool

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.reference

REQUIRED = (("squashfs", "to read the disk"), ("overlay", "to lay modules over the disk"))
# Lists for a kernel with drivers of its SD card.
RASPBERRY_PI = ("pi", "pinet")


@pytest.mark.parametrize("kernel", OTHER_ARCHITECTURES, ids=lambda kernel: kernel[1])
def test_architecture(kernel: tuple[str, str, str], tmp_path: Path) -> None:
    suite, architecture, _ = kernel
    deb = package(*kernel)
    content = tmp_path / "content"
    run(tool("dpkg-deb"), "-x", deb, content)
    case = case_of_package(content, tmp_path / "depmod")
    assert len(case.depmod.modules) > 1000
    assert_same_files(case)
    assert_profiles_select(case, architecture)
    out = tmp_path / "out"
    options = ["-q", "-o", str(out), "--disk-format", "squashfs"]
    for name in ("busybox", "e2fsck"):
        options += [f"--{name}", str(package(suite, architecture, f"{name}-static"))]
    assert main(["build", str(deb), *options]) == 0
    assert_all_is_there(case, content, out, tmp_path)
    assert main(["verify", str(out), "-q"]) == 0
    shutil.rmtree(tmp_path)


def assert_profiles_select(case: Case, architecture: str) -> None:
    for name in profile_names():
        if name in RASPBERRY_PI and architecture not in {"armel", "armhf"}:
            continue
        profile = load_profile(name)
        # What is missing and not optional raises.
        found = select(case.depmod, profile.entries, profile.autoload, required=REQUIRED)
        assert {"squashfs", "overlay"} <= set(found.ramdisk), name


def assert_all_is_there(case: Case, content: Path, out: Path, scratch: Path) -> None:
    """Compare what other programs read from the files with the package, and kmod's indexes."""
    release = case.release
    disk, ramdisk = scratch / "disk", scratch / "ramdisk"
    run(tool("unsquashfs"), "-q", "-n", "-d", disk, out / f"modules-{release}.squashfs")
    ramdisk.mkdir()
    segment = run_bytes(tool("zstd"), "-dcq", out / f"initramfs-{release}")
    run(*(tool("cpio"), "-idm", "--quiet", "--no-absolute-filenames"), stdin=segment, cwd=ramdisk)
    there = [disk / release, ramdisk / "lib/modules" / release]
    found = sorted(
        (str(path.relative_to(base)), path.read_bytes())
        for base in there
        for path in base.rglob("*.ko")
    )
    packaged = sorted(
        (str(path.relative_to(case.directory)), path.read_bytes())
        for path in case.directory.rglob("*.ko")
    )
    # Each once, and as it is in the package.
    assert [path for path, _ in found] == [path for path, _ in packaged]
    assert found == packaged
    for name in ("dep", "alias", "symbols", "softdep", "devname"):
        file = f"modules.{name}"
        assert (disk / release / file).read_bytes() == (case.directory / file).read_bytes(), name
    manifest = json.loads((out / f"manifest-{release}.json").read_bytes())
    image = next(out.glob(f"vmlinu[xz]-{release}"))
    assert image.read_bytes() == (content / "boot" / image.name).read_bytes()
    assert manifest["release"] == release
