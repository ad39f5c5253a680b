from __future__ import annotations

import pytest

from rdcompose.errors import ReleaseError, SpecError
from rdcompose.formats.deb import Control
from rdcompose.formats.image import ImageKind, KernelImage
from rdcompose.kernel.config import KernelConfig
from rdcompose.kernel.machine import find_architecture
from rdcompose.kernel.release import ARCHITECTURES

ARM = KernelImage(kind=ImageKind.ARM_ZIMAGE, machine=40, bits=32)
ARM64 = KernelImage(kind=ImageKind.ARM64_IMAGE, machine=183, bits=64)
AMD64 = KernelImage(kind=ImageKind.X86_BZIMAGE, machine=62, bits=64)
MIPS64 = KernelImage(kind=ImageKind.ELF, machine=8, bits=64)


def find(
    image: KernelImage, options: str, *packages: str, asked: str | None = None, word: str = ""
) -> str:
    head = f"# Linux/{word} 6.1.0 Kernel Configuration\n" if word else ""
    config = KernelConfig.parse(
        (head + "".join(f"CONFIG_{option}=y\n" for option in options.split())).encode()
    )
    controls = [
        Control.parse(f"Package: p{number}\nVersion: 1\nArchitecture: {name}\n".encode())
        for number, name in enumerate(packages)
    ]
    architecture = None if asked is None else ARCHITECTURES[asked]
    return find_architecture("boot/k", image, config, controls, architecture).name


@pytest.mark.parametrize(
    ("image", "options", "packages", "expected"),
    [
        (AMD64, "64BIT", [], "amd64"),
        (AMD64, "64BIT", ["amd64", "all", "amd64"], "amd64"),
        (ARM64, "64BIT", [], "arm64"),
        # Below a 32-bit Raspberry Pi OS.
        (ARM64, "64BIT", ["armhf"], "arm64"),
        (ARM, "ARM CPU_V7", [], "armhf"),
        (ARM, "ARM CPU_V7 CPU_V6", [], "armhf"),
        (ARM, "ARM CPU_V6K", [], "armel"),
        (ARM, "ARM", [], "armel"),
        (ARM, "ARM CPU_V7", ["armel"], "armel"),
        (ARM, "ARM", ["armhf"], "armhf"),
        # Which Debian's armhf does not run on.
        (ARM, "ARM CPU_V6K", ["armhf"], "armel"),
        (ARM, "ARM CPU_V6", ["armhf"], "armel"),
        (MIPS64, "64BIT", [], "mips64el"),
        (MIPS64, "64BIT", ["mipsel"], "mipsel"),
    ],
)
def test_architectures(
    image: KernelImage, options: str, packages: list[str], expected: str
) -> None:
    assert find(image, options, *packages) == expected


def test_asked_for() -> None:
    assert find(ARM, "ARM CPU_V6K", "armhf", asked="armhf") == "armhf"
    assert find(ARM, "ARM CPU_V7", asked="armel") == "armel"
    # Not possible: whoever asked sees to that.
    assert find(ARM, "ARM CPU_V7", asked="arm64") == "armhf"


def test_contradictions() -> None:
    with pytest.raises(ReleaseError, match=r"the package p0 is for amd64 .* is a arm64 Image for"):
        find(ARM64, "64BIT", "amd64")
    with pytest.raises(ReleaseError, match="p0 is for amd64, but p1 is for i386"):
        find(AMD64, "64BIT", "amd64", "i386")
    with pytest.raises(ReleaseError, match="its configuration is of another architecture"):
        find(AMD64, "ARM CPU_V7", word="arm")
    with pytest.raises(SpecError, match="'pdp11' is no architecture"):
        find(AMD64, "64BIT", "pdp11")
    with pytest.raises(ReleaseError, match="the kernel boot/k is a ELF vmlinux for another mach"):
        find(KernelImage(kind=ImageKind.ELF, machine=9999, bits=64), "64BIT")
