from __future__ import annotations

import dataclasses
import io
import lzma
import re
import struct
import sys
import zlib
from typing import TYPE_CHECKING, Final

import lz4.block
import pytest
import zstandard

from rdcompose.errors import FormatError, UnsupportedError
from rdcompose.formats.squashfs.compressors import NAMES
from rdcompose.formats.squashfs.reader import SquashfsImage
from rdcompose.formats.squashfs.superblock import SUPERBLOCK
from rdcompose.formats.squashfs.unpackers import compressor_name, unpack_function
from rdcompose.formats.squashfs.writer import write_squashfs
from rdcompose.tree import Directory, File, read_all
from tests.support.dump import dump
from tests.support.squashtrees import everything, file, noise, text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from rdcompose.tree import Entry

FIELDS: Final = (
    *("magic", "inodes", "mtime", "block_size", "fragments", "compressor", "block_log"),
    *("flags", "ids", "major", "minor", "root", "bytes_used", "id_table", "xattr_table"),
    *("inode_table", "directory_table", "fragment_table", "export_table"),
)


def image(entries: Iterable[Entry], **options: int | str) -> bytes:
    out = io.BytesIO()
    given = {"compressor": "zstd", "level": 1, "block_size": 4096, "threads": 1} | options
    write_squashfs(out, entries, mtime=7, **given)  # type: ignore[arg-type]
    return out.getvalue()


def read(data: bytes) -> dict[str, str]:
    return dump(SquashfsImage(io.BytesIO(data)).entries())


def changed(data: bytes, **fields: int) -> bytes:
    """The image with other fields in its superblock."""
    values = dict(zip(FIELDS, SUPERBLOCK.unpack_from(data), strict=True)) | fields
    return SUPERBLOCK.pack(*values.values()) + data[SUPERBLOCK.size :]


def field(data: bytes, name: str) -> int:
    values = dict(zip(FIELDS, SUPERBLOCK.unpack_from(data), strict=True))
    found = values[name]
    assert isinstance(found, int)
    return found


@pytest.mark.parametrize("compressor", NAMES)
@pytest.mark.parametrize("block_size", [4096, 1024 * 1024])
def test_every_kind_of_entry(compressor: str, block_size: int) -> None:
    data = image(everything(), compressor=compressor, block_size=block_size)
    assert read(data) == dump(everything())
    opened = SquashfsImage(io.BytesIO(data))
    assert opened.compressor == compressor
    assert opened.size == field(data, "bytes_used")


def test_directories_come_before_what_is_in_them() -> None:
    seen = {""}
    for entry in SquashfsImage(io.BytesIO(image(everything()))).entries():
        assert entry.path.rpartition("/")[0] in seen
        if isinstance(entry, Directory):
            seen.add(entry.path)


def test_an_empty_image() -> None:
    assert read(image(())) == {}


def test_contents_come_in_pieces_as_often_as_asked() -> None:
    [entry] = SquashfsImage(io.BytesIO(image([file("f", text(50_000))]))).entries()
    assert isinstance(entry, File)
    assert entry.content.size == 50_000
    for size in (1000, 4096, 5000, 1 << 20):
        pieces = list(entry.content.chunks(size))
        assert b"".join(pieces) == text(50_000)
        assert {len(piece) for piece in pieces[:-1]} <= {size}


def test_listing_reads_no_content() -> None:
    data = bytearray(image([file("f", noise(50_000))], compressor="gzip"))
    data[96:40_000] = bytes(40_000 - 96)
    [entry] = SquashfsImage(io.BytesIO(data)).entries()
    assert entry.path == "f"


@pytest.mark.parametrize("compressor", ["gzip", "xz", "zstd", "lz4"])
def test_damaged_content(compressor: str) -> None:
    data = bytearray(image([file("f", text(50_000))], compressor=compressor))
    data[200:2000] = b"\xff" * 1800
    [entry] = SquashfsImage(io.BytesIO(data)).entries()
    assert isinstance(entry, File)
    with pytest.raises(FormatError, match=r"a block of a file has|block of the squashfs image"):
        read_all(entry.content)


@pytest.mark.parametrize("start", [b"", b"hsq", b"hsqs", b"QFI\xfb" + bytes(200)])
def test_no_image(start: bytes) -> None:
    with pytest.raises(FormatError, match="no squashfs image"):
        SquashfsImage(io.BytesIO(start))


