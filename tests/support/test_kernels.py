"""A cached package is found by the name that a test asks for, and only by that."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.support import kernels, tools

if TYPE_CHECKING:
    from pathlib import Path

BOOKWORM = "linux-image-6.1.0-44-cloud-amd64_6.1.164-1_amd64.deb"
NEWER = "linux-image-6.1.0-56-cloud-amd64_6.1.192-2_amd64.deb"
TRIXIE = "linux-image-6.12.57+deb13-amd64_6.12.57-1_amd64.deb"
OTHERS = (
    "linux-image-6.1.0-44-rt-amd64_6.1.164-1_amd64.deb",
    "linux-image-6.1.0-44-cloud-amd64-dbg_6.1.164-1_amd64.deb",
    "linux-image-6.1.0-44-cloud-amd64-unsigned_6.1.164-1_amd64.deb",
    "linux-image-cloud-amd64_6.1.164-1_amd64.deb",
    "linux-image-686_6.1.164-1_amd64.deb",
    "busybox_1%3a1.35.0-4+b3_amd64.deb",
    "busybox-static_1%3a1.35.0-4+b3_amd64.deb.partial",
)


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache of one suite and architecture, with names that are easily confused."""
    monkeypatch.setenv("RDCOMPOSE_TEST_CACHE", str(tmp_path))
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.delenv("RDCOMPOSE_REQUIRE_TOOLS", raising=False)
    directory = tmp_path / "bookworm-amd64"
    directory.mkdir()
    for name in OTHERS:
        (directory / name).touch()
    return directory


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("linux-image-cloud-amd64", BOOKWORM),
        ("linux-image-6.1.0-44-cloud-amd64", BOOKWORM),
        ("linux-image-amd64", TRIXIE),
        ("linux-image-686", "linux-image-6.1.0-44-686_6.1.164-1_amd64.deb"),
        ("busybox-static", "busybox-static_1%3a1.35.0-4+b3_amd64.deb"),
        ("initramfs-tools-core", "initramfs-tools-core_0.142_all.deb"),
    ],
)
def test_cached_package_is_found(directory: Path, name: str, file: str) -> None:
    with pytest.raises(pytest.skip.Exception):
        kernels.package("bookworm", "amd64", name)
    (directory / file).touch()
    assert kernels.package("bookworm", "amd64", name) == directory / file


def test_the_newest_download_wins(directory: Path) -> None:
    for time, name in enumerate([NEWER, BOOKWORM]):
        (directory / name).touch()
        os.utime(directory / name, (time, time))
    found = kernels.package("bookworm", "amd64", "linux-image-cloud-amd64")
    assert found == directory / BOOKWORM


@pytest.mark.reference
def test_lsinitramfs_runs() -> None:
    assert "Usage: lsinitramfs" in tools.run(kernels.lsinitramfs(), "--help")
