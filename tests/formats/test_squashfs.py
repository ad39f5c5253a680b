from __future__ import annotations

import dataclasses
import hashlib
import io
import struct
import sys
import threading
from typing import TYPE_CHECKING, Any, Final

import pytest

from rdcompose.errors import FormatError, SpecError, UnsupportedError
from rdcompose.formats.squashfs import inodes
from rdcompose.formats.squashfs.compressors import NAMES
from rdcompose.formats.squashfs.directories import Child, write_listing
from rdcompose.formats.squashfs.ids import IdTable
from rdcompose.formats.squashfs.metadata import MetadataWriter
from rdcompose.formats.squashfs.writer import SquashfsResult, write_squashfs
from rdcompose.tree import (
    Bytes,
    Directory,
    Entry,
    File,
    Node,
    NodeKind,
    Symlink,
    Tree,
    decode_name,
)
from tests.support.dump import dump
from tests.support.squashfs import SquashfsReader
from tests.support.squashtrees import everything, file, noise, text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

KIB: Final = 1024
TIME: Final = 1_700_000_000


def tree(*entries: Entry) -> Tree:
    made = Tree()
    for entry in entries:
        made.add(entry)
    return made


def image(entries: Iterable[Entry], **options: Any) -> bytes:
    out = io.BytesIO()
    write_squashfs(out, entries, mtime=TIME, **options)
    return out.getvalue()


def check(entries: Iterable[Entry], **options: Any) -> SquashfsReader:
    """Write a tree and compare what a strict reader finds with it."""
    entries = list(entries)
    reader = SquashfsReader(image(entries, **options))
    found = dump(reader.entries())
    assert found == dump(entries)
    return reader


@dataclasses.dataclass(frozen=True)
class Zeros:
    """Content without memory behind it; ``end`` are its last bytes."""

    size: int
    end: bytes = b""

    def chunks(self, size: int) -> Iterator[bytes]:
        piece = bytes(size)
        whole, rest = divmod(self.size, size)
        for number in range(whole):
            last = number == whole - 1 and not rest
            yield piece[: size - len(self.end)] + self.end if last else piece
        if rest:
            yield bytes(rest - len(self.end)) + self.end


@dataclasses.dataclass(frozen=True)
class Pieces:
    """Content that may break its promises."""

    size: int
    pieces: tuple[bytes, ...]

    def chunks(self, size: int) -> Iterator[bytes]:
        del size
        yield from self.pieces


EVERYTHING: Final = everything()


@pytest.mark.parametrize("compressor", NAMES)
@pytest.mark.parametrize("block_size", [4 * KIB, 128 * KIB, 1024 * KIB])
def test_everything(compressor: str, block_size: int) -> None:
    reader = check(EVERYTHING, compressor=compressor, block_size=block_size)
    assert reader.superblock.block_size == block_size
    assert reader.superblock.mtime == TIME
    # 0o755 and root's: the root is no entry, so nothing can say otherwise.
    assert (reader.root.mode, reader.root.uid, reader.root.gid) == (0o755, 0, 0)


def test_empty_tree() -> None:
    reader = check([])
    assert reader.superblock.inodes == 1
    assert len(reader.data) == 4096


@pytest.mark.parametrize("size", [0, 1, 4095, 4096, 4097, 8191, 8192, 8193, 12288, 300_000])
@pytest.mark.parametrize("make", [text, noise, bytes], ids=["text", "noise", "zeros"])
def test_sizes_around_blocks(size: int, make: Any) -> None:
    check([file("f", make(size))], block_size=4096)


def test_result_counts() -> None:
    small, big = text(100), text(600_000)
    out = io.BytesIO()
    result = write_squashfs(
        out,
        tree(file("a", small), file("b", small), file("d/c", big), file("e", b"")),
        mtime=TIME,
        block_size=256 * KIB,
    )
    used = SquashfsReader(out.getvalue()).superblock.bytes_used
    assert result == SquashfsResult(
        size=len(out.getvalue()),
        used=used,
        inodes=6,
        files=4,
        duplicates=1,
        content_size=2 * len(small) + len(big),
        blocks=4,
        fragments=1,
    )
    assert out.tell() == result.size
    assert not out.closed


