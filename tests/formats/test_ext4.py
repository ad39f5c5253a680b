from __future__ import annotations

import gzip
import io
import struct
from pathlib import Path
from typing import BinaryIO, Final, cast

import pytest

from rdcompose.errors import FormatError, UnsupportedError
from rdcompose.formats.ext4.blocks import Run, block_map, extents
from rdcompose.formats.ext4.reader import Ext4Image
from rdcompose.formats.window import Window
from rdcompose.tree import Directory, File
from tests.support.dump import digest, dump

DATA: Final = Path(__file__).parent / "data"
IMAGES: Final = {
    name: gzip.decompress((DATA / f"{name}.img.gz").read_bytes()) for name in ("ext4", "ext2")
}
TEXT: Final = b"some text\n" * 3500
HOLES: Final = b"start" + bytes(300_000 - 5) + b"end"
EXPECTED: Final = {
    "lost+found": "dir 0700",
    "6.1": "dir 0755",
    "6.1/kernel": "dir 0755",
    "6.1/kernel/x.ko": f"file 0644 {digest(b'module')}",
    "d": "dir 1777",
    "d/e": "dir 0755",
    **{f"d/e/{n:02}": f"file 0644 {digest(b'%d' % n)}" for n in range(40)},
    "empty": "file 0644 empty",
    "fifo": "fifo 0644",
    "holes": f"file 0644 {digest(HOLES)}",
    "text": f"file 0640 {digest(TEXT)}",
    "linked": f"file 0640 {digest(TEXT)}",
    "link": "symlink text",
    "long-link": "symlink " + "d/" * 40 + "x",
    "null": "char 0000 1:3",
    "disk": "block 0000 8:200",
}


def read(data: bytes) -> dict[str, str]:
    return dump(Ext4Image(io.BytesIO(data)).entries())


def patched(offset: int, value: bytes, name: str = "ext4") -> bytes:
    data = bytearray(IMAGES[name])
    data[offset : offset + len(value)] = value
    return bytes(data)


@pytest.mark.parametrize("name", IMAGES)
def test_everything(name: str) -> None:
    assert read(IMAGES[name]) == EXPECTED


@pytest.mark.parametrize("name", IMAGES)
def test_top_and_order(name: str) -> None:
    image = Ext4Image(io.BytesIO(IMAGES[name]))
    assert set(image.top()) == {path for path in EXPECTED if "/" not in path}
    seen = {""}
    for entry in image.entries():
        assert entry.path.rpartition("/")[0] in seen
        if isinstance(entry, Directory):
            seen.add(entry.path)


@pytest.mark.parametrize("name", IMAGES)
def test_contents_in_pieces(name: str) -> None:
    files = {
        entry.path: entry.content
        for entry in Ext4Image(io.BytesIO(IMAGES[name])).entries()
        if isinstance(entry, File)
    }
    assert files["holes"].size == len(HOLES)
    pieces = list(files["holes"].chunks(1000))
    assert b"".join(pieces) == HOLES
    assert {len(piece) for piece in pieces[:-1]} == {1000}


@pytest.mark.parametrize("data", [b"", bytes(2048), b"hsqs" + bytes(5000)])
def test_what_is_none(data: bytes) -> None:
    with pytest.raises(FormatError, match=r"no ext4 image|cut off in its superblock"):
        Ext4Image(io.BytesIO(data))


@pytest.mark.parametrize(
    ("bit", "why"),
    [
        (0x1, "is compressed"),
        (0x4, "was not unmounted"),
        (0x8, "is a journal"),
        (0x10, "meta_bg"),
        (0x8000, "inline_data"),
        (0x10000, "is encrypted"),
        (0x80000000, "features that are not known: 0x80000000"),
    ],
)
def test_features_that_are_refused(bit: int, why: str) -> None:
    (features,) = struct.unpack_from("<I", IMAGES["ext4"], 1024 + 96)
    with pytest.raises(UnsupportedError, match=why):
        Ext4Image(io.BytesIO(patched(1024 + 96, struct.pack("<I", features | bit))))


def test_the_first_revision_has_no_features() -> None:
    image = Ext4Image(io.BytesIO(patched(1024 + 76, bytes(4), "ext2")))
    assert image.superblock.inode_size == 128
    assert not image.superblock.file_types


@pytest.mark.parametrize(
    ("offset", "value"),
    [
        (24, b"\7\0\0\0"),  # blocks of 128 KiB
        (24, b"\xff\xff\xff\xff"),
        (40, bytes(4)),  # no inodes in a group
        (88, b"\x40\0"),  # inodes of 64 bytes
        (88, b"\0\x80"),
        (254, b"\x08\0"),
    ],
)
def test_sizes_that_cannot_be(offset: int, value: bytes) -> None:
    data = patched(1024 + offset, value)
    if offset == 254:
        data = data[: 1024 + 96] + struct.pack("<I", 0x82) + data[1024 + 100 :]
    with pytest.raises(FormatError, match="sizes that cannot be"):
        Ext4Image(io.BytesIO(data))


def inode_at(number: int, name: str = "ext4") -> int:
    """Offset of an inode of the first group."""
    data = IMAGES[name]
    # Behind the superblock comes one block of descriptors.
    (table,) = struct.unpack_from("<I", data, 2048 + 8)
    return int(table) * 1024 + (number - 1) * 256


