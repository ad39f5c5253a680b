"""Volumes checked by fsck.vfat and read by mtools, and theirs read here."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Final

import pytest

from rdcompose.formats.fat.reader import FatImage, read_fat
from rdcompose.formats.fat.writer import minimum_size, write_fat32
from rdcompose.tree import Bytes, Directory, File, Tree
from tests.reference.test_squashfs import read_tree
from tests.support.dump import dump
from tests.support.tools import run, tool

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.reference

MIB: Final = 1 << 20


def folder() -> Tree:
    noise = random.Random(7)
    tree = Tree()
    for size in (0, 1, 511, 512, 513, 4096, 4097, 3_000_001):
        tree.add(File(path=f"f{size}", content=Bytes(noise.randbytes(size))))
    for number in range(500):
        name = f"6.12.107+deb13-arm64/overlays/an-overlay-with-a-name-{number}.dtbo"
        tree.add(File(path=name, content=Bytes(b"%d" % number)))
    tree.add(Directory(path="nothing/in/it"))
    tree.add(File(path="KERNEL8.IMG", content=Bytes(b"kernel")))
    tree.add(File(path="a b.c d", content=Bytes(b"spaces")))
    return tree


def write(path: Path, tree: Tree, size: int) -> None:
    with path.open("w+b") as out:
        write_fat32(out, tree, size=size, mtime=1_700_000_000, volume_id=0x1A2BC3D4, label="bootfs")
        out.truncate(size)


@pytest.mark.parametrize("size", [0, 64, 300, 1024, 9000])
def test_fsck_and_mtools(tmp_path: Path, size: int) -> None:
    tree, image = folder(), tmp_path / "image"
    write(image, tree, size * MIB or minimum_size(tree))
    said = run(tool("fsck.vfat"), "-n", "-v", image)
    # It counts the label.
    assert f"{len(tree) + 1} files" in said
    assert "32 bit entries" in said
    copy = tmp_path / "copy"
    copy.mkdir()
    run(tool("mcopy"), "-i", image, "-s", "-n", "-m", "::*", copy)
    assert dump(read_tree(copy, owners=False)) == dump(tree)
    listing = run(tool("mdir"), "-i", image, "::/", env={"TZ": "UTC"})
    assert "bootfs" in listing
    assert "1A2B-C3D4" in listing
    assert "KERNEL8  IMG         6 2023-11-14  22:13" in listing


@pytest.mark.parametrize(
    ("bits", "size", "options"),
    [
        (12, 4, ()),
        (12, 8, ("-S", "2048")),
        (16, 64, ()),
        (16, 32, ("-s", "2", "-f", "1")),
        (32, 64, ("-s", "1")),
        (32, 40, ("-R", "100", "-h", "2048")),  # fewer clusters than FAT32 should have
        (32, 300, ("-S", "4096", "-s", "1")),
    ],
)
def test_made_by_mkfs_and_mtools(
    tmp_path: Path, bits: int, size: int, options: tuple[str, ...]
) -> None:
    image = tmp_path / "image"
    run(
        *(tool("mkfs.vfat"), "-C", "-F", str(bits), "-n", "SOME LABEL", *options),
        *(image, str(size * 1024)),
    )
    source = tmp_path / "source"
    source.mkdir()
    noise = random.Random(bits)
    for number, length in enumerate((0, 1, 5000, 70_000, 900_000)):
        (source / f"a file of {length} bytes").write_bytes(noise.randbytes(length))
        (source / f"f{number}.bin").write_bytes(noise.randbytes(length))
    (source / "Dir" / "below" / "it").mkdir(parents=True)
    for number in range(100):
        (source / "Dir" / f"{number}.dtbo").write_bytes(b"%d" % number)
    run(tool("mcopy"), "-i", image, "-s", *sorted(source.iterdir()), "::")
    with image.open("rb") as opened:
        geometry = FatImage(opened).geometry
        assert (geometry.bits, geometry.label) == (bits, "SOME LABEL")
        assert dump(read_fat(opened)) == dump(read_tree(source, owners=False))
