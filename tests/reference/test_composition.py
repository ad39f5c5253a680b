"""Whole compositions of real kernels, looked at with the tools that others trust."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import lzma
from typing import TYPE_CHECKING

import pytest

from rdcompose.cli.main import main
from rdcompose.formats.modindex import read_index
from tests.support.kernels import KERNELS, lsinitramfs, package, unpacked
from tests.support.tools import run, run_bytes, tool

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

pytestmark = pytest.mark.reference


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Composition:
    """What was composed, the package unpacked by dpkg, and both outputs unpacked."""

    out: Path
    package: Path
    initramfs: Path
    disk: Path
    release: str

    def file(self, name: str) -> Path:
        return self.out / name.format(self.release)


@pytest.fixture(scope="module", params=KERNELS, ids=lambda kernel: f"{kernel[0]}-{kernel[2]}")
def composition(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Composition:
    suite, architecture, name = request.param
    base = tmp_path_factory.mktemp("composition")
    out = base / "out"
    programs = [
        word
        for program in ("busybox", "e2fsck")
        for word in (
            f"--{program}",
            str(package(suite, architecture, f"{program}-static")),
        )
    ]
    kernel = package(suite, architecture, name)
    assert main(["build", str(kernel), "-q", "-o", str(out), *programs]) == 0
    [image] = out.glob("vmlinuz-*")
    release = image.name.removeprefix("vmlinuz-")
    segment = run_decoder(out / f"initramfs-{release}")
    (base / "initramfs").mkdir()
    run(
        *(tool("cpio"), "-idm", "--quiet", "--no-absolute-filenames"),
        stdin=segment,
        cwd=base / "initramfs",
    )
    raw = base / "disk.squashfs"
    run(tool("qemu-img"), "convert", "-O", "raw", out / f"modules-{release}.qcow2", raw)
    run(tool("unsquashfs"), "-q", "-n", "-d", base / "disk", raw)
    return Composition(
        out=out,
        package=unpacked(suite, architecture, name),
        initramfs=base / "initramfs",
        disk=base / "disk",
        release=release,
    )


def run_decoder(path: Path) -> bytes:
    return run_bytes(tool("zstd"), "-dcq", path)


def modules(base: Path) -> dict[str, str]:
    """Plain path below the directory to the digest of the plain module."""
    found = {}
    for path in base.rglob("*.ko*"):
        data = path.read_bytes()
        if path.suffix == ".xz":
            data = lzma.decompress(data)
        inner = str(path.relative_to(base)).removesuffix(".xz")
        found[inner] = hashlib.sha256(data).hexdigest()
    return found


def module_directory(base: Path, release: str) -> Path:
    candidates = [base / "lib/modules" / release, base / "usr/lib/modules" / release]
    return next(path for path in candidates if path.is_dir())


def test_both_disks_together_hold_every_module_once(composition: Composition) -> None:
    packaged = modules(module_directory(composition.package, composition.release))
    ramdisk = modules(composition.initramfs / "lib/modules" / composition.release)
    disk = modules(composition.disk / composition.release)
    assert not ramdisk.keys() & disk.keys()
    assert {**ramdisk, **disk} == packaged
    assert ramdisk


def test_kernel_and_configuration_are_the_package_s(composition: Composition) -> None:
    for name in ("vmlinuz-{}", "config-{}"):
        ours = composition.file(name)
        assert ours.read_bytes() == (composition.package / "boot" / ours.name).read_bytes()


def test_checksums(composition: Composition) -> None:
    lines = run("/usr/bin/sha256sum", "-c", "SHA256SUMS", cwd=composition.out).splitlines()
    names = {path.name for path in composition.out.iterdir()} - {"SHA256SUMS"}
    assert sorted(lines) == sorted(f"{name}: OK" for name in names)


def test_indexes_on_the_disk_are_depmod_s(composition: Composition, tmp_path: Path) -> None:
    """All modules beside each other, as the booted system shows them, through kmod's depmod."""
    ours = composition.disk / composition.release
    tree = tmp_path / "lib/modules" / composition.release
    source = module_directory(composition.package, composition.release)
    for path in source.rglob("*.ko*"):
        plain = tree / str(path.relative_to(source)).removesuffix(".xz")
        plain.parent.mkdir(parents=True, exist_ok=True)
        data = path.read_bytes()
        plain.write_bytes(lzma.decompress(data) if path.suffix == ".xz" else data)
    for name in ("modules.order", "modules.builtin", "modules.builtin.modinfo"):
        assert (ours / name).read_bytes() == (source / name).read_bytes()
        (tree / name).write_bytes((source / name).read_bytes())
    run(tool("depmod"), "-b", tmp_path, composition.release)
    for name in (
        *("modules.dep", "modules.alias", "modules.symbols"),
        *("modules.softdep", "modules.devname"),
    ):
        assert (ours / name).read_bytes() == (tree / name).read_bytes(), name
    for name in ("modules.dep.bin", "modules.alias.bin", "modules.symbols.bin"):
        theirs = read_index((tree / name).read_bytes())
        assert sorted(read_index((ours / name).read_bytes()).items()) == sorted(theirs.items()), (
            name
        )


