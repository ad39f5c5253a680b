"""Kernels that are installed below a root, or were staged there."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.support.archive_packages import kernel_package
from tests.support.roots import unpack

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Shop

RELEASE = "6.12.0-rc3-next-20241004-dirty"
OLD = "6.11.0+"
KERNEL = kernel_package(RELEASE, "6.12.0~rc3-1", "arm64")


@pytest.fixture
def root(shop: Shop) -> Path:
    path = shop.path / "stage"
    unpack(KERNEL, path)
    return path


def outputs(path: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in path.iterdir()}


def test_same_as_from_the_package(shop: Shop, root: Path) -> None:
    (shop.path / "kernel.deb").write_bytes(KERNEL)
    shop.run("build", "kernel.deb", "-o", "first")
    out, _ = shop.run("build", "./stage")
    assert f"arm64 kernel {RELEASE}" in out
    assert "local directory" in out
    first, second = outputs(shop.path / "first"), outputs(shop.out)
    written = {f"vmlinuz-{RELEASE}", f"initramfs-{RELEASE}", f"config-{RELEASE}"}
    for name in (*written, f"modules-{RELEASE}.qcow2"):
        assert first[name] == second[name]
    kernel, *others = shop.manifest(RELEASE)["inputs"]
    assert kernel == {
        "role": "kernel",
        "file": RELEASE,
        "sha256": kernel["sha256"],
        "source": "local directory",
    }
    # Programs are those of the kernel's architecture, which only it itself tells.
    assert {row["architecture"] for row in others if "architecture" in row} == {"arm64"}
    assert root.is_dir()


def test_locked(shop: Shop, root: Path) -> None:
    shop.run("build", "stage", "-o", "first", "--profile", "virtio")
    lock = str(shop.path / "first" / f"manifest-{RELEASE}.json")
    moved = root.rename(shop.path / "moved")
    unpack(kernel_package(OLD, "6.11.0-1", "arm64"), moved)
    shop.run("build", "moved", "--locked", lock, "--offline")
    assert outputs(shop.out) == outputs(shop.path / "first")
    shop.out.rename(shop.path / "second")
    message = shop.error("build", "moved", "--release", OLD, "--locked", lock, status=2)
    assert f"is of {RELEASE}, not of {OLD}" in message
    assert "below a directory" in shop.error("build", "--locked", lock, status=2)
    (moved / f"lib/modules/{RELEASE}/modules.builtin").write_bytes(b"kernel/fs/ext4/ext4.ko\n\n")
    assert "the kernel is not the one that" in shop.error("build", "moved", "--locked", lock)


def test_one_of_several(shop: Shop, root: Path) -> None:
    unpack(kernel_package(OLD, "6.11.0-1", "arm64"), root)
    message = shop.error("build", str(root))
    assert f"{root}: the tree holds several kernels: {OLD}, {RELEASE}" in message
    assert "--release" in message
    shop.run("build", str(root), "--release", OLD)
    assert (shop.out / f"vmlinuz-{OLD}").exists()
    assert not (shop.out / f"vmlinuz-{RELEASE}").exists()


def test_directory_with_the_name_of_a_kernel(shop: Shop, root: Path) -> None:
    """It may be where that kernel was composed."""
    root.rename(shop.path / "cloud-amd64")
    shop.run("build", "cloud-amd64")
    assert not (shop.out / f"vmlinuz-{RELEASE}").exists()
    shop.run("build", "./cloud-amd64")
    assert (shop.out / f"vmlinuz-{RELEASE}").exists()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["stage", "kernel.deb"], "one kernel at a time"),
        (["stage", "./stage"], "one kernel at a time"),
        (["stage", "cloud-amd64"], "one kernel at a time"),
        (["cloud-amd64", "--release", RELEASE], "--release chooses among"),
        (["--release", RELEASE], "--release chooses among"),
        (["stage", "--arch", "amd64"], "is for arm64, not for --arch amd64"),
    ],
)
@pytest.mark.usefixtures("root")
def test_wrong_usage(shop: Shop, arguments: list[str], expected: str) -> None:
    assert expected in shop.error("build", *arguments, status=2)


def test_release_of_a_package(shop: Shop) -> None:
    (shop.path / "kernel.deb").write_bytes(KERNEL)
    message = shop.error("build", "kernel.deb", "--release", OLD)
    assert f"linux-image-{RELEASE} holds no kernel {OLD}" in message
    assert f"there is {RELEASE}" in message
    out, _ = shop.run("build", "kernel.deb", "--release", RELEASE, "--json")
    assert json.loads(out)["release"] == RELEASE


@pytest.mark.parametrize("release", ["", "../x"])
@pytest.mark.usefixtures("root")
def test_release_that_is_none(shop: Shop, release: str) -> None:
    assert f"{release!r} is no kernel release" in shop.error("build", "stage", "--release", release)