@pytest.mark.parametrize("compressor", NAMES)
def test_threads_change_nothing(compressor: str) -> None:
    entries = [
        file(f"f{number:03}", text(number * 997, number % 11) + noise(number * 131, number))
        for number in range(60)
    ]
    options = {"compressor": compressor, "level": 1, "block_size": 16 * KIB}
    digests = {
        hashlib.sha256(image(entries, threads=threads, **options)).hexdigest()
        for threads in (1, 2, 4)
    }
    assert len(digests) == 1


@pytest.mark.parametrize("level", [1, 5, 9, 12, 15, 19])
def test_a_used_context_changes_nothing(level: int) -> None:
    # A thread compresses one block after another with the same context.
    entry = file("z", text(50_000, 3))
    alone = SquashfsReader(image([entry], level=level, block_size=64 * KIB, threads=1))
    before = [file(f"a{number}", text(60_000, number)) for number in range(9)]
    after = SquashfsReader(image([*before, entry], level=level, block_size=64 * KIB, threads=1))

    def block(reader: SquashfsReader) -> bytes:
        start, size, _ = reader.fragments[-1]
        return reader.data[start : start + size]

    assert block(alone) == block(after)


def test_equal_contents_are_stored_once() -> None:
    big, small, other = text(500_000), text(900), text(900, 1)
    reader = check(
        tree(
            file("a/big", big),
            file("a/small", small),
            file("b/big", big, mode=0o755),
            file("b/other", other),
            file("c/small", small),
        ),
        block_size=128 * KIB,
    )
    by_path = reader.by_path
    assert by_path["a/big"].start == by_path["b/big"].start
    assert by_path["a/small"].offset == by_path["c/small"].offset
    assert by_path["a/small"].offset != by_path["b/other"].offset
    assert by_path["a/big"].number != by_path["b/big"].number
    stored = sum(size & 0xFF_FFFF for size in by_path["a/big"].blocks)
    assert by_path["a/big"].start + stored < reader.superblock.inode_table
    # Nothing but one copy of the blocks and one fragment block is before the tables.
    assert reader.superblock.inode_table == 96 + stored + reader.fragments[0][1]


def test_what_does_not_compress_is_stored() -> None:
    reader = check(
        [file("a", noise(4096)), file("b", noise(5000, 1)), file("c", noise(9, 2))],
        block_size=4096,
    )
    assert reader.by_path["a"].blocks == (4096 | 1 << 24,)
    assert reader.by_path["b"].blocks == (4096 | 1 << 24, 904 | 1 << 24)
    assert reader.fragments[0][1] == 9 | 1 << 24


def test_zeros_are_holes() -> None:
    data = bytes(8192) + b"x" * 4096 + bytes(4096 + 100)
    reader = check([file("holes", data), file("none", bytes(4095))], block_size=4096)
    holes = reader.by_path["holes"]
    assert [bool(size) for size in holes.blocks] == [False, False, True, False, False]
    assert holes.kind == 9
    assert holes.holes == 3 * 4096 + 100
    # Less than a block goes with the others.
    assert reader.by_path["none"].kind == 2


@pytest.mark.parametrize("end", [b"", b"the end"], ids=["zeros", "text"])
def test_file_over_4_gib(end: bytes) -> None:
    size = (4 << 30) + 100
    data = image([File(path="huge", content=Zeros(size, end))], block_size=1024 * KIB, threads=1)
    reader = SquashfsReader(data)
    inode = reader.by_path["huge"]
    assert (inode.kind, inode.size, len(inode.blocks)) == (9, size, 4097)
    assert not any(inode.blocks[:-1])
    assert inode.holes == (4 << 30 if end else size)
    assert len(data) == 4096


def test_file_beyond_4_gib_in_the_image() -> None:
    # As the inode's function makes it: an image of that size takes too long here.
    attributes = inodes.Attributes(mode=0o644, uid=0, gid=0, mtime=TIME, number=2)
    near = inodes.FileData(size=9, start=0xFFFF_FFFF, blocks=(9,))
    far = inodes.FileData(size=9, start=0x1_0000_0000, blocks=(9,))
    assert struct.unpack("<4H2I 5I", inodes.file_inode(attributes, near)) == (
        *(2, 0o644, 0, 0, TIME, 2),
        *(0xFFFF_FFFF, 0xFFFF_FFFF, 0, 9, 9),
    )
    assert struct.unpack("<4H2I 3Q5I", inodes.file_inode(attributes, far)) == (
        *(9, 0o644, 0, 0, TIME, 2),
        *(0x1_0000_0000, 9, 0, 1, 0xFFFF_FFFF, 0, 0xFFFF_FFFF, 9),
    )


