"""Directories with an ``rdcompose.toml``, and local packages for what it builds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.support.archive_packages import busybox_package, kernel_package

if TYPE_CHECKING:
    from pathlib import Path

AMD: Final = "6.1.0-44-cloud-amd64"
ARM: Final = "6.1.0-44-arm64"

PROJECT: Final = """
[defaults]
output = "out"
busybox = "busybox-amd64.deb"
e2fsck = "none"
profile = "lists/one"

[[build]]
name = "cloud"
kernel = "amd64.deb"

[[build]]
name = "arm"
kernel = "arm64.deb"
busybox = "busybox-arm64.deb"

[[build]]
name = "bare"
kernel = ["amd64.deb"]
profile = ["lists/one", "lists/two"]
disk = "none"
"""
# In the order in which they are told.
TITLES: Final = ("cloud", "arm", "bare/one", "bare/two")


def make_project(path: Path, text: str = PROJECT) -> None:
    """Fill a directory."""
    (path / "rdcompose.toml").write_text(text, encoding="utf-8")
    for architecture, release in (("amd64", AMD), ("arm64", ARM)):
        package = kernel_package(release, "6.1.164-1", architecture)
        (path / f"{architecture}.deb").write_bytes(package)
        (path / f"busybox-{architecture}.deb").write_bytes(
            busybox_package(architecture=architecture)
        )
    for name, modules in (("one", "virtio_blk\n"), ("two", "")):
        (path / "lists" / name).mkdir(parents=True)
        (path / "lists" / name / "modules.ramfs").write_text(modules, encoding="utf-8")


def written(directory: Path) -> dict[str, bytes]:
    """Return all files below a directory, those that are hidden, too, by their paths."""
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }
