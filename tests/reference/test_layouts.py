"""Layouts that no Debian mirror has, made of Debian's kernels and modules, by real tools."""

from __future__ import annotations

import dataclasses
import gzip
import json
import shutil
from typing import TYPE_CHECKING

import pytest

from rdcompose.cli.main import main
from rdcompose.kernel.package import read_kernels
from rdcompose.kernel.source import DebSource
from tests.support.images import gzipped, make_zboot
from tests.support.kernels import package, unpacked
from tests.support.tools import run, tool

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

pytestmark = pytest.mark.reference

ARM64 = ("trixie", "arm64", "linux-image-arm64")
ARMHF = ("bookworm", "armhf", "linux-image-armmp")
CLOUD = ("trixie", "amd64", "linux-image-cloud-amd64")
# Enough modules to see that they arrive, and few enough to be quick.
FOLDERS = ("fs/squashfs", "fs/overlayfs", "fs/btrfs", "lib", "crypto", "drivers/virtio")


@dataclasses.dataclass(frozen=True, slots=True)
class Staged:
    """Some modules, the kernel and the configuration of a Debian package, below a root."""

    root: Path
    release: str

    @property
    def modules(self) -> Path:
        return self.root / "lib/modules" / self.release

    @property
    def kernel(self) -> Path:
        return self.root / f"boot/vmlinuz-{self.release}"


def stage(kernel: tuple[str, str, str], root: Path, folders: Iterable[str] = FOLDERS) -> Staged:
    """Copy a part of a kernel's package below a root, in ``lib`` whatever it was."""
    source = unpacked(*kernel)
    (modules,) = [*source.glob("lib/modules/*"), *source.glob("usr/lib/modules/*")]
    staged = Staged(root, modules.name)
    staged.kernel.parent.mkdir(parents=True, exist_ok=True)
    for stem in ("vmlinuz", "config"):
        name = f"{stem}-{staged.release}"
        shutil.copy(source / "boot" / name, root / "boot" / name)
    for folder in folders:
        shutil.copytree(modules / "kernel" / folder, staged.modules / "kernel" / folder)
    for name in ("modules.builtin", "modules.builtin.modinfo"):
        shutil.copy(modules / name, staged.modules / name)
    lines = (modules / "modules.order").read_text().splitlines(keepends=True)
    kept = [line for line in lines if line.startswith(tuple(f"kernel/{f}/" for f in folders))]
    (staged.modules / "modules.order").write_text("".join(kept))
    return staged


def deb(root: Path, name: str, architecture: str, compressor: str = "zstd") -> Path:
    """Make a package of a directory by dpkg-deb."""
    control = root / "DEBIAN/control"
    control.parent.mkdir()
    control.write_text(
        f"Package: {name}\nVersion: 6.12-1\nArchitecture: {architecture}\n"
        "Maintainer: Tests <tests@example.org>\nDescription: a kernel\n"
    )
    out = root.with_name(f"{name}.deb")
    run(tool("dpkg-deb"), f"-Z{compressor}", "-z1", "--root-owner-group", "--build", root, out)
    return out


def paths(staged: Staged) -> list[str]:
    found = (path.relative_to(staged.modules).as_posix() for path in staged.modules.rglob("*.ko*"))
    return sorted(path.partition(".ko")[0] + ".ko" for path in found)


def compose(out: Path, *arguments: Path | str) -> dict[str, object]:
    """Compose with a list of our own; returns the only manifest."""
    lists = out.parent / "lists"
    lists.mkdir(exist_ok=True)
    (lists / "modules.ramfs").write_text("fs/btrfs\n")
    (lists / "modules.autoload").write_text("btrfs\n")
    options = ["--profile", lists, "-o", out, "-q", "--e2fsck", "none"]
    assert main(["build", *map(str, arguments), *map(str, options)]) == 0
    (manifest,) = out.glob("manifest-*.json")
    data = json.loads(manifest.read_text())
    assert isinstance(data, dict)
    return data