def test_small_files_share_blocks_in_order() -> None:
    entries = [file(f"f{number}", text(1500, number)) for number in range(6)]
    reader = check(entries, block_size=4096)
    assert [
        (reader.by_path[f"f{n}"].fragment, reader.by_path[f"f{n}"].offset) for n in range(6)
    ] == [(0, 0), (0, 1500), (1, 0), (1, 1500), (2, 0), (2, 1500)]


def test_many_fragment_blocks() -> None:
    # Over 512 of them: the fragment table has several metadata blocks.
    entries = [file(f"f{number:04}", noise(3000, number)) for number in range(1100)]
    reader = check(entries, block_size=4096)
    assert reader.superblock.fragments == 1100


class TestDirectories:
    def test_listing_over_64_kib(self) -> None:
        entries = [file(f"d/{number:03}" + "n" * 240, b"") for number in range(280)]
        reader = check(tree(*entries))
        folder = reader.by_path["d"]
        assert folder.size > 70_000
        assert folder.kind == 8
        # One entry for each block of the listing but the first.
        assert len(folder.index) == 8

    def test_5000_entries(self) -> None:
        entries = [file(f"d/{number:05}", b"%d" % number) for number in range(5000)]
        reader = check(tree(file("c", b""), *entries, file("e", b"")), block_size=4096)
        folder = reader.by_path["d"]
        assert folder.kind == 8
        assert folder.index
        # Extended directories between basic ones are found again, so all offsets fit.
        assert reader.by_path["e"].kind == 2

    def test_index_leads_to_every_name(self) -> None:
        names = [f"{number * 7919 % 3000:04}" for number in range(3000)]
        reader = check(tree(*(Symlink(path=f"d/{name}", target="t") for name in names)))
        folder = reader.by_path["d"]
        firsts = [name for _, _, name in folder.index]
        assert firsts == sorted(firsts)
        assert firsts[0] > b"0000"

    def test_deep(self) -> None:
        check(tree(file("/".join("abcdefgh" * 8), b"64 levels")))

    def test_names_sort_by_bytes(self) -> None:
        paths = [
            "a",
            "a/b",
            "a/b/c",
            "a-b",
            "a.b",
            "aa",
            "a\x01",
            "Z",
            "\u00e9",
            decode_name(b"\xff"),
        ]
        folders = {"a", "a/b"}
        check(tree(*(Directory(path=p) if p in folders else file(p, b"") for p in paths)))

    @pytest.mark.parametrize(
        ("children", "runs"),
        [
            pytest.param([(1, 0)], [1], id="one"),
            pytest.param([(n, 0) for n in range(256)], [256], id="full run"),
            pytest.param([(n, 0) for n in range(257)], [256, 1], id="over a full run"),
            pytest.param([(1, 0), (2, 0), (3, 77)], [2, 1], id="other inode block"),
            pytest.param([(1, 0), (0x8000, 0)], [2], id="largest number"),
            pytest.param([(1, 0), (0x8001, 0)], [1, 1], id="number too large"),
            pytest.param([(0x8001, 0), (1, 0)], [2], id="smallest number"),
            pytest.param([(0x8002, 0), (1, 0), (2, 0)], [1, 2], id="number too small"),
        ],
    )
    def test_runs(self, children: list[tuple[int, int]], runs: list[int]) -> None:
        table = MetadataWriter(lambda data: data)
        made = [
            Child(name=b"%05d" % place, kind=2, number=number, block=block, offset=0)
            for place, (number, block) in enumerate(children)
        ]
        listing = write_listing(table, made)
        data = table.finish()[2:]
        assert (listing.block, listing.offset, listing.size) == (0, 0, len(data))
        found: list[int] = []
        position = 0
        while position < len(data):
            count, block, base = struct.unpack_from("<3I", data, position)
            assert (base, block) == children[sum(found)]
            found.append(count + 1)
            position += 12 + 13 * (count + 1)
        assert found == runs


class TestOwners:
    def test_many(self) -> None:
        # Over 2048 ids: the table has several metadata blocks.
        entries = [file(f"f{n:04}", b"", uid=n, gid=n + 5000) for n in range(1100)]
        reader = check([*entries, file("z", b"", uid=0xFFFF_FFFF)])
        assert reader.superblock.ids == 2201

    def test_too_many(self) -> None:
        table = IdTable()
        for number in range(0xFFFF):
            assert table.index(number) == number
        assert table.index(5) == 5
        with pytest.raises(SpecError, match="at most 65535 different owners"):
            table.index(0xFFFF)
        assert len(table) == 0xFFFF


