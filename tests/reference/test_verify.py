"""``rdcompose verify`` on real kernels: as composed, mixed, and as other tools pack them."""

from __future__ import annotations

import dataclasses
import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from rdcompose.cli.main import main
from tests.support.kernels import package, unpacked
from tests.support.tools import run, run_bytes, tool

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.reference


@dataclasses.dataclass(frozen=True, slots=True)
class Composition:
    """What was composed of the small kernel of a suite."""

    out: Path
    release: str
    suite: str

    def file(self, name: str) -> Path:
        return self.out / name.format(self.release)


def compose(suite: str, out: Path) -> Composition:
    programs = [
        word
        for name in ("busybox", "e2fsck")
        for word in (f"--{name}", str(package(suite, "amd64", f"{name}-static")))
    ]
    deb = package(suite, "amd64", "linux-image-cloud-amd64")
    assert main(["build", str(deb), "-q", "-o", str(out), *programs]) == 0
    [image] = out.glob("vmlinuz-*")
    return Composition(out, image.name.removeprefix("vmlinuz-"), suite)


@pytest.fixture(scope="module")
def bookworm(tmp_path_factory: pytest.TempPathFactory) -> Composition:
    return compose("bookworm", tmp_path_factory.mktemp("bookworm"))


@pytest.fixture(scope="module")
def trixie(tmp_path_factory: pytest.TempPathFactory) -> Composition:
    return compose("trixie", tmp_path_factory.mktemp("trixie"))


def report(capsys: pytest.CaptureFixture[str], *paths: Path, ok: bool) -> dict[str, Any]:
    """Verify files; returns results and messages of the only set, by check."""
    assert main(["verify", "--json", *map(str, paths)]) == (0 if ok else 1)
    printed = capsys.readouterr()
    assert "Traceback" not in printed.err
    data = json.loads(printed.out)
    assert data["ok"] is ok
    [one] = data["sets"]
    return {check["name"]: check for check in one["checks"]}


def failed(checks: dict[str, Any]) -> set[str]:
    return {name for name, check in checks.items() if check["result"] == "failed"}


@pytest.mark.parametrize("name", ["bookworm", "trixie"])
def test_compositions_are_sound(
    request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    composition = request.getfixturevalue(name)
    checks = report(capsys, composition.out, ok=True)
    made = {name for name, check in checks.items() if check["result"] == "passed"}
    assert made == checks.keys() - {"device trees"}
    assert [check["findings"] for check in checks.values()] == [[]] * len(checks)
    # The kernel's own symbols are known, and agree.
    assert "of the kernel and of modules" in checks["symbols"]["summary"]


def test_modules_of_another_kernel_under_its_name(
    bookworm: Composition, trixie: Composition, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("vmlinuz-{}", "initramfs-{}"):
        shutil.copy(bookworm.file(name), tmp_path)
    foreign = tmp_path / f"modules-{bookworm.release}.qcow2"
    shutil.copy(trixie.file("modules-{}.qcow2"), foreign)
    checks = report(capsys, tmp_path, ok=False)
    assert failed(checks) == {"release"}
    [finding] = checks["release"]["findings"]
    assert finding["message"] == (
        f"the kernel in vmlinuz-{bookworm.release} is of {bookworm.release}, but "
        f"{foreign.name} has modules of {trixie.release}"
    )


def test_modules_of_another_build(
    bookworm: Composition, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Modules of the other flavour, in a directory of this release: only their insides tell."""
    other = unpacked("bookworm", "amd64", "linux-image-amd64")
    [directory] = (other / "lib/modules").iterdir()
    for name in ("drivers/net/dummy.ko", "drivers/block/loop.ko"):
        path = tmp_path / "tree" / bookworm.release / "kernel" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(directory / "kernel" / name, path)
    image = tmp_path / "disk.squashfs"
    run(tool("mksquashfs"), tmp_path / "tree", image, "-quiet", "-no-progress")
    checks = report(capsys, bookworm.file("vmlinuz-{}"), image, ok=False)
    assert failed(checks) == {"vermagic", "symbols"}
    messages = [finding["message"] for finding in checks["symbols"]["findings"]]
    assert len(messages) == 2
    assert all("is of another build: it wants" in message for message in messages)
    assert all("where the kernel has" in message for message in messages)


@pytest.mark.parametrize(
    ("packer", "options"),
    [("gzip", ("-9",)), ("xz", ("--check=crc32",)), ("zstd", ("-q",)), ("lz4", ("-l", "-q"))],
    ids=["gzip", "xz", "zstd", "lz4"],
)
def test_packed_by_other_tools(
    trixie: Composition,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    packer: str,
    options: tuple[str, ...],
) -> None:
    """Microcode in front and the modules' directory in /usr, as initramfs-tools has it."""
    plain = run_bytes(tool("zstd"), "-dcq", trixie.file("initramfs-{}"))
    tree = tmp_path / "tree"
    tree.mkdir()
    run(tool("cpio"), "-idm", "--quiet", "--no-absolute-filenames", stdin=plain, cwd=tree)
    (tree / "usr/lib").mkdir(parents=True, exist_ok=True)
    for path in (tree / "lib").iterdir():
        path.rename(tree / "usr/lib" / path.name)
    (tree / "lib").rmdir()
    (tree / "lib").symlink_to("usr/lib")
    main_segment = archive(tree)
    early = tmp_path / "early"
    (early / "kernel/x86/microcode").mkdir(parents=True)
    (early / "kernel/x86/microcode/AuthenticAMD.bin").write_bytes(b"microcode")
    image = tmp_path / f"initrd.img-{trixie.release}"
    image.write_bytes(archive(early) + run_bytes(tool(packer), "-c", *options, stdin=main_segment))
    disk = tmp_path / "modules.squashfs"
    raw = tmp_path / "raw"
    run(tool("qemu-img"), "convert", "-O", "raw", trixie.file("modules-{}.qcow2"), raw)
    run(tool("qemu-img"), "convert", "-c", "-O", "qcow2", raw, disk)
    checks = report(capsys, trixie.file("vmlinuz-{}"), image, disk, ok=True)
    assert [check["findings"] for check in checks.values()] == [[]] * len(checks)


def archive(tree: Path) -> bytes:
    names = run(*("find", ".", "-print0"), cwd=tree).encode("utf-8", "surrogateescape")
    return run_bytes(tool("cpio"), "-o", "-0", "-H", "newc", "--quiet", stdin=names, cwd=tree)


def test_damage_is_found(
    bookworm: Composition, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(bookworm.out, tmp_path / "out")
    path = tmp_path / "out" / f"modules-{bookworm.release}.qcow2"
    data = bytearray(path.read_bytes())
    data[1 << 20] ^= 1
    path.write_bytes(data)
    checks = report(capsys, tmp_path / "out", ok=False)
    assert failed(checks) >= {"manifest", "checksums"}
    (tmp_path / "out" / f"initramfs-{bookworm.release}").unlink()
    checks = report(capsys, tmp_path / "out", ok=False)
    assert "initramfs" in checks["manifest"]["findings"][0]["message"]
