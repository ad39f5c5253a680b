"""Images of mke2fs, with all kinds of block maps, read as they were filled."""

from __future__ import annotations

import dataclasses
import os
import random
from typing import TYPE_CHECKING

import pytest

from rdcompose.formats.ext4.reader import Ext4Image
from rdcompose.formats.qcow2_reader import open_qcow2
from tests.reference.test_squashfs import read_tree
from tests.support.dump import dump
from tests.support.tools import run, tool

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.reference


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    top = tmp_path_factory.mktemp("tree")
    noise = random.Random(5)
    for size in (0, 1, 1023, 1024, 4097, 50_000, 300_000, 5_000_000):
        (top / f"f{size}").write_bytes(noise.randbytes(size))
    with (top / "holes").open("wb") as out:
        # Thousands of pieces: more than extents or pointers in one block.
        for number in range(0, 6000, 2):
            out.seek(number * 4096)
            out.write(b"%d" % number)
    (top / "many").mkdir()
    for number in range(2000):
        (top / "many" / f"a-longer-name-{number}").symlink_to(f"target-{number}" * 9)
    os.mkfifo(top / "fifo")
    return top


@pytest.mark.parametrize(
    "options",
    [
        ("-t", "ext4"),
        ("-t", "ext4", "-b", "1024"),
        ("-t", "ext4", "-O", "64bit,metadata_csum,huge_file"),
        ("-t", "ext4", "-O", "^64bit,^flex_bg", "-I", "128"),
        ("-t", "ext3"),
        ("-t", "ext2", "-b", "1024"),
        ("-t", "ext2", "-O", "^filetype,^dir_index", "-b", "2048"),
    ],
    ids=" ".join,
)
def test_made_by_mke2fs(tmp_path: Path, tree: Path, options: tuple[str, ...]) -> None:
    image = tmp_path / "image"
    run(tool("mke2fs"), "-q", "-F", *options, "-d", tree, image, "64M")
    with image.open("rb") as source:
        entries = [dataclasses.replace(row, uid=0, gid=0) for row in Ext4Image(source).entries()]
        found = dump(entries)
    del found["lost+found"]
    assert found == dump(read_tree(tree, owners=False))


def test_in_a_compressed_qcow2_as_minivm_has_it(tmp_path: Path, tree: Path) -> None:
    raw, image = tmp_path / "raw", tmp_path / "image"
    run(tool("mke2fs"), "-q", "-F", "-t", "ext4", "-d", tree, raw, "64M")
    run(tool("qemu-img"), "convert", "-c", "-O", "qcow2", raw, image)
    with raw.open("rb") as source, image.open("rb") as packed:
        plain = dump(Ext4Image(source).entries())
        assert dump(Ext4Image(open_qcow2(packed)).entries()) == plain
