from __future__ import annotations

from typing import TYPE_CHECKING

from rdcompose.inspect.artifact import Kind
from rdcompose.inspect.opened import open_image
from rdcompose.tree import File, Symlink, read_all
from tests.support.artifacts import cpio, initramfs_bytes, tree_of
from tests.support.debs import hard_link, make_deb
from tests.support.efi import make_pe

if TYPE_CHECKING:
    from pathlib import Path


def test_a_unified_kernel_image(tmp_path: Path) -> None:
    early = cpio(tree_of({"kernel/x86/microcode/GenuineIntel.bin": b"code"}))
    main = initramfs_bytes({"init": b"#!/bin/sh", "etc/x": b"1"}, "zstd")
    path = tmp_path / "linux.efi"
    path.write_bytes(
        make_pe(
            {
                ".uname": b"6.1.0-test\n\0",
                ".linux": b"kernel",
                ".initrd": early + main,
                ".ucode": early,
            }
        )
    )
    with open_image(path) as opened:
        assert opened.kind is Kind.UKI
        found = [(one.part, one.entry.path) for one in opened.entries()]
        labels = [part.label for part in opened.parts]
        assert labels == [
            ".uname",
            ".linux",
            ".initrd, segment 1",
            ".initrd, segment 2",
            ".ucode, segment 1",
        ]
        assert (3, "init") in found
        assert (4, "kernel/x86/microcode/GenuineIntel.bin") in found
        first, second = opened.parts[2:4]
        assert second.offset == first.offset + len(early)
        assert (second.compression, second.size) == ("zstd", len(main))
        assert opened.release == "6.1.0-test"


def test_damage_in_a_section(tmp_path: Path) -> None:
    path = tmp_path / "linux.efi"
    early = cpio(tree_of({"a": b"1"}))
    path.write_bytes(make_pe({".linux": b"kernel", ".initrd": early + b"rubbish!"}))
    with open_image(path) as opened:
        assert [one.entry.path for one in opened.entries()] == ["a"]
        problem = opened.problem
        assert problem is not None
        assert problem.offset > opened.parts[-1].offset > 0
        assert "is neither a cpio archive nor" in problem.message


def test_a_package(tmp_path: Path) -> None:
    path = tmp_path / "x.deb"
    path.write_bytes(make_deb({"usr/a": b"data", "usr/b": hard_link("./usr/a"), "usr/c": "a"}))
    with open_image(path) as opened:
        found = {one.entry.path: one.entry for one in opened.entries()}
        assert opened.problem is None
        for name in ("usr/a", "usr/b"):
            assert isinstance(file := found[name], File)
            assert read_all(file.content) == b"data"
        assert isinstance(link := found["usr/c"], Symlink)
        assert link.target == "a"
        assert opened.architectures == ("amd64",)
        assert opened.parts[0].label.startswith("data.tar")