@pytest.mark.parametrize("packed", ["Image.gz", "vmlinuz.efi"])
def test_bindeb_pkg(tmp_path: Path, packed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As scripts/package/builddeb lays it out, with what kmod's depmod makes."""
    # Directories of the package are newer than any file in it.
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    staged = stage(ARM64, tmp_path / "package")
    image = gzipped(staged.kernel.read_bytes())
    staged.kernel.write_bytes(image if packed == "Image.gz" else make_zboot(image))
    run(tool("depmod"), "-b", staged.root, staged.release)
    dtbs = staged.root / f"usr/lib/linux-image-{staged.release}/broadcom"
    dtbs.mkdir(parents=True)
    (dtbs / "bcm2711-rpi-4-b.dtb").write_bytes(b"")
    file = deb(staged.root, f"linux-image-{staged.release}", "arm64")
    busybox = package("trixie", "arm64", "busybox-static")
    data = compose(tmp_path / "out", file, "--busybox", busybox)
    assert (data["release"], data["architecture"]) == (staged.release, "arm64")
    assert data["notes"] == []
    with file.open("rb") as stream:
        (found,) = read_kernels([DebSource(stream)])
    assert [module.path for module in found.tree.modules] == paths(staged)
    assert "modules.dep" in found.tree.indexes
    shutil.rmtree(staged.root / "DEBIAN")
    (staged.modules / "build").symlink_to("/usr/src/linux")
    compose(tmp_path / "installed", staged.root, "--busybox", busybox)
    for stem in ("vmlinuz", "initramfs", "config", "modules"):
        (one,) = (tmp_path / "out").glob(f"{stem}-*")
        assert (tmp_path / "installed" / one.name).read_bytes() == one.read_bytes()


def test_ubuntu(tmp_path: Path) -> None:
    """Three packages in zstd, with .ko.zst, in any order."""
    whole = stage(CLOUD, tmp_path / "whole")
    release = whole.release
    for path in list(whole.modules.rglob("*.ko.xz")):
        run(tool("xz"), "--decompress", path)
        run(tool("zstd"), "-q", "--rm", path.with_suffix(""))
    parts = {
        name: tmp_path / name for name in ("linux-image", "linux-modules", "linux-modules-extra")
    }
    kernel = parts["linux-image"] / "boot"
    kernel.mkdir(parents=True)
    shutil.move(whole.kernel, kernel)
    extra = parts["linux-modules-extra"] / "lib/modules" / release / "kernel/fs"
    extra.mkdir(parents=True)
    shutil.move(whole.modules / "kernel/fs/btrfs", extra)
    shutil.move(whole.root, parts["linux-modules"])
    files = [deb(root, f"{name}-{release}", "amd64") for name, root in parts.items()]
    busybox = package("trixie", "amd64", "busybox-static")
    data = compose(tmp_path / "out", *reversed(files), "--busybox", busybox)
    assert data["release"] == release
    assert data["notes"] == []
    inputs = data["inputs"]
    assert isinstance(inputs, list)
    assert [row["package"] for row in inputs if row["role"] == "kernel"] == [
        f"{name}-{release}" for name in parts
    ]


def test_raspberrypi_kernel(tmp_path: Path) -> None:
    """Kernels with the firmware's names, of two architectures, in one package."""
    root = tmp_path / "package"
    old, new = stage(ARMHF, root), stage(ARM64, root)
    old.kernel.rename(root / "boot/kernel7.img")
    (root / "boot/kernel8.img").write_bytes(gzip.compress(new.kernel.read_bytes(), 1))
    new.kernel.unlink()
    file = deb(root, "raspberrypi-kernel", "armhf")
    with file.open("rb") as stream:
        found = read_kernels([DebSource(stream)])
    assert {kernel.release: kernel.architecture.name for kernel in found} == {
        old.release: "armhf",
        new.release: "arm64",
    }
    for kernel in found:
        staged = old if kernel.release == old.release else new
        assert [module.path for module in kernel.tree.modules] == paths(staged)
