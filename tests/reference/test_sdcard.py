"""An SD card image as sfdisk, fsck.vfat and mtools see it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import pytest

from rdcompose.boards.sdcard import CardSpec, write_card
from rdcompose.tree import Bytes, File, Tree
from tests.reference.test_squashfs import read_tree
from tests.support.dump import dump
from tests.support.tools import run, tool

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.reference

MIB: Final = 1 << 20


def test_a_card(tmp_path: Path) -> None:
    tree = Tree()
    tree.add(File(path="config.txt", content=Bytes(b"[all]\n")))
    for number in range(3000):
        name = f"6.12.107+deb13-arm64/overlays/overlay-{number}.dtbo"
        tree.add(File(path=name, content=Bytes(b"%d" % number)))
    image = tmp_path / "sd.img"
    with image.open("w+b") as out:
        write_card(out, tree, CardSpec(signature=0x1A2B3C4D, mtime=1_700_000_000))
    table = json.loads(run(tool("sfdisk"), "--json", image))["partitiontable"]
    assert table["id"] == "0x1a2b3c4d"
    [boot] = table["partitions"]
    assert (boot["start"], boot["size"], boot["type"]) == (8192, 524288, "c")
    volume, copy = tmp_path / "boot", tmp_path / "copy"
    with image.open("rb") as source, volume.open("wb") as out:
        source.seek(4 * MIB)
        out.write(source.read(256 * MIB))
    run(tool("fsck.vfat"), "-n", volume)
    copy.mkdir()
    run(tool("mcopy"), "-i", f"{image}@@4M", "-s", "-n", "::*", copy)
    assert dump(read_tree(copy, owners=False)) == dump(tree)