def test_cpio_and_lsinitramfs_list_the_same(composition: Composition) -> None:
    path = composition.file("initramfs-{}")
    listed = run(tool("cpio"), "-it", "--quiet", stdin=run_decoder(path)).splitlines()
    there = {
        str(found.relative_to(composition.initramfs)) for found in composition.initramfs.rglob("*")
    }
    assert set(listed) == there
    assert len(listed) == len(set(listed))
    assert set(run(lsinitramfs(), path).splitlines()) - {"."} == there


def test_owners_modes_and_times(composition: Composition) -> None:
    lines = run(
        *(tool("cpio"), "-itv", "--numeric-uid-gid", "--quiet"),
        stdin=run_decoder(composition.file("initramfs-{}")),
    ).splitlines()
    rows = {
        line.split()[-1] if "->" not in line else line.split(" -> ")[0].split()[-1]: line
        for line in lines
    }
    assert {tuple(line.split()[2:4]) for line in lines} == {("0", "0")}
    assert rows["init"].startswith("-rwxr-xr-x")
    assert rows["tmp"].startswith("drwxrwxrwt")
    assert rows["sbin/modprobe"].startswith("lrwxrwxrwx")
    assert rows["dev/console"].startswith("crw-------")


def test_qcow2(composition: Composition, tmp_path: Path) -> None:
    disk = composition.file("modules-{}.qcow2")
    check = json.loads(run(tool("qemu-img"), "check", "--output=json", disk))
    assert check.get("check-errors", 0) == check.get("corruptions", 0) == check.get("leaks", 0) == 0
    raw = tmp_path / "raw"
    run(tool("qemu-img"), "convert", "-O", "raw", disk, raw)
    run(tool("qemu-img"), "compare", disk, raw)


def test_the_listing_of_the_disk(composition: Composition, tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    run(tool("qemu-img"), "convert", "-O", "raw", composition.file("modules-{}.qcow2"), raw)
    lines = [
        line
        for line in run(tool("unsquashfs"), "-lln", raw, env={"TZ": "UTC"}).splitlines()
        if "squashfs-root" in line
    ]
    paths = {line[line.index("squashfs-root") :] for line in lines}
    there = {str(path.relative_to(composition.disk)) for path in composition.disk.rglob("*")}
    assert paths == {"squashfs-root", *(f"squashfs-root/{path}" for path in there)}
    assert {line.split()[1] for line in lines} == {"0/0"}
    assert {line.split()[0] for line in lines} == {"drwxr-xr-x", "-rw-r--r--"}


def test_modinfo_reads_what_is_in_the_initramfs(composition: Composition) -> None:
    base = composition.initramfs / "lib/modules" / composition.release
    found = sorted(base.rglob("*.ko"))
    vermagics = run(tool("modinfo"), "-F", "vermagic", *found).splitlines()
    assert len(vermagics) == len(found)
    assert {line.split()[0] for line in vermagics} == {composition.release}


def test_the_manifest_names_what_is_there(composition: Composition) -> None:
    data = json.loads(composition.file("manifest-{}.json").read_bytes())
    ramdisk = modules(composition.initramfs / "lib/modules" / composition.release)
    assert {item["path"] for item in data["initramfs"]["modules"]} == ramdisk.keys()
    assert data["disk"]["modules"] == len(modules(composition.disk / composition.release))
    outputs: Mapping[str, str] = {item["name"]: item["sha256"] for item in data["outputs"]}
    for name, digest in outputs.items():
        assert hashlib.sha256((composition.out / name).read_bytes()).hexdigest() == digest


def test_other_threads_give_the_same_bytes(tmp_path: Path) -> None:
    suite, architecture, name = KERNELS[0]
    listings = []
    for threads in ("1", "5"):
        out = tmp_path / threads
        options = ["-q", "-o", str(out), "--threads", threads]
        for program in ("busybox", "e2fsck"):
            found = package(suite, architecture, f"{program}-static")
            options += [f"--{program}", str(found)]
        assert main(["build", str(package(suite, architecture, name)), *options]) == 0
        listings.append({path.name: digest(path) for path in out.iterdir()})
    assert listings[0] == listings[1]


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
