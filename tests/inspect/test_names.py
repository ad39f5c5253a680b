from __future__ import annotations

import pytest

from rdcompose.inspect.names import directory_release, is_boot_name, is_spare, named_release

DEBIAN = "6.12.57+deb13-cloud-amd64"


@pytest.mark.parametrize(
    ("name", "release"),
    [
        (f"vmlinuz-{DEBIAN}", DEBIAN),
        ("vmlinux-6.12.57+deb13-riscv64", "6.12.57+deb13-riscv64"),
        (f"initramfs-{DEBIAN}", DEBIAN),
        (f"modules-{DEBIAN}.qcow2", DEBIAN),
        (f"modules-{DEBIAN}.squashfs", DEBIAN),
        (f"manifest-{DEBIAN}.json", DEBIAN),
        ("initrd.img-6.1.0-44-amd64", "6.1.0-44-amd64"),
        ("initramfs-6.17.4-200.fc42.x86_64.img", "6.17.4-200.fc42.x86_64"),
        ("initrd-6.4.0-150600.23-default", "6.4.0-150600.23-default"),
        ("System.map-6.1.0-44-amd64", "6.1.0-44-amd64"),
        ("config-6.8.0-rc3-dirty", "6.8.0-rc3-dirty"),
        ("initramfs-6.1.img.gz", "6.1"),
        (f"{DEBIAN}.efi", DEBIAN),
        (f"debian-{DEBIAN}.efi", DEBIAN),
        ("0123456789abcdef-6.12.1-arch1-1.efi", "6.12.1-arch1-1"),
        ("arch-linux.efi", None),
        ("vmlinuz", None),
        ("vmlinuz-linux", None),
        ("initramfs-linux-fallback.img", None),
        ("initramfs-0-rescue-0123456789abcdef.img", None),
        ("initrd.img", None),
        ("kernel8.img", None),
        ("root-6.1.0.img", None),
        ("vmlinuz-6.1.0 copy", None),
        ("", None),
    ],
)
def test_named_release(name: str, release: str | None) -> None:
    assert named_release(name) == release


@pytest.mark.parametrize(
    ("name", "release"),
    [
        ("linux-image-6.1.0-44-arm64", "6.1.0-44-arm64"),
        ("dtbs-6.1.0", "6.1.0"),
        ("6.12.57+deb13-arm64", "6.12.57+deb13-arm64"),
        ("dtbs", None),
        ("overlays", None),
        ("2024.01", "2024.01"),
    ],
)
def test_directory_release(name: str, release: str | None) -> None:
    assert directory_release(name) == release


@pytest.mark.parametrize(
    "name",
    ["vmlinuz", "initrd.img", "kernel8.img", "initramfs8", "Image.gz", "vmlinuz-6.1.0-44-amd64"],
)
def test_names_of_what_boots(name: str) -> None:
    assert is_boot_name(name)


@pytest.mark.parametrize(
    "name",
    ["README", "root.img", "kernelling.txt", "modules.ramfs", "config.txt", "initramfs-6.1.tar.gz"],
)
def test_other_names(name: str) -> None:
    assert not is_boot_name(name)


@pytest.mark.parametrize(
    "name", ["vmlinuz-0-rescue-0123", "vmlinuz.old", "initrd.img.bak", "vmlinuz~", "a.orig.gz"]
)
def test_spare_files(name: str) -> None:
    assert is_spare(name)


@pytest.mark.parametrize("name", ["vmlinuz", "initramfs-linux-fallback.img", "household", "oldest"])
def test_files_that_are_meant(name: str) -> None:
    assert not is_spare(name)