def with_root(offset: int, value: bytes, name: str = "ext4") -> bytes:
    return patched(inode_at(2, name) + offset, value, name)


def test_a_root_that_is_none() -> None:
    with pytest.raises(FormatError, match="a directory of the ext4 image is none"):
        read(with_root(0, struct.pack("<H", 0o100644)))
    with pytest.raises(FormatError, match="has 2147483648 bytes"):
        read(with_root(4, struct.pack("<I", 1 << 31)))
    with pytest.raises(FormatError, match="inside of its inode"):
        read(with_root(32, struct.pack("<I", 0x10000000)))


def root_block(name: str) -> int:
    """Offset of the listing of the root."""
    at = inode_at(2, name) + 40
    if name == "ext2":
        return int(struct.unpack_from("<I", IMAGES[name], at)[0]) * 1024
    return int(struct.unpack_from("<I", IMAGES[name], at + 12 + 8)[0]) * 1024


@pytest.mark.parametrize("name", IMAGES)
def test_listings_that_are_damaged(name: str) -> None:
    at = root_block(name)
    # Records of no length, of more than the block, with a name that is longer than they are.
    for value in (b"\0\0", b"\xff\x7f", b"\x08\0"):
        with pytest.raises(FormatError, match="a directory of the ext4 image is damaged"):
            read(patched(at + 4, value, name))
    # The third record is the first with a name of its own.
    for value, message in (
        (struct.pack("<I", 2), "is there twice"),
        (struct.pack("<I", 97), "no inode 97"),
    ):
        with pytest.raises(FormatError, match=message):
            read(patched(at + 24, value, name))
    for value in (b"a/b", b"a\0b"):
        with pytest.raises(FormatError, match=r"has the name|hostile name"):
            read(patched(at + 24 + 8, value, name))


def test_too_many_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rdcompose.formats.ext4.reader.MAX_NAMES", 9)
    with pytest.raises(FormatError, match="more than 9 names"):
        read(IMAGES["ext4"])


def test_a_cut_image() -> None:
    with pytest.raises(FormatError, match="is cut, or points to"):
        read(IMAGES["ext4"][:10_000])


def test_a_partition_behind_the_end_of_its_disk() -> None:
    source = io.BytesIO(IMAGES["ext4"][:10_000])
    window = cast("BinaryIO", Window(source, 0, len(IMAGES["ext4"])))
    with pytest.raises(FormatError, match="is cut, or points to"):
        dump(Ext4Image(window).entries())


def tree(*entries: bytes, depth: int = 0, magic: int = 0xF30A, count: int | None = None) -> bytes:
    number = len(entries) if count is None else count
    return struct.pack("<4H4x", magic, number, 4, depth) + b"".join(entries)


def leaf(logical: int, length: int, place: int) -> bytes:
    return struct.pack("<I2HI", logical, length, place >> 32, place & 0xFFFFFFFF)


def index(logical: int, place: int) -> bytes:
    return struct.pack("<2IH2x", logical, place & 0xFFFFFFFF, place >> 32)


def test_extents() -> None:
    blocks = {
        1 << 33: tree(leaf(0, 2, 7), leaf(5, 32768 + 3, 9)),
        8: tree(leaf(9, 1, (1 << 40) + 1)),
    }
    root = tree(index(0, 1 << 33), index(9, 8), depth=1)
    assert list(extents(root, blocks.__getitem__)) == [
        Run(0, 2, 7),
        Run(5, 3, None),
        Run(9, 1, (1 << 40) + 1),
    ]


@pytest.mark.parametrize(
    ("root", "blocks", "message"),
    [
        (tree(magic=0), {}, "node of the extents .* is damaged"),
        (tree(depth=6), {}, "is damaged"),
        (tree(count=5), {}, "is damaged"),
        (tree(index(0, 1), depth=1), {1: tree(depth=1)}, "is damaged"),
        (tree(leaf(3, 2, 1), leaf(4, 1, 1)), {}, "overlap"),
        (tree(leaf(3, 0, 1)), {}, "overlap"),
        (tree(index(0, 1), index(0, 1), depth=1), {1: tree(leaf(0, 1, 1))}, "overlap"),
        (tree(index(0, 1), index(1, 1), depth=1), {1: tree(leaf(0, 1, 1))}, "overlap"),
    ],
)
def test_extents_that_cannot_be(root: bytes, blocks: dict[int, bytes], message: str) -> None:
    with pytest.raises(FormatError, match=message):
        list(extents(root, blocks.__getitem__))


def test_block_map() -> None:
    pointers = struct.pack("<4I", 100, 0, 102, 103)
    blocks = {50: pointers, 51: struct.pack("<4I", 50, 50, 50, 50), 0: bytes(16)}
    root = struct.pack("<15I", *range(1, 13), 50, 51, 0)
    runs = list(block_map(root, 35, blocks.__getitem__))
    places = [run.place for run in runs]
    assert places[:12] == list(range(1, 13))
    assert places[12:16] == [100, None, 102, 103]
    assert places[16:32] == [100, None, 102, 103] * 4
    assert places[32:] == [None] * 3
    assert [run.logical for run in runs] == list(range(35))
    with pytest.raises(FormatError, match="longer than its blocks can be"):
        list(block_map(root, 1000, blocks.__getitem__))