@pytest.mark.parametrize(
    ("fields", "error", "message"),
    [
        ({"major": 3}, UnsupportedError, "version 3.0, not 4.0"),
        ({"magic": 0x68737173}, UnsupportedError, "version before 4.0"),
        ({"compressor": 3}, UnsupportedError, "compressed with lzo"),
        ({"compressor": 7}, FormatError, "compressor 7"),
        ({"block_size": 4095}, FormatError, "blocks of 4095 bytes"),
        ({"block_size": 1 << 21, "block_log": 21}, FormatError, "blocks of 2097152 bytes"),
        ({"block_log": 13}, FormatError, "blocks of 4096 bytes"),
        ({"inode_table": 3}, FormatError, "not where they can be"),
        ({"directory_table": 1 << 40}, FormatError, "not where they can be"),
        ({"bytes_used": 1 << 40}, FormatError, "cut short: 1099511627776 bytes announced"),
    ],
)
def test_superblocks_that_are_refused(
    fields: dict[str, int], error: type[Exception], message: str
) -> None:
    data = changed(image(everything()), **fields)
    with pytest.raises(error, match=message):
        SquashfsImage(io.BytesIO(data))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"root": 0xFFFF}, "behind its block"),
        ({"root": 1 << 40}, "no inode at"),
        ({"ids": 0}, "record 0 of 0"),
        ({"id_table": 1 << 50}, "outside of it"),
    ],
)
def test_tables_that_lead_nowhere(fields: dict[str, int], message: str) -> None:
    data = changed(image([Directory(path="d"), file("f", b"x")]), **fields)
    with pytest.raises(FormatError, match=message):
        read(data)


def test_fragments_that_lead_nowhere() -> None:
    data = changed(image([file("f", b"x")]), fragments=0)
    with pytest.raises(FormatError, match="record 0 of 0"):
        read(data)


class Handmade:
    """An image whose tables are single blocks, stored as they are, and anything may be in them."""

    def __init__(self) -> None:
        self.inodes = bytearray()
        self.listings = bytearray()

    def inode(self, kind: int, record: bytes, number: int, mode: int = 0o644) -> int:
        """Add an inode; return its offset."""
        offset = len(self.inodes)
        self.inodes += struct.pack("<4H2I", kind, mode, 0, 0, 0, number) + record
        return offset

    def listing(self, *names: tuple[bytes, int], count: int | None = None) -> tuple[int, int]:
        """Add a listing of names and offsets of inodes; return its offset and length."""
        offset = len(self.listings)
        self.listings += struct.pack("<3I", len(names) - 1 if count is None else count, 0, 1)
        for name, inode in names:
            self.listings += struct.pack("<HhHH", inode, 0, 2, len(name) - 1) + name
        return offset, len(self.listings) - offset

    def directory(self, number: int, listing: tuple[int, int]) -> int:
        offset, size = listing
        return self.inode(1, struct.pack("<2I2HI", 0, 2, size + 3, offset, 9), number)

    def image(self, root: int) -> bytes:
        def block(data: bytes) -> bytes:
            return struct.pack("<H", len(data) | 0x8000) + data

        inodes, listings = block(bytes(self.inodes)), block(bytes(self.listings) or b"\0")
        ids = block(bytes(4))
        at = 96 + len(inodes) + len(listings)
        end = at + len(ids) + 8
        none = 0xFFFFFFFFFFFFFFFF
        head = SUPERBLOCK.pack(
            *(0x73717368, 9, 0, 4096, 0, 1, 12, 0, 1, 4, 0, root, end, at + len(ids), none),
            *(96, 96 + len(inodes), none, none),
        )
        return head + inodes + listings + ids + struct.pack("<Q", at)


def handmade(*names: bytes, kind: int = 6, record: bytes = bytes(4)) -> bytes:
    """An image with some names for one inode."""
    made = Handmade()
    inode = made.inode(kind, record, 2)
    return made.image(made.directory(1, made.listing(*((name, inode) for name in names))))


def test_hard_links_are_files_of_their_own() -> None:
    assert list(read(handmade(b"a", b"b"))) == ["a", "b"]


@pytest.mark.parametrize(
    ("kind", "record", "shown"),
    [
        (10, struct.pack("<2I", 1, 2) + b"to" + bytes(4), "symlink to"),
        (11, struct.pack("<3I", 1, 0x10305, 0xFFFFFFFF), "block 0644 259:5"),
        (12, struct.pack("<3I", 1, 0x103, 0xFFFFFFFF), "char 0644 1:3"),
        (13, struct.pack("<2I", 1, 0xFFFFFFFF), "fifo 0644"),
        (14, struct.pack("<2I", 1, 0xFFFFFFFF), "socket 0644"),
        (8, struct.pack("<4I2HI", 2, 3, 0, 1, 0, 0, 0xFFFFFFFF), "dir 0644"),
        (9, struct.pack("<3Q4I", 0, 0, 0, 1, 0xFFFFFFFF, 0, 0), "file 0644 empty"),
    ],
)
def test_extended_records(kind: int, record: bytes, shown: str) -> None:
    assert read(handmade(b"n", kind=kind, record=record)) == {"n": shown}


def test_holes_of_a_terabyte_cost_nothing_until_they_are_read() -> None:
    size = 4096 << 19
    record = struct.pack("<3Q4I", 0, size, size, 1, 0xFFFFFFFF, 0, 0)
    made = Handmade()
    inode = made.inode(9, record, 2)
    root = made.directory(1, made.listing((b"holes", inode)))
    # The table of its blocks is not there.
    with pytest.raises(FormatError, match=r"metadata block|outside|cut short"):
        read(made.image(root))
    record = struct.pack("<3Q4I", 0, 1 << 50, 0, 1, 0xFFFFFFFF, 0, 0)
    with pytest.raises(FormatError, match=f"claims to have {1 << 50} bytes"):
        read(handmade(b"n", kind=9, record=record))