BAD_ENTRIES: Final[dict[str, tuple[list[Entry], str]]] = {
    "not sorted": ([file("b", b""), file("a", b"")], "'a' is out of order"),
    "sorted as text": (
        [Directory(path="a"), file("a-b", b""), file("a/b", b"")],
        "'a/b' is out of order",
    ),
    "twice": ([file("a", b""), file("a", b"")], "'a' is out of order or there twice"),
    "no parent": ([file("a/b", b"")], "'a/b' has no directory above it"),
    "parent is a file": ([file("a", b""), file("a/b", b"")], "'a/b' has no directory"),
    "absolute": ([file("/a", b"")], "is not a relative path"),
    "empty": ([file("", b"")], "is not a relative path"),
    "parent directory": ([file("..", b"")], "holds the component '..'"),
    "doubled slash": ([Directory(path="a"), file("a//b", b"")], "holds the component ''"),
    "NUL": ([file("a\0b", b"")], "holds a NUL"),
    "long name": ([file("n" * 256, b"")], "component of over 255 bytes"),
    "too deep": ([file("a/" * 64 + "a", b"")], "too deep"),
    "mode with type": ([file("a", b"", mode=0o100644)], "has the mode 0o100644"),
    "negative mode": ([file("a", b"", mode=-1)], "has the mode"),
    "negative owner": ([file("a", b"", uid=-1)], "-1 is not a user or group id"),
    "large group": ([file("a", b"", gid=1 << 32)], "4294967296 is not a user or group id"),
    "empty target": ([Symlink(path="a", target="")], "the target of the link 'a'"),
    "long target": ([Symlink(path="a", target="t" * 4096)], "the target of the link 'a'"),
    "NUL in target": ([Symlink(path="a", target="b\0")], "the target of the link 'a'"),
    "major number": (
        [Node(path="a", kind=NodeKind.BLOCK, major=4096)],
        "'a' has the device number 4096:0",
    ),
    "minor number": (
        [Node(path="a", kind=NodeKind.BLOCK, minor=1 << 20)],
        "'a' has the device number 0:1048576",
    ),
    "negative number": ([Node(path="a", kind=NodeKind.FIFO, major=-1)], "number -1:0"),
    "unknown kind": ([Entry(path="a", mode=0)], "of an unknown kind: Entry"),
}


@pytest.mark.parametrize("name", BAD_ENTRIES)
def test_bad_entries(name: str) -> None:
    entries, message = BAD_ENTRIES[name]
    with pytest.raises(SpecError) as caught:
        image(entries)
    assert message in caught.value.message


BAD_CONTENTS: Final = {
    "short": (Pieces(5, (b"1234",)), 4),
    "long": (Pieces(5, (b"123456",)), 6),
    "nothing": (Pieces(5, ()), 0),
    "big, nothing": (Pieces(600_000, ()), 0),
    "big, short": (Pieces(600_000, (bytes(262_144),)), 262_144),
    "big, short piece": (Pieces(600_000, (bytes(262_144), bytes(5), bytes(9))), 262_149),
    "big, long": (Pieces(300_000, (bytes(262_144), bytes(37_857))), 300_001),
    "big, piece too many": (Pieces(262_144, (bytes(262_144), b"x")), 262_145),
}


@pytest.mark.parametrize("name", BAD_CONTENTS)
def test_content_of_another_size(name: str) -> None:
    content, found = BAD_CONTENTS[name]
    with pytest.raises(FormatError) as caught:
        image([file("a", b""), File(path="b", content=content)], block_size=4096)
    assert caught.value.message == (
        f"the content of 'b' has {found} bytes, but was announced with {content.size}"
    )


