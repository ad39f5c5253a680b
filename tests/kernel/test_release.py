"""rdcompose.kernel.release"""

from __future__ import annotations

import pytest

from rdcompose.errors import SpecError
from rdcompose.formats.image import ImageKind, KernelImage, read_image
from rdcompose.kernel import release
from rdcompose.kernel.release import ARCHITECTURES
from tests.support import images

# Release, flavour, architecture: real ones.
RELEASES = [
    ("6.1.0-44-cloud-amd64", "cloud-amd64", "amd64"),
    ("6.1.0-44-amd64", "amd64", "amd64"),
    ("6.12.57+deb13-amd64", "amd64", "amd64"),
    ("6.12.57+deb13-rt-amd64", "rt-amd64", "amd64"),
    ("6.1.0-0.deb11.13-cloud-amd64", "cloud-amd64", "amd64"),
    ("6.17.8+deb14-cloud-arm64", "cloud-arm64", "arm64"),
    ("6.12.57+deb13-arm64-16k", "arm64-16k", "arm64"),
    ("6.1.0-44-armmp-lpae", "armmp-lpae", "armhf"),
    ("6.1.0-44-rt-armmp", "rt-armmp", "armhf"),
    ("6.1.0-44-rpi", "rpi", "armel"),
    ("6.1.0-44-marvell", "marvell", "armel"),
    ("6.1.0-44-686", "686", "i386"),
    ("6.1.0-44-686-pae", "686-pae", "i386"),
    ("6.1.0-44-rt-686-pae", "rt-686-pae", "i386"),
    ("6.12.57+deb13-powerpc64le", "powerpc64le", "ppc64el"),
    ("6.12.57+deb13-powerpc64le-64k", "powerpc64le-64k", "ppc64el"),
    ("6.12.57+deb13-riscv64", "riscv64", "riscv64"),
    ("6.12.57+deb13-s390x", "s390x", "s390x"),
    ("6.17.8+deb14-loong64", "loong64", "loong64"),
    ("6.12.47+rpt-rpi-v8", "rpi-v8", "arm64"),
    ("6.12.47+rpt-rpi-2712", "rpi-2712", "arm64"),
    ("6.12.47+rpt-rpi-v7l", "rpi-v7l", "armhf"),
    ("6.1.21-v7+", "v7+", "armhf"),
    ("6.1.21-v7l+", "v7l+", "armhf"),
    ("6.1.21-v8+", "v8+", "arm64"),
    ("6.1.21-v8-16k+", "v8-16k+", "arm64"),
    ("6.1.21+", None, None),
    ("6.12.9+bpo-amd64", "amd64", "amd64"),
    ("6.12.0-rc3-next-20241004-dirty", "next-20241004-dirty", None),
    ("6.13-rc3-amd64", "amd64", "amd64"),
    # What follows is a flavour all the same, but names no architecture.
    ("6.8.0-45-generic", "generic", None),
    ("6.13.0-rc3-mine", "mine", None),
    ("6.1.0-44-octeon", "octeon", None),
    ("6.12.9", None, None),
    ("6.12.9-arch1-1", "arch1-1", None),
    ("amd64", None, None),
]


@pytest.mark.parametrize(("text", "flavour", "architecture"), RELEASES)
def test_flavours(text: str, flavour: str | None, architecture: str | None) -> None:
    assert release.is_release(text)
    assert release.flavour_of_release(text) == flavour
    found = release.architecture_of_release(text)
    assert (found and found.name) == architecture


def test_every_flavour_names_a_known_architecture() -> None:
    for flavour, name in release.FLAVOURS.items():
        assert release.flavour_of_release(f"6.12.57+deb13-{flavour}") == flavour
        assert release.flavour_architecture(flavour) is ARCHITECTURES[name]
    assert release.flavour_architecture("generic") is None


@pytest.mark.parametrize("text", ["6.1.0-44-amd64", "6.12.57+deb13-amd64", "a", "6" * 64])
def test_check_release(text: str) -> None:
    assert release.check_release(text) == text


