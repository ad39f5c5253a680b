"""``rdcompose build --report``: what it says, where, and when not."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from rdcompose.cli.main import main
from tests.support.packages import RELEASE, kernel_deb
from tests.support.programs import APPLETS, make_busybox

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def words(tmp_path: Path) -> list[str]:
    """A command that builds into ``out``, quietly."""
    (tmp_path / "kernel.deb").write_bytes(kernel_deb())
    (tmp_path / "busybox").write_bytes(make_busybox(APPLETS))
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "modules.ramfs").write_bytes(b"drivers/block/virtio_blk.ko\n")
    (tmp_path / "lists" / "modules.autoload").write_bytes(b"")
    (tmp_path / "template").mkdir()
    (tmp_path / "template" / "init").write_bytes(b"#!/bin/sh\n")
    paths = {name: str(tmp_path / name) for name in ("busybox", "template")}
    return [
        *("build", str(tmp_path / "kernel.deb"), "-q", "-o", str(tmp_path / "out")),
        *("--profile", str(tmp_path / "lists"), "--busybox", paths["busybox"]),
        *("--e2fsck", "none", "--template", paths["template"]),
    ]


def test_tables_on_standard_output(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*words, "--report", "-"]) == 0
    said = capsys.readouterr().out
    initramfs, disk = said.split(f"modules-{RELEASE}.qcow2: ")
    assert initramfs.startswith(f"initramfs-{RELEASE}: ")
    # Modules without the directory that they all are in.
    for name in ("bin/busybox", "kernel/drivers/block/virtio_blk.ko", "modules.dep", "init"):
        assert f"\n{name} " in initramfs
    assert "less" in initramfs
    assert "tables" in disk


def test_data_in_a_file(words: list[str], tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    assert main([*words, "--report", str(report), "--disk-format", "squashfs"]) == 0
    (found,) = json.loads(report.read_text()).values()
    assert found.keys() == {f"initramfs-{RELEASE}", f"modules-{RELEASE}.squashfs"}
    for name, weight in found.items():
        assert weight["size"] <= (tmp_path / "out" / name).stat().st_size
    parts = {part["name"]: part for part in found[f"initramfs-{RELEASE}"]["parts"]}
    assert parts["bin/busybox"]["kind"] == "programs"
    # Not an output of the build, which checksums would have to list.
    assert "report" not in (tmp_path / "out" / "SHA256SUMS").read_text()


def test_without_a_disk(words: list[str], tmp_path: Path) -> None:
    report = tmp_path / "report.txt"
    assert main([*words, "--report", str(report), "--disk", "none"]) == 0
    text = report.read_text()
    assert text.startswith(f"initramfs-{RELEASE}: ")
    assert "modules-" not in text


@pytest.mark.parametrize("more", [("--json",), ("--profile", "minivm")], ids=["json", "profiles"])
def test_what_it_does_not_go_with(
    more: tuple[str, ...], words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words, "--report", "-", *more]) == 2
    assert capsys.readouterr().err.startswith("rdcompose: error: --report is for one composition")
    assert not (tmp_path / "out").exists()


def test_a_device_is_not_replaced(words: list[str], tmp_path: Path) -> None:
    (tmp_path / "null").symlink_to("/dev/null")
    assert main([*words, "--report", str(tmp_path / "null")]) == 0
    assert (tmp_path / "null").is_char_device()


def test_a_file_that_cannot_be_written(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = tmp_path / "kernel.deb" / "report"
    assert main([*words, "--report", str(report)]) == 1
    assert "cannot write" in capsys.readouterr().err
