"""CRCs of real modules against kmod's modprobe."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from rdcompose.formats.compression import decompress
from rdcompose.formats.modversions import read_versions
from tests.support.kernels import unpacked
from tests.support.tools import run, tool

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.reference

# Both byte orders and word sizes.
KERNELS: Final = (
    ("bookworm", "amd64", "linux-image-cloud-amd64"),
    ("trixie", "arm64", "linux-image-arm64"),
    ("bookworm", "armhf", "linux-image-armmp"),
    ("bookworm", "s390x", "linux-image-s390x"),
)


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: f"{kernel[0]}-{kernel[1]}")
def test_crcs(kernel: tuple[str, str, str], tmp_path: Path) -> None:
    package = unpacked(*kernel)
    every = sorted([*package.rglob("*.ko"), *package.rglob("*.ko.xz")])
    exporting = 0
    for path in every[:: max(len(every) // 40, 1)]:
        data = path.read_bytes()
        if path.suffix == ".xz":
            data = decompress(data, limit=1 << 28)
        plain = tmp_path / "module.ko"
        plain.write_bytes(data)
        versions = read_versions(data)
        assert versions.imports == listing("--show-modversions", plain), path
        # Where there are none, modprobe fails.
        status = 0 if versions.exports else 1
        assert versions.exports == listing("--show-exports", plain, status=status), path
        assert "module_layout" in versions.imports
        exporting += bool(versions.exports)
    assert exporting


def listing(option: str, path: Path, *, status: int = 0) -> dict[str, int]:
    listed = run(tool("modprobe"), option, path, status=status)
    rows = [line.split("\t") for line in listed.splitlines()]
    return {name: int(crc, 16) for crc, name in rows}
