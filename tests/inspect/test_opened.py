from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from rdcompose.errors import FormatError, SpecError
from rdcompose.formats import newc
from rdcompose.formats.cpio import read_newc
from rdcompose.inspect import walk_archives
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
    noise = random.Random(0).randbytes(1 << 16)
    image = tmp_path / "initrd.img"
    image.write_bytes(early + initramfs_bytes({"x": b"1", "y": noise})[:-9000])
    with open_image(image) as opened:
        found = list(opened.entries())
        assert [(one.part, one.entry.path) for one in found] == [(0, "early"), (1, "x"), (1, "y")]
        problem = opened.problem
        assert problem is not None
        assert (problem.part, problem.offset, problem.last) == (1, len(early), "x")
        assert (problem.inner or 0) > 50_000
        assert problem.message == "the gzip data is cut short"
        with pytest.raises(FormatError, match="the gzip data is cut short"):
            _content(found[-1].entry)


def test_damage_in_the_open(tmp_path: Path) -> None:
    image = tmp_path / "initrd.img"
    one = cpio(tree_of({"a": b"1"}))
    image.write_bytes(one + one.replace(b"070701", b"0707x1", 1))
    with open_image(image) as opened:
        assert [row.entry.path for row in opened.entries()] == ["a"]
        assert opened.problem is not None
        assert (opened.problem.offset, opened.problem.inner) == (read_newc(one).end, None)
        assert f"offset {len(one)} is neither" in opened.problem.message


def test_a_bomb_is_bounded(tmp_path: Path) -> None:
    image = tmp_path / "initrd.img"
    image.write_bytes(initramfs_bytes({"zeros": bytes(9 << 20)}))
    with open_image(image, limit=1 << 20) as opened:
        assert [row.entry.path for row in opened.entries()] == ["zeros"]
        assert opened.problem is not None
        assert "unpacks to more than 1048576 bytes" in opened.problem.message


def test_entries_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walk_archives, "MAX_ENTRIES", 3)
    image = tmp_path / "initrd.img"
    image.write_bytes(cpio(tree_of({"a": b"1", "b": b"2"})) * 2)
    with open_image(image) as opened:
        for _ in range(2):
            assert len(list(opened.entries())) == 3
            assert opened.problem is not None
            assert opened.problem.message == "there are more than 3 entries"


def test_a_large_content_passes_by(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(newc, "MAX_KEPT", 10)
    image = tmp_path / "initrd.img"
    image.write_bytes(initramfs_bytes({"a": b"0123456789", "b": b"0123456789x"}))
    with open_image(image) as opened:
        for row in opened.entries():
            assert isinstance(row.entry, File)
            assert b"".join(row.entry.content.chunks(4)).startswith(b"0123456789")
            if row.entry.path == "b":
                with pytest.raises(ValueError, match="only once"):
                    next(iter(row.entry.content.chunks(4)))
            else:
                assert list(row.entry.content.chunks(8)) == [b"01234567", b"89"]


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