@pytest.mark.parametrize("name", [b"..", b".", b"a/b", b"a\0b"])
def test_hostile_names(name: bytes) -> None:
    with pytest.raises(FormatError, match=r"hostile name|has the name"):
        read(handmade(name))


@pytest.mark.parametrize("names", [(b"b", b"a"), (b"a", b"a")])
def test_names_out_of_order_or_twice(names: tuple[bytes, ...]) -> None:
    with pytest.raises(FormatError, match=f"lists {re.escape(repr(names[1]))} out of order"):
        read(handmade(*names))


@pytest.mark.parametrize(
    ("kind", "record", "message"),
    [
        (0, b"", "has the type 0"),
        (15, b"", "has the type 15"),
        (3, struct.pack("<2I", 1, 4096), "target of 4096 bytes"),
        (3, struct.pack("<2I", 1, 0), "no valid target"),
        (3, struct.pack("<2I", 1, 2) + b"\0x", "no valid target"),
    ],
)
def test_inodes_that_cannot_be(kind: int, record: bytes, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        read(handmade(b"n", kind=kind, record=record))


def test_a_directory_in_itself() -> None:
    made = Handmade()
    listing = made.listing((b"again", 0))
    with pytest.raises(FormatError, match="'again' is there twice"):
        read(made.image(made.directory(1, listing)))


def test_a_root_that_is_no_directory() -> None:
    made = Handmade()
    with pytest.raises(FormatError, match="root of the squashfs image is no directory"):
        read(made.image(made.inode(6, bytes(4), 1)))


def test_listings_that_do_not_fit() -> None:
    made = Handmade()
    offset, size = made.listing((b"n", 0), count=256)
    with pytest.raises(FormatError, match="run of 257 names"):
        read(made.image(made.directory(1, (offset, size))))
    made = Handmade()
    node = made.inode(6, bytes(4), 2)
    offset, size = made.listing((b"n", node))
    with pytest.raises(FormatError, match="does not end where it should"):
        read(made.image(made.directory(1, (offset, size - 1))))


def test_too_many_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rdcompose.formats.squashfs.reader.MAX_NAMES", 2)
    assert len(read(handmade(b"a", b"b"))) == 2
    with pytest.raises(FormatError, match="more than 2 names"):
        read(handmade(b"a", b"b", b"c"))


def test_metadata_of_impossible_length() -> None:
    data = bytearray(image([file("f", b"x")]))
    at = field(bytes(data), "inode_table")
    for length in (0x0000, 0x8000, 0x7FFF):
        data[at : at + 2] = struct.pack("<H", length)
        with pytest.raises(FormatError, match="metadata block of the squashfs image has"):
            read(bytes(data))


PACKERS: Final[dict[str, Callable[[bytes], bytes]]] = {
    "gzip": zlib.compress,
    "xz": lzma.compress,
    "lzma": lambda data: lzma.compress(data, lzma.FORMAT_ALONE),
    "zstd": zstandard.ZstdCompressor().compress,
    "lz4": lambda data: bytes(lz4.block.compress(data, store_size=False)),
}


@pytest.mark.parametrize("name", PACKERS)
def test_blocks_are_bounded(name: str) -> None:
    packed = PACKERS[name](bytes(100_000))
    unpack = unpack_function(name)
    assert unpack(packed, 100_000) == bytes(100_000)
    with pytest.raises(
        FormatError, match=rf"a {name} block .* is (longer than 4096 bytes|damaged)"
    ):
        unpack(packed, 4096)


@pytest.mark.parametrize("name", ["gzip", "xz"])
def test_blocks_that_are_cut(name: str) -> None:
    packed = PACKERS[name](noise(5000))
    with pytest.raises(FormatError, match="cut short"):
        unpack_function(name)(packed[:-9], 8192)


def test_compressors_without_a_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lz4.block", None)
    with pytest.raises(UnsupportedError, match="lz4 is not installed") as caught:
        unpack_function("lz4")
    assert "rdcompose[lz4]" in str(caught.value.hint)
    assert compressor_name(6) == "zstd"


def test_xz_with_a_filter_of_its_architecture() -> None:
    filters = [{"id": lzma.FILTER_X86}, {"id": lzma.FILTER_LZMA2, "preset": 1}]
    packed = lzma.compress(text(4000), check=lzma.CHECK_CRC32, filters=filters)
    assert unpack_function("xz")(packed, 4096) == text(4000)


def test_owners_are_those_of_the_table() -> None:
    entries = [dataclasses.replace(file(f"f{n}", b""), uid=n, gid=70_000 + n) for n in range(3)]
    found = SquashfsImage(io.BytesIO(image(entries))).entries()
    assert [(entry.uid, entry.gid) for entry in found] == [(n, 70_000 + n) for n in range(3)]
