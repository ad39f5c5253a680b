"""rdcompose.formats.uki against systemd's ukify, with real stubs and kernels."""

from __future__ import annotations

import struct
import sys
from typing import TYPE_CHECKING, Final

import pytest

from rdcompose.cli.main import main
from rdcompose.formats.pe import content_of, read_pe
from rdcompose.formats.uki import UkiParts, make_uki, read_stub
from tests.support.efi import make_efi_kernel
from tests.support.kernels import package, unpacked
from tests.support.tools import run, run_bytes, tool

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.reference

CMDLINE: Final = "console=ttyS0 root=/dev/vda rw"
KERNELS: Final = (
    ("bookworm", "amd64", "linux-image-cloud-amd64"),
    ("trixie", "amd64", "linux-image-cloud-amd64"),
)
# systemd 252 and 257; the one of 252 for armhf has no room for sections.
STUBS: Final = (
    ("bookworm", "amd64"),
    ("bookworm", "arm64"),
    ("bookworm", "i386"),
    ("trixie", "amd64"),
    ("trixie", "arm64"),
    ("trixie", "armhf"),
    ("trixie", "i386"),
    ("trixie", "riscv64"),
)


def stub_of(suite: str, architecture: str) -> Path:
    folder = unpacked(suite, architecture, "systemd-boot-efi") / "usr/lib/systemd/boot/efi"
    [path] = folder.glob("linux*.efi.stub")
    return path


class Image:
    """What was composed, and the inputs of its EFI image."""

    def __init__(self, kernel: tuple[str, str, str], out: Path) -> None:
        suite, architecture, name = kernel
        programs = [
            word
            for program in ("busybox", "e2fsck")
            for word in (f"--{program}", str(package(suite, architecture, f"{program}-static")))
        ]
        stub = package(suite, architecture, "systemd-boot-efi")
        options = [
            "--profile",
            "virtio",
            "--disk",
            "none",
            "--uki",
            "--uki-stub",
            str(stub),
            "--cmdline",
            CMDLINE,
        ]
        deb = package(suite, architecture, name)
        assert main(["build", str(deb), "-q", "-o", str(out), *programs, *options]) == 0
        [self.path] = out.glob("*.efi")
        self.release = self.path.name.removesuffix(".efi")
        self.linux = out / f"vmlinuz-{self.release}"
        self.initramfs = out / f"initramfs-{self.release}"
        self.stub = stub_of(suite, architecture)
        self.data = self.path.read_bytes()

    def content(self, name: str) -> bytes:
        section = read_pe(self.data).section(name)
        assert section is not None
        return content_of(self.data, section)


def identify(kernel: tuple[str, str, str]) -> str:
    return f"{kernel[0]}-{kernel[1]}"


@pytest.fixture(scope="module", params=KERNELS, ids=identify)
def image(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Image:
    return Image(request.param, tmp_path_factory.mktemp("uki"))


def ukify() -> tuple[str, Path]:
    """Return the command of systemd 257, whatever the machine's own is."""
    return sys.executable, unpacked("trixie", "all", "systemd-ukify") / "usr/bin/ukify"


def test_the_same_bytes_as_ukify_but_for_the_checksum(image: Image, tmp_path: Path) -> None:
    (tmp_path / "os-release").write_bytes(image.content(".osrel"))
    theirs = tmp_path / "theirs.efi"
    run(
        *(*ukify(), "build", "--stub", image.stub, "--linux", image.linux),
        *("--initrd", image.initramfs, "--uname", image.release, "--cmdline", CMDLINE),
        *("--os-release", f"@{tmp_path / 'os-release'}", "--output", theirs),
    )
    place = read_pe(image.data).header + 64
    assert image.data[place : place + 4] != bytes(4)
    same = image.data[:place] + bytes(4) + image.data[place + 4 :] == theirs.read_bytes()
    assert same, "the images differ"


@pytest.mark.parametrize(("suite", "architecture"), STUBS)
def test_the_same_bytes_with_every_stub(suite: str, architecture: str, tmp_path: Path) -> None:
    path = stub_of(suite, architecture)
    stub = path.read_bytes()
    linux, initramfs = make_efi_kernel(machine=read_stub(stub).machine), b"initramfs" * 999
    (tmp_path / "linux").write_bytes(linux)
    (tmp_path / "initramfs").write_bytes(initramfs)
    theirs = tmp_path / "theirs.efi"
    run(
        *(*ukify(), "build", "--stub", path, "--linux", tmp_path / "linux", "--uname", "6.1-x"),
        *("--initrd", tmp_path / "initramfs", "--cmdline", CMDLINE, "--os-release", "ID=x"),
        *("--output", theirs),
    )
    parts = UkiParts(
        stub=stub, os_release=b"ID=x", cmdline=CMDLINE.encode(), release="6.1-x", linux=linux
    )
    mine = bytearray(make_uki(parts, initramfs))
    place = read_pe(bytes(mine)).header + 64
    mine[place : place + 4] = bytes(4)
    assert mine == theirs.read_bytes()


def test_ukify_reads_it(image: Image) -> None:
    shown = run(*ukify(), "inspect", image.path)
    assert f".uname:\n  size: {len(image.release)} bytes" in shown
    assert f"text:\n    {image.release}\n" in shown
    assert f"    {CMDLINE}\n" in shown


def test_the_checksum(image: Image) -> None:
    import pefile

    assert pefile.PE(str(image.path), fast_load=True).verify_checksum()


def test_objcopy_takes_the_sections_out(image: Image, tmp_path: Path) -> None:
    for name, path in ((".linux", image.linux), (".initrd", image.initramfs)):
        target = tmp_path / name
        run(tool("objcopy"), "-O", "binary", f"--only-section={name}", image.path, target)
        assert target.read_bytes() == path.read_bytes()


def test_headers_as_objdump_reads_them(image: Image) -> None:
    shown = run_bytes(tool("objdump"), "-h", image.path).decode()
    rows = [line.split() for line in shown.splitlines() if line.lstrip()[:1].isdigit()]
    base = struct.unpack_from("<Q", image.data, read_pe(image.data).header + 24)[0]
    assert [(row[1], int(row[2], 16), int(row[3], 16) - base, int(row[5], 16)) for row in rows] == [
        (section.name, section.size, section.address, section.offset)
        for section in read_pe(image.data).sections
    ]
