"""``rdcompose report`` and ``build --report``: what they say, and where."""

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
    found = json.loads(report.read_text())
    (group,) = found["groups"]
    assert (found["schema"], group["release"], group["architecture"]) == (1, RELEASE, "amd64")
    images = {image["name"]: image for image in group["images"]}
    assert images.keys() == {f"initramfs-{RELEASE}", f"modules-{RELEASE}.squashfs"}
    for name, image in images.items():
        assert image["weight"]["size"] <= (tmp_path / "out" / name).stat().st_size
    initramfs = images[f"initramfs-{RELEASE}"]
    parts = {part["name"]: part for part in initramfs["weight"]["parts"]}
    assert parts["bin/busybox"]["kind"] == "programs"
    modules = {module["name"]: module for module in initramfs["modules"]}
    module = modules["virtio_blk"]
    assert module["why"] == "listed: 'drivers/block/virtio_blk.ko' in lists/modules.ramfs:1"
    assert 0 < module["share"] < module["size"]
    results = {check["name"]: check["result"] for check in group["checks"]}
    assert (results["release"], results["manifest"]) == ("passed", "passed")
    # Not an output of the build, which checksums would have to list.
    assert "report" not in (tmp_path / "out" / "SHA256SUMS").read_text()


def test_a_page(words: list[str], tmp_path: Path) -> None:
    report = tmp_path / "report.html"
    assert main([*words, "--report", str(report)]) == 0
    page = report.read_text(encoding="utf-8")
    assert page.startswith('<!DOCTYPE html>\n<html lang="en">')
    for name in (f"initramfs-{RELEASE}", f"modules-{RELEASE}.qcow2", "virtio_blk", "busybox"):
        assert name in page
    # The same again is the same.
    assert main(["report", str(tmp_path / "out"), "-o", str(tmp_path / "again.html")]) == 0
    assert (tmp_path / "again.html").read_text(encoding="utf-8") == page


def test_without_a_disk(words: list[str], tmp_path: Path) -> None:
    report = tmp_path / "report.txt"
    assert main([*words, "--report", str(report), "--disk", "none"]) == 0
    text = report.read_text()
    assert text.startswith(f"initramfs-{RELEASE}: ")
    assert "modules-" not in text


def test_only_one_result_goes_to_standard_output(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words, "--report", "-", "--json"]) == 2
    assert capsys.readouterr().err.startswith("rdcompose: error: --report - and --json cannot")
    assert not (tmp_path / "out").exists()
    assert main([*words, "--report", str(tmp_path / "report.txt"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["release"] == RELEASE


def test_one_report_of_several_builds(words: list[str], tmp_path: Path) -> None:
    (tmp_path / "others").mkdir()
    (tmp_path / "others" / "modules.ramfs").write_bytes(b"")
    (tmp_path / "others" / "modules.autoload").write_bytes(b"")
    report = tmp_path / "report.json"
    more = ("--profile", str(tmp_path / "others"), "--report", str(report))
    assert main([*words, *more]) == 0
    modules = [
        [len(image["modules"]) for image in group["images"]]
        for group in json.loads(report.read_text())["groups"]
    ]
    assert len(modules) == 2
    (with_one, disk), (with_none, larger) = modules
    assert with_one > with_none
    assert with_one + disk == with_none + larger


def test_a_damaged_image_is_told_as_far_as_it_goes(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 0
    image = tmp_path / "cut"
    whole = (tmp_path / "out" / f"initramfs-{RELEASE}").read_bytes()
    image.write_bytes(whole + whole[:-90])
    assert main(["report", str(image)]) == 1
    said = capsys.readouterr()
    assert "bin/busybox" in said.out
    assert "not all of it could be read: " in said.out
    assert said.err.startswith("rdcompose: error: cut is not read to its end: ")


def test_a_tree(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is said of how it is unpacked, as nothing is packed."""
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/notes").write_bytes(b"text")
    assert main(["report", str(tmp_path / "tree")]) == 0
    assert capsys.readouterr().out.startswith("tree: 4 B, not compressed\n")
    page = tmp_path / "page.html"
    assert main(["report", str(tmp_path / "tree"), "-o", str(page)]) == 0
    assert "4 B, not compressed." in page.read_text()


def test_checks_that_fail_are_told(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 0
    with (tmp_path / "out" / f"config-{RELEASE}").open("ab") as config:
        config.write(b"# more\n")
    assert main(["report", str(tmp_path / "out")]) == 0
    assert "FAILED  checksums" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("text", b"some text\n", "cannot be verified: it is a text of no known kind"),
        ("empty", b"", "cannot be verified: it is empty"),
    ],
    ids=["text", "empty"],
)
def test_what_is_no_image(
    name: str,
    content: bytes,
    message: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / name).write_bytes(content)
    assert main(["report", str(tmp_path / name)]) == 1
    assert message in capsys.readouterr().err


def test_files_without_files_in_them(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 0
    assert main(["report", str(tmp_path / "out" / f"config-{RELEASE}")]) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"config-{RELEASE}  ")
    assert said.endswith("  configuration\n")


def test_what_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(tmp_path / "gone")]) == 1
    assert "cannot read" in capsys.readouterr().err


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
