from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rdcompose.errors import SpecError
from rdcompose.inspect.artifact import Kind
from rdcompose.inspect.opened import open_image
from rdcompose.tree import File, read_all
from tests.support.artifacts import cpio, disk_bytes, disk_files, initramfs_bytes, tree_of
from tests.support.images import make_bzimage
from tests.support.packages import RELEASE, kernel_deb

if TYPE_CHECKING:
    from pathlib import Path


def test_joined_segments(tmp_path: Path) -> None:
    early = cpio(tree_of({"kernel/x86/microcode/GenuineIntel.bin": b"code"}))
    image = tmp_path / "initrd.img"
    image.write_bytes(early + initramfs_bytes({f"lib/modules/{RELEASE}/x": b"1"}))
    with open_image(image) as opened:
        assert opened.kind is Kind.INITRAMFS
        found = [(one.part, one.entry.path, _content(one.entry)) for one in opened.entries()]
        assert found[3] == (0, "kernel/x86/microcode/GenuineIntel.bin", b"code")
        assert found[-1] == (1, f"lib/modules/{RELEASE}/x", b"1")
        assert [(part.compression, part.entries) for part in opened.parts] == [
            ("none", 4),
            ("gzip", 4),
        ]
        assert opened.release == RELEASE
        assert opened.problem is None
        assert len(list(opened.entries())) == len(found), "a second walk"


def _content(entry: object) -> bytes | None:
    return read_all(entry.content) if isinstance(entry, File) else None


def test_damage_ends_the_walk(tmp_path: Path) -> None:
    early = cpio(tree_of({"early": b"code"}))
    image = tmp_path / "initrd.img"
    image.write_bytes(early + initramfs_bytes({"x": b"1"})[:-9])
    with open_image(image) as opened:
        assert [one.entry.path for one in opened.entries()] == ["early"]
        assert opened.problem is not None
        assert opened.problem.last == "early"
        assert "cut short" in opened.problem.message


@pytest.mark.parametrize("container", ["qcow2", "squashfs"])
def test_disk(tmp_path: Path, container: str) -> None:
    image = tmp_path / "disk"
    image.write_bytes(disk_bytes(disk_files(), container=container))
    with open_image(image) as opened:
        assert (opened.kind, opened.filesystem) == (Kind.DISK, "squashfs")
        kept = [one.entry for one in opened.entries()]
        assert opened.lasting
        assert {one.path: _content(one) for one in kept}[f"{RELEASE}/modules.builtin"]
        assert opened.release == RELEASE


def test_package_directory_and_kernel(tmp_path: Path) -> None:
    package = tmp_path / "x.deb"
    package.write_bytes(kernel_deb())
    (tmp_path / "vmlinuz").write_bytes(make_bzimage())
    with open_image(package) as opened:
        assert opened.kind is Kind.PACKAGE
        assert f"boot/vmlinuz-{RELEASE}" in {one.entry.path for one in opened.entries()}
    with open_image(tmp_path) as opened:
        assert opened.kind is Kind.DIRECTORY
        assert [one.entry.path for one in opened.entries()] == ["vmlinuz", "x.deb"]
    with open_image(tmp_path / "vmlinuz") as opened:
        assert opened.kind is Kind.KERNEL
        assert opened.facts is not None
        assert list(opened.entries()) == []
    with pytest.raises(SpecError, match="cannot read"):
        open_image(tmp_path / "absent")