@pytest.mark.parametrize(
    ("options", "message", "hint"),
    [
        ({"compressor": "lzo"}, "cannot be compressed with 'lzo'", "zstd, xz, gzip, lz4"),
        ({"compressor": "zstd", "level": 0}, "zstd has the levels 1 to 22, not 0", None),
        ({"compressor": "xz", "level": 10}, "xz has the levels 0 to 9, not 10", None),
        ({"compressor": "gzip", "level": 10}, "gzip has the levels 1 to 9", None),
        ({"compressor": "lz4", "level": 13}, "lz4 has the levels 1 to 12", None),
        ({"block_size": 2048}, "2048 is no block size", "from 4096 to 1048576"),
        ({"block_size": 2 << 20}, "2097152 is no block size", "power of two"),
        ({"block_size": 5000}, "5000 is no block size", "power of two"),
        ({"block_size": 0}, "0 is no block size", "power of two"),
        ({"block_size": -4096}, "-4096 is no block size", "power of two"),
        ({"threads": 0}, "by 0 threads", None),
        ({"mtime": -1}, "cannot hold the time -1", None),
        ({"mtime": 1 << 32}, "cannot hold the time 4294967296", None),
    ],
    ids=str,
)
def test_bad_arguments(options: dict[str, Any], message: str, hint: str | None) -> None:
    out = io.BytesIO()
    with pytest.raises(SpecError) as caught:
        write_squashfs(out, [], **{"mtime": TIME, **options})
    assert message in caught.value.message
    assert (hint or "") in (caught.value.hint or "")
    assert out.getvalue() == b""


def test_missing_lz4(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lz4.block", None)
    with pytest.raises(UnsupportedError, match="needs the Python package lz4") as caught:
        image([], compressor="lz4")
    assert caught.value.hint == "install lz4, or choose zstd, xz or gzip"


class Full(io.BytesIO):
    """A file on a device without room."""

    def write(self, data: Any, /) -> int:
        if self.tell() + len(data) > 5000:
            raise OSError(28, "No space left on device")
        return super().write(data)


@dataclasses.dataclass(frozen=True)
class Broken:
    """Content that cannot be read."""

    size: int

    def chunks(self, size: int) -> Iterator[bytes]:
        raise FormatError(f"damaged, in pieces of {size}")


class TestFailures:
    def test_full_device(self) -> None:
        threads = threading.active_count()
        entries = [file(f"f{n:02}", noise(5000, n)) for n in range(50)]
        with pytest.raises(OSError, match="No space left"):
            write_squashfs(Full(), entries, mtime=TIME, block_size=4096)
        assert threading.active_count() == threads

    @pytest.mark.parametrize("size", [10, 5000])
    def test_unreadable_content(self, size: int) -> None:
        threads = threading.active_count()
        entries = [file("a", b""), File(path="b", content=Broken(size)), file("c", b"c")]
        with pytest.raises(FormatError, match="damaged"):
            image(entries, block_size=4096)
        assert threading.active_count() == threads

    def test_interrupt(self) -> None:
        class Interrupted(io.BytesIO):
            def write(self, data: Any, /) -> int:
                if self.tell() > 0:
                    raise KeyboardInterrupt
                return super().write(data)

        threads = threading.active_count()
        with pytest.raises(KeyboardInterrupt):
            write_squashfs(Interrupted(), EVERYTHING, mtime=TIME)
        assert threading.active_count() == threads


def test_few_blocks_are_ahead_of_the_writing() -> None:
    @dataclasses.dataclass
    class Counted:
        size: int
        read: list[int]

        def chunks(self, size: int) -> Iterator[bytes]:
            for number in range(self.size // size):
                self.read.append(number)
                yield noise(64, number) * (size // 64)

    ahead: list[int] = []
    content = Counted(256 * KIB * 64, [])

    class Watched(io.BytesIO):
        def write(self, data: Any, /) -> int:
            if self.tell() > 96:
                ahead.append(len(content.read) - len(ahead))
            return super().write(data)

    write_squashfs(
        Watched(),
        [File(path="f", content=content)],
        mtime=TIME,
        level=1,
        threads=2,
        block_size=256 * KIB,
    )
    assert len(content.read) == 64
    # Three a thread are queued, one is being written, and one waits to be queued.
    assert max(ahead) <= 3 * 2 + 2


def test_content_is_read_once_unless_sizes_are_equal() -> None:
    @dataclasses.dataclass
    class Counted:
        data: bytes
        reads: int = 0

        @property
        def size(self) -> int:
            return len(self.data)

        def chunks(self, size: int) -> Iterator[bytes]:
            self.reads += 1
            return Bytes(self.data).chunks(size)

    sizes = enumerate((10, 20, 20, 9000, 9001, 9001))
    contents = [Counted(text(size, seed)) for seed, size in sizes]
    entries = [File(path=f"f{n}", content=content) for n, content in enumerate(contents)]
    check(entries, block_size=4096)
    for content in contents:
        content.reads -= 1  # by the comparison
    assert [content.reads for content in contents] == [1, 2, 2, 1, 2, 2]
