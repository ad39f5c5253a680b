"""What the writer of ext4 makes, judged and used by e2fsprogs."""

from __future__ import annotations

import dataclasses
import re
import struct
from typing import TYPE_CHECKING

import pytest

from rdcompose.formats.ext4.hashes import name_hash
from rdcompose.formats.ext4.reader import Ext4Image
from rdcompose.formats.ext4.writer import Ext4Writer
from rdcompose.tree import File, Pieces, read_all
from tests.support.rootfiles import TIME, UUID, root_files
from tests.support.tools import run, tool

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rdcompose.formats.ext4.contents import Files

pytestmark = pytest.mark.reference

MIB = 1 << 20


def write(files: Files, image: Path, size: int = 0) -> Path:
    writer = Ext4Writer(files, uuid=UUID, label="rootfs", mtime=TIME)
    size = max(size, writer.minimum)
    with image.open("w+b") as out:
        out.truncate(size)
        writer.write(out, size)
    return image


def check(image: Path) -> str:
    """Return what e2fsck says of an image that it finds no fault with."""
    return run(tool("e2fsck"), "-fn", image)


def ask(image: Path, request: str) -> str:
    return run(tool("debugfs"), "-R", request, image)


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(root_files(names=3000), tmp_path_factory.mktemp("ext4") / "image")


@pytest.mark.parametrize(
    "size",
    # Around where a group ends, where a copy of the superblock is, and where groups that keep
    # their tables together end; where the journal gets longer.
    [
        *(128 * MIB + n * 4096 for n in (0, 1, 700, 900)),
        513 * MIB,
        1100 * MIB,
        2100 * MIB,
        9000 * MIB,
    ],
)
def test_e2fsck_finds_nothing(tmp_path: Path, size: int) -> None:
    image = write(root_files(), tmp_path / "image", size)
    assert "(0.0% non-contiguous)" in check(image)
    assert image.stat().st_blocks * 512 < 40 * MIB


def test_large_directories(tmp_path: Path) -> None:
    # An index of two levels takes more than 507 blocks of names.
    files = root_files()
    links = {f"many/{n:05}{'x' * 240}": "noise" for n in range(9000)}
    image = write(dataclasses.replace(files, links=links), tmp_path / "image")
    check(image)
    assert "Indirect levels: 1" in ask(image, "htree_dump many")


def test_file_of_many_extents(tmp_path: Path) -> None:
    size = 700 * MIB
    ends = (b"start", b"end")

    def pieces() -> Iterator[bytes]:
        yield ends[0].ljust(MIB, b"\0")
        yield from (bytes(MIB) for _ in range(size // MIB - 2))
        yield ends[1].rjust(MIB, b"\0")

    files = root_files(entries=(File(path="large", content=Pieces(size, pieces)),))
    image = write(files, tmp_path / "image")
    check(image)
    assert "ETB0" in ask(image, "stat /large")
    with image.open("rb") as source:
        [entry] = [row for row in Ext4Image(source).entries() if row.path == "large"]
        assert isinstance(entry, File)
        found = list(entry.content.chunks(MIB))
    assert found[0].startswith(ends[0])
    assert found[-1].endswith(ends[1])
    assert all(piece.count(0) == MIB for piece in found[1:-1])


def test_features_are_those_of_mke2fs(tmp_path: Path, image: Path) -> None:
    other = tmp_path / "other"
    run(tool("mke2fs"), "-q", "-F", "-t", "ext4", "-b", "4096", other, "600M")
    found, wanted = (features(path) for path in (image, other))
    # Later ones of Debian have two more, which those of Debian 12 cannot repair.
    assert found == wanted - {"metadata_csum_seed", "orphan_file"}


def features(image: Path) -> set[str]:
    text = ask(image, "features")
    return set(text.partition(":")[2].split())


def test_contents(tmp_path: Path, image: Path) -> None:
    for path in ("noise", "zeros", "usr/bin/ping6", "many/näme-02999"):
        out = tmp_path / "out"
        ask(image, f"dump /{path} {out}")
        files = root_files(names=3000)
        entry = files.tree.get(files.links.get(path, path))
        assert isinstance(entry, File)
        assert out.read_bytes() == read_all(entry.content)


def test_attributes(image: Path) -> None:
    ping = ask(image, "stat /usr/bin/ping")
    assert "Mode:  04755" in ping
    assert "Links: 2" in ping
    assert "security.capability (20) = 01 00 00 02 00 20 00 00" in ping
    assert 'user.note (3) = "odd"' in ping
    hostname = ask(image, "stat /etc/hostname")
    assert re.search(r"User: 70000 +Group: 80000", hostname)
    assert "mtime: 0xffffffff:00000000" in hostname
    etc = ask(image, "stat /etc")
    assert "mtime: 0x2a05f200:00000001" in etc
    assert "system.posix_acl_default" in etc
    assert "user.large (3000)" in ask(image, "ea_list /noise")
    assert re.search(r"User: +3 +Group: +4 ", ask(image, "stat /"))


@pytest.mark.parametrize(
    ("path", "fast"), [("links/59", True), ("links/60", False), ("links/4095", False)]
)
def test_links(image: Path, path: str, *, fast: bool) -> None:
    found = ask(image, f"stat /{path}")
    assert ("Fast link dest" in found) is fast
    assert f"Size: {path.rpartition('/')[2]}" in found


def test_nodes(image: Path) -> None:
    assert "Device major/minor number: 01:03 (hex 01:03)" in ask(image, "stat /dev/null")
    assert "Device major/minor number: 259:70000" in ask(image, "stat /dev/nvme")


def test_hashes_of_names(image: Path) -> None:
    seed = struct.unpack("<4I", UUID[::-1])
    for name in ("a", "lost+found", "x" * 32, "x" * 33, "y" * 255, "0123456"):
        found = ask(image, f"dx_hash -h half_md4 -s 0f0e0d0c-0b0a-0908-0706-050403020100 {name}")
        major, minor = re.findall(r"0x([0-9a-f]{8})", found)
        assert name_hash(name.encode(), seed) == (int(major, 16), int(minor, 16))


@pytest.mark.parametrize("size", [200, 3000, 40_000])
def test_resize2fs_makes_it_larger(tmp_path: Path, size: int) -> None:
    image = write(root_files(), tmp_path / "image")
    with image.open("r+b") as out:
        out.truncate(size * MIB)
    run(tool("resize2fs"), image)
    check(image)
    assert f"Block count:              {size * 256}\n" in ask(image, "show_super_stats -h")
    # The old descriptors were enough to grow with.
    assert "resize_inode" in features(image)


def test_resize2fs_makes_it_smaller(tmp_path: Path) -> None:
    image = write(root_files(), tmp_path / "image", 3000 * MIB)
    run(tool("resize2fs"), "-M", image)
    check(image)
