"""Images of mksquashfs and tar2sqfs, read as unsquashfs unpacks them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from rdcompose.errors import UnsupportedError
from rdcompose.formats.squashfs.reader import SquashfsImage
from tests.support.dump import dump
from tests.support.squashtrees import noise, text
from tests.support.tools import run, tool

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.reference


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files of every size that matters, holes, links of both kinds and many names."""
    top = tmp_path_factory.mktemp("tree")
    for number, size in enumerate((0, 1, 4095, 4096, 4097, 131_072, 131_073, 1_500_000)):
        (top / f"text-{size}").write_bytes(text(size, number))
        (top / f"noise-{size}").write_bytes(noise(size, number))
    with (top / "holes").open("wb") as out:
        out.seek(3_000_000)
        out.write(b"x")
    (top / "many").mkdir()
    for number in range(1500):
        (top / "many" / f"{number:04}").write_bytes(b"%d" % number)
    (top / "many" / "deep" / "er").mkdir(parents=True)
    os.link(top / "text-4097", top / "many" / "deep" / "linked")
    (top / "link").symlink_to("many/deep/linked")
    os.mkfifo(top / "fifo")
    (top / "text-1").chmod(0o4711)
    (top / os.fsdecode(b"name \xff")).write_bytes(b"not UTF-8")
    return top


def expected(top: Path) -> dict[str, str]:
    """What is on the disk, in the words of a dump, but for the owners."""
    from tests.reference.test_squashfs import read_tree

    return dump(read_tree(top, owners=False))


def found(image: Path) -> dict[str, str]:
    with image.open("rb") as source:
        return dump(SquashfsImage(source).entries())


@pytest.mark.parametrize(
    "options",
    [
        *(
            ("-comp", compressor, "-b", size)
            for compressor in ("gzip", "xz", "lz4", "zstd", "lzma")
            for size in ("4096", "131072", "1M")
        ),
        ("-comp", "xz", "-Xbcj", "x86,arm,powerpc", "-b", "256K"),
        ("-comp", "xz", "-Xdict-size", "50%", "-b", "64K"),
        ("-comp", "gzip", "-Xstrategy", "huffman_only,fixed"),
        ("-comp", "lz4", "-Xhc"),
        ("-noI", "-noD", "-noF", "-noX", "-noId"),
        ("-no-fragments", "-no-exports", "-no-sparse", "-no-duplicates"),
        ("-always-use-fragments", "-nopad"),
    ],
    ids=" ".join,
)
def test_mksquashfs(tmp_path: Path, tree: Path, options: tuple[str, ...]) -> None:
    image = tmp_path / "image"
    run(tool("mksquashfs"), tree, image, "-quiet", "-no-progress", "-all-root", *options)
    assert found(image) == expected(tree)


def test_other_writer(tmp_path: Path, tree: Path) -> None:
    image = tmp_path / "image"
    tar = tmp_path / "tar"
    run(tool("tar"), "-C", tree, "--owner=0", "--group=0", "-cf", tar, ".")
    run(tool("tar2sqfs"), "-q", image, stdin=tar.read_bytes())
    assert found(image) == expected(tree)


def test_extended_attributes_are_passed_over(tmp_path: Path) -> None:
    top = tmp_path / "tree"
    top.mkdir()
    for number in range(3):
        path = top / f"f{number}"
        path.write_bytes(b"%d" % number)
        try:
            os.setxattr(path, "user.test", b"value" * number)
        except OSError:
            pytest.skip("this file system has no extended attributes of users")
    image = tmp_path / "image"
    run(tool("mksquashfs"), top, image, "-quiet", "-no-progress", "-all-root", "-xattrs")
    assert found(image) == expected(top)


def test_lzo_is_named(tmp_path: Path, tree: Path) -> None:
    image = tmp_path / "image"
    run(tool("mksquashfs"), tree, image, "-quiet", "-no-progress", "-comp", "lzo")
    with image.open("rb") as source, pytest.raises(UnsupportedError, match="compressed with lzo"):
        SquashfsImage(source)


def test_devices(tmp_path: Path) -> None:
    # Made by a pseudo file, so no root is needed.
    top = tmp_path / "tree"
    top.mkdir()
    image = tmp_path / "image"
    pseudo = ("-p", "null c 666 0 0 1 3", "-p", "disk b 640 7 8 259 70000")
    run(tool("mksquashfs"), top, image, "-quiet", "-no-progress", *pseudo)
    assert found(image) == {"null": "char 0666 1:3", "disk": "block 0640 259:70000 7:8"}