@pytest.mark.parametrize(
    "text",
    [
        *("", ".", "..", "-6.1", "+6.1", "../6.1", "6.1/..", "6.1 0", "6.1\n", "6.1\0", "\t"),
        *("6" * 65, "6.1\\x", "6.1;x", "6.1'x", '6.1"x', "$(x)", "6.1*", "6.1é", "6.1\u2028"),
    ],
)
def test_no_release(text: str) -> None:
    assert not release.is_release(text)
    with pytest.raises(SpecError, match="no kernel release") as caught:
        release.check_release(text)
    assert len(caught.value.message) < 200
    assert "uname -r" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("machine", "bits", "byteorder", "names"),
    [
        (62, 64, "little", ["amd64"]),
        # x32 programs run on an amd64 kernel, but Debian has no such architecture here.
        (62, 32, "little", []),
        (3, 32, "little", ["i386"]),
        (183, 64, "little", ["arm64"]),
        (183, 64, "big", []),
        (40, 32, "little", ["armhf", "armel"]),
        (243, 64, "little", ["riscv64"]),
        (243, None, "little", ["riscv64"]),
        (21, 64, "little", ["ppc64el"]),
        (21, 64, "big", ["ppc64"]),
        (22, 64, "big", ["s390x"]),
        (258, 64, "little", ["loong64"]),
        (8, 32, "big", ["mips"]),
        (9999, 64, "little", []),
    ],
)
def test_architectures_of_elf(
    machine: int, bits: int | None, byteorder: str, names: list[str]
) -> None:
    found = release.architectures_of_elf(machine, bits, byteorder)
    assert [row.name for row in found] == names
    if bits is not None:
        first = release.architecture_of_elf(machine, bits, byteorder)
        assert (first and first.name) == (names[0] if names else None)


@pytest.mark.parametrize(
    ("data", "names"),
    [
        (images.make_bzimage(), ["amd64"]),
        (images.make_bzimage(xloadflags=0), ["i386"]),
        (images.make_bzimage(protocol=0x20B), ["amd64", "i386"]),
        (images.make_arm64(), ["arm64"]),
        (images.make_zimage(images.gzipped(images.banner())), ["armhf", "armel"]),
        (images.make_riscv(machine=None), ["riscv64"]),
        (images.make_loongarch(), ["loong64"]),
        (images.make_zboot(images.gzipped(images.banner()), machine=0x6264), ["loong64"]),
        (images.make_s390(), ["s390x"]),
        (images.make_vmlinux(machine=21), ["ppc64el"]),
        (images.make_vmlinux(machine=8, bits=32), ["mipsel"]),
        # Kernels of 64 bits are in the packages of both.
        (images.make_vmlinux(machine=8), ["mips64el", "mipsel"]),
    ],
)
def test_architectures_of_image(data: bytes, names: list[str]) -> None:
    found = release.architectures_of_image(read_image(data))
    assert [row.name for row in found] == names


def test_an_image_of_the_wrong_kind_fits_no_architecture() -> None:
    image = KernelImage(kind=ImageKind.X86_BZIMAGE, machine=183, bits=64)
    assert release.architectures_of_image(image) == ()


def test_architecture_by_name() -> None:
    arm64 = release.architecture_by_name("arm64")
    assert (arm64.elf_machine, arm64.bits, arm64.byteorder) == (183, 64, "little")
    assert (arm64.alpine, arm64.config_words, arm64.vermagic_word) == (
        ("aarch64",),
        ("arm64",),
        "aarch64",
    )
    assert arm64.description == "arm64 (64-bit AArch64)"
    with pytest.raises(SpecError, match="'x86_64' is no architecture") as caught:
        release.architecture_by_name("x86_64")
    assert caught.value.hint is not None
    assert caught.value.hint.startswith("known are amd64, arm64, armhf")


def test_machine_names() -> None:
    assert release.machine_name(62, 64, "little") == "64-bit x86-64"
    assert release.machine_name(21, 64, "little") == "64-bit PowerPC little-endian"
    assert release.machine_name(4711, 32, "big") == "32-bit machine 4711"


@pytest.mark.parametrize(
    ("end", "version"),
    [
        ("#1 SMP PREEMPT_DYNAMIC Debian 6.1.192-2 (2026-11-16)", "6.1.192-2"),
        ("#1 Debian 6.1.176-1 (2026-07-02)", "6.1.176-1"),
        ("#1 SMP PREEMPT_RT Debian 6.12.57-1~bpo12+1 (2025-11-17)", "6.12.57-1~bpo12+1"),
        ("#45-Ubuntu SMP PREEMPT_DYNAMIC Fri Aug 30 12:02:04 UTC 2024", None),
        ("#1 SMP PREEMPT Debian 1:6.12.47-1+rpt1 (2025-09-16)", "1:6.12.47-1+rpt1"),
    ],
)
def test_package_version_of_banner(end: str, version: str | None) -> None:
    # The compiler is Debian's, too: its version is not the one that is wanted.
    line = f"Linux version 6.1.0 (a@b) (gcc-12 (Debian 12.2.0-14) 12.2.0) {end}"
    assert release.package_version_of_banner(line) == version
