"""Kernel images of real packages, against the packages' own words and file(1)."""

from __future__ import annotations

import gzip
import re
from typing import TYPE_CHECKING

import pytest

from rdcompose.formats.image import ImageKind, KernelImage, read_image
from rdcompose.kernel.config import KernelConfig
from rdcompose.kernel.release import (
    architecture_of_release,
    architectures_of_image,
    package_version_of_banner,
)
from tests.support.kernels import package, unpacked
from tests.support.tools import run, tool

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.reference

KERNELS = [
    pytest.param("bookworm", "amd64", "cloud-amd64", ImageKind.X86_BZIMAGE, "lz4", id="6.1 cloud"),
    pytest.param("bookworm", "amd64", "amd64", ImageKind.X86_BZIMAGE, "xz", id="6.1 amd64"),
    pytest.param("trixie", "amd64", "cloud-amd64", ImageKind.X86_BZIMAGE, "zstd", id="6.12 cloud"),
    pytest.param("trixie", "arm64", "arm64", ImageKind.ARM64_IMAGE, None, id="6.12 arm64"),
    pytest.param("bookworm", "armhf", "armmp", ImageKind.ARM_ZIMAGE, "xz", id="6.1 armmp"),
]


def boot_file(suite: str, architecture: str, flavour: str, stem: str) -> Path:
    """The file boot/STEM-… of a kernel package."""
    (path,) = (unpacked(suite, architecture, f"linux-image-{flavour}") / "boot").glob(f"{stem}-*")
    return path


@pytest.mark.parametrize(("suite", "architecture", "flavour", "kind", "payload"), KERNELS)
def test_release_and_architecture(
    suite: str,
    architecture: str,
    flavour: str,
    kind: ImageKind,
    payload: str | None,
) -> None:
    deb = package(suite, architecture, f"linux-image-{flavour}")
    fields = run(tool("dpkg-deb"), "-f", deb, "Package", "Version")
    name, version = re.findall(r": (\S+)", fields)
    path = boot_file(suite, architecture, flavour, "vmlinuz")
    release = path.name.removeprefix("vmlinuz-")

    image = read_image(path.read_bytes())
    assert (image.kind, image.payload, image.compression) == (kind, payload, None)
    assert image.release == release == name.removeprefix("linux-image-")
    assert image.banner is not None
    assert package_version_of_banner(image.banner) == version
    expected = architecture_of_release(release)
    assert expected is not None
    assert expected.name == architecture
    assert expected in architectures_of_image(image)

    config = KernelConfig.parse(boot_file(suite, architecture, flavour, "config").read_bytes())
    assert config.contradiction(release, expected) is None
    assert config.version == version.partition("-")[0]

    assert_file_agrees(run(tool("file"), "-b", path), image)


def assert_file_agrees(said: str, image: KernelImage) -> None:
    match image.kind:
        case ImageKind.X86_BZIMAGE:
            found = re.search(r"version (\S+) \((.*?)\) (#.*?), ", said)
            assert found is not None, said
            line = f"Linux version {found[1]} ({found[2]}) {found[3]}"
            # file(1) shortens what is long.
            assert image.banner is not None
            assert image.banner.startswith(line)
        case ImageKind.ARM64_IMAGE:
            assert "ARM64" in said or "Aarch64" in said
        case _:
            # Newer versions of file(1) put the age of the header in between.
            assert "ARM boot executable zImage" in said
            assert "(little-endian)" in said


def test_gzipped_image() -> None:
    data = boot_file("trixie", "arm64", "arm64", "vmlinuz").read_bytes()
    plain = read_image(data)
    packed = read_image(gzip.compress(data, 1, mtime=0))
    assert packed.compression == "gzip"
    assert (packed.release, packed.banner, packed.kind) == (
        plain.release,
        plain.banner,
        plain.kind,
    )
