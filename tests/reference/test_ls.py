"""``rdcompose ls`` beside lsinitramfs, lsinitrd, cpio and unsquashfs, line by line."""

from __future__ import annotations

import datetime
import json
from typing import TYPE_CHECKING, Any

import pytest

from bench.packages import builders
from rdcompose.cli.main import main
from tests.support.artifacts import cpio, disk_bytes, disk_files, tree_of
from tests.support.foreign import BUILDERS, foreign_initramfs
from tests.support.kernels import lsinitramfs
from tests.support.tools import run, run_bytes, tool

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.reference

UTC = {"TZ": "UTC"}


def listed(capsys: pytest.CaptureFixture[str], file: Path, *options: str) -> dict[str, Any]:
    assert main(["ls", "--json", str(file), *options]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def lines(capsys: pytest.CaptureFixture[str], file: Path) -> list[list[str]]:
    """The words of each line about an entry, from the mode to the path."""
    assert main(["ls", str(file)]) == 0
    rows = [line.split(maxsplit=7) for line in capsys.readouterr().out.splitlines()]
    return [row for row in rows if len(row) == 8 and row[0][0] in "-dlbcps" and len(row[0]) == 10]


def as_cpio(row: list[str]) -> tuple[str, ...]:
    """What cpio shows of one of our lines, up to the size, month and day, and the path."""
    day = datetime.date.fromisoformat(row[5])
    return (*row[:5], f"{day:%b}", str(day.day), row[7])


def of_cpio(listing: str) -> Iterator[tuple[str, ...]]:
    for line in listing.splitlines():
        row = line.split(maxsplit=8)
        # The root, which no line of ours is about.
        if row[8] != ".":
            yield (*row[:7], row[8])


def without_sizes_of_links(rows: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """cpio shows a size at one name of a file only."""
    return [
        (*row[:4], "" if row[0][0] == "-" and row[1] != "1" else row[4], *row[5:]) for row in rows
    ]


@pytest.mark.parametrize("builder", BUILDERS)
def test_what_others_made(capsys: pytest.CaptureFixture[str], builder: str, tmp_path: Path) -> None:
    image = foreign_initramfs(builder)
    plain = run_bytes(tool("zstd"), "-dcq", image)
    listing = run(tool("cpio"), "-itv", "--numeric-uid-gid", "--quiet", stdin=plain, env=UTC)
    ours = [as_cpio(row) for row in lines(capsys, image)]
    assert len(ours) > 200
    assert without_sizes_of_links(ours) == without_sizes_of_links([*of_cpio(listing)])
    found = listed(capsys, image)
    release = image.name.removeprefix("initramfs-")
    assert (found["release"], found["releases"]) == (release, [release])
    assert found["architectures"] == ["amd64"]
    [part] = found["parts"]
    assert (part["size"], part["unpacked"]) == (image.stat().st_size, len(plain))
    # With microcode in front, as both put it.
    early = cpio(tree_of({"kernel/x86/microcode/AuthenticAMD.bin": b"code"}))
    both = tmp_path / image.name
    both.write_bytes(early + image.read_bytes())
    names = run(lsinitramfs(), both).splitlines()
    assert main(["ls", "--names", str(both)]) == 0
    assert capsys.readouterr().out.splitlines() == [name for name in names if name != "."]


def test_lsinitrd(capsys: pytest.CaptureFixture[str]) -> None:
    image = foreign_initramfs("dracut")
    command = builders() / "usr" / "bin" / "lsinitrd"
    _, _, listing = run(command, image, env=UTC).rpartition("=\ndrwx")
    theirs = list(of_cpio("drwx" + listing.rpartition("\n=")[0]))
    ours = [as_cpio(row) for row in lines(capsys, image)]
    # It shows names of owners.
    assert [(row[:2], row[4:]) for row in ours] == [(row[:2], row[4:]) for row in theirs]


@pytest.mark.parametrize("container", ["squashfs", "qcow2"])
def test_unsquashfs(capsys: pytest.CaptureFixture[str], tmp_path: Path, container: str) -> None:
    image, plain = tmp_path / "disk", tmp_path / "squashfs"
    image.write_bytes(disk_bytes(disk_files(), container=container))
    plain.write_bytes(disk_bytes(disk_files(), container="squashfs"))
    top = "squashfs-root/"
    rows = [
        line.split(maxsplit=5)
        for line in run(tool("unsquashfs"), "-lls", plain, env=UTC).splitlines()
        if top in line
    ]
    theirs = {
        (
            row[0],
            row[1],
            row[2] if row[0][0] == "-" else "0",
            row[3],
            row[4],
            row[5].removeprefix(top),
        )
        for row in rows
    }
    ours = {
        (row[0], f"{row[2]}/{row[3]}".replace("0/0", "root/root"), row[4], *row[5:])
        for row in lines(capsys, image)
    }
    assert ours == theirs
