"""newc: what is written byte for byte, what is refused, and hostile archives."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest

from rdcompose.errors import FormatError, SpecError
from rdcompose.formats import segments as formats_segments
from rdcompose.formats.compression import compress
from rdcompose.formats.cpio import read_newc, write_newc
from rdcompose.tree import Bytes, Directory, Entry, File, Node, NodeKind, Symlink, Tree
from tests.support.dump import digest, dump
from tests.support.newc import TRAILER as END
from tests.support.newc import raw_record as record
from tests.support.newc import segments

if TYPE_CHECKING:
    from collections.abc import Iterator


def write(*entries: Entry, mtime: int = 0) -> bytes:
    out = io.BytesIO()
    write_newc(out, entries, mtime=mtime)
    return out.getvalue()


def file(path: str, data: bytes = b"", mode: int = 0o644, **owner: int) -> File:
    return File(path=path, mode=mode, content=Bytes(data), **owner)


SAMPLE = [
    Directory(path="bin"),
    file("bin/busybox", b"program" * 99, 0o4755),
    Symlink(path="bin/sh", target="busybox"),
    Directory(path="dev", mode=0o1777),
    Node(path="dev/null", mode=0o666, kind=NodeKind.CHARACTER, major=1, minor=3),
    Node(path="dev/sda", mode=0o660, kind=NodeKind.BLOCK, major=8, minor=0, gid=6),
    Node(path="dev/pipe", kind=NodeKind.FIFO),
    Node(path="dev/socket", kind=NodeKind.SOCKET),
    file("empty", uid=1000, gid=1000),
    file("init", b"#!/bin/sh\n", 0o755),
    file("caf\udce9", b"not UTF-8"),
]


def test_every_byte_of_a_small_archive() -> None:
    assert write(Directory(path="d"), file("d/f", b"12345"), mtime=0x5FEDCBA9) == (
        b"07070100000001000041ED0000000000000000000000025FEDCBA9"
        b"00000000000000000000000000000000000000000000000200000000"
        b"d\0"
        b"07070100000002000081A40000000000000000000000015FEDCBA9"
        b"00000005000000000000000000000000000000000000000400000000"
        b"d/f\0\0\00012345\0\0\0"
        b"070701000000000000000000000000000000000000000100000000"
        b"00000000000000000000000000000000000000000000000B00000000"
        b"TRAILER!!!\0"
    ).ljust(512, b"\0")  # fmt: skip


def test_there_and_back() -> None:
    data = write(*SAMPLE, mtime=1_700_000_000)
    assert len(data) % 512 == 0
    reader = read_newc(data)
    assert dump(reader) == dump(SAMPLE)
    assert reader.has_trailer
    assert [r.ino for r in reader.records] == list(range(1, len(SAMPLE) + 1))
    assert {r.mtime for r in reader.records} == {1_700_000_000}
    assert data[reader.end :] == bytes(len(data) - reader.end)


def test_a_tree_is_written_in_its_order() -> None:
    tree = Tree()
    for entry in reversed(SAMPLE):
        tree.add(entry)
    assert dump(read_newc(write(*tree))) == dump(tree)


def test_an_archive_of_nothing() -> None:
    data = write()
    assert len(data) == 512
    assert list(read_newc(data)) == []


class Chunked:
    """Content in odd pieces that says what it likes about its size."""

    def __init__(self, size: int, *pieces: bytes) -> None:
        self.size = size
        self._pieces = pieces

    def chunks(self, size: int) -> Iterator[bytes]:
        assert size >= 4096
        yield from self._pieces


def test_content_in_pieces() -> None:
    data = write(File(path="a", content=Chunked(5, b"12", b"345")), file("b"))
    assert dump(read_newc(data)) == {
        "a": f"file 0644 {digest(b'12345')}",
        "b": "file 0644 empty",
    }


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        pytest.param([file("a/b")], "before the directory 'a'", id="no-parent"),
        pytest.param([file("a/b"), Directory(path="a")], "before the directory", id="late-parent"),
        pytest.param([file("a"), file("a/b")], "before the directory 'a'", id="parent-is-a-file"),
        pytest.param([file("a"), file("a")], "'a' comes twice", id="twice"),
        pytest.param([file("TRAILER!!!")], "can have the name", id="trailer"),
        pytest.param([file("../a")], "component", id="dotdot"),
        pytest.param([file("/a")], "not a relative path", id="absolute"),
        pytest.param([file("")], "not a relative path", id="empty-name"),
        pytest.param([Symlink(path="a", target="")], "target that cannot be", id="empty-link"),
        pytest.param([Symlink(path="a", target="x" * 4096)], "cannot be", id="long-link"),
        pytest.param([Symlink(path="a", target="x\0y")], "cannot be", id="nul-in-link"),
        pytest.param([file("a", mode=0o100644)], "has the mode 0o100644", id="type-in-mode"),
        pytest.param([file("a", uid=-1)], "-1 of 'a'", id="negative-owner"),
        pytest.param([file("a", gid=1 << 32)], "4294967296 of 'a'", id="large-group"),
        pytest.param(
            [Node(path="a", kind=NodeKind.BLOCK, major=4096)], "not 0 to 4095", id="large-major"
        ),
        pytest.param(
            [Node(path="a", kind=NodeKind.BLOCK, minor=1 << 20)], "0 to 1048575", id="large-minor"
        ),
        pytest.param(
            [File(path="a", content=Chunked(1 << 32))], "files of 4 GiB or more", id="4-gib"
        ),
        pytest.param(
            [File(path="a", content=Chunked(2, b"123"))], "the size it states", id="too-much"
        ),
        pytest.param(
            [File(path="a", content=Chunked(2, b"1"))], "the size it states", id="too-little"
        ),
    ],
)
def test_refused(entries: list[Entry], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        write(*entries)


@pytest.mark.parametrize("mtime", [-1, 1 << 32])
def test_times_beyond_the_format(mtime: int) -> None:
    with pytest.raises(SpecError, match="1970 to 2106"):
        write(mtime=mtime)


def test_the_last_second_of_the_format() -> None:
    assert read_newc(write(file("a"), mtime=(1 << 32) - 1)).records[0].mtime == (1 << 32) - 1


@pytest.mark.parametrize("name", [b"./a\0", b"/a\0", b"a/\0", b".//a\0", b"//./a\0"])
def test_names_as_the_kernel_takes_them(name: bytes) -> None:
    assert dump(read_newc(record(name) + END)) == {"a": "file 0644 empty"}


@pytest.mark.parametrize("name", [b".\0", b"/\0", b"./\0"])
def test_the_root_is_no_entry(name: bytes) -> None:
    reader = read_newc(record(name, mode=0o40755) + END)
    assert (list(reader), len(reader.records)) == ([], 1)


@pytest.mark.parametrize("first", [True, False])
def test_hard_links_share_the_content(first: bool) -> None:
    data = [b"content", b""] if first else [b"", b"content"]
    archive = (
        record(b"a\0", data[0], ino=7, nlink=2)
        + record(b"b\0", data[1], ino=7, nlink=2)
        + record(b"c\0", b"", ino=7, nlink=2, maj=1)
        + record(b"d\0", b"", ino=7)
        + record(b"e\0", mode=0o40755, ino=7, nlink=2)
        + END
    )
    assert dump(read_newc(archive)) == {
        "a": f"file 0644 {digest(b'content')}",
        "b": f"file 0644 {digest(b'content')}",
        "c": "file 0644 empty",
        "d": "file 0644 empty",
        "e": "dir 0755",
    }


def test_checksums() -> None:
    good = record(b"a\0", b"\xff\1", magic=b"070702", chksum=0x100) + END
    assert dump(read_newc(good)) == {"a": f"file 0644 {digest(bytes([255, 1]))}"}
    with pytest.raises(FormatError, match="wrong checksum"):
        read_newc(record(b"a\0", b"\xff\1", magic=b"070702", chksum=0x101) + END)


def test_checksums_are_of_regular_files_only() -> None:
    link = record(b"a\0", b"target", magic=b"070702", mode=0o120777)
    assert dump(read_newc(link + END)) == {"a": "symlink target"}


def test_upper_and_lower_case_digits() -> None:
    archive = record(ino=0xABCDEF)
    assert read_newc(archive).records[0].ino == read_newc(archive.upper()).records[0].ino


def test_a_missing_trailer() -> None:
    reader = read_newc(record() + bytes(512))
    assert (dump(reader), reader.has_trailer) == ({"a": "file 0644 empty"}, False)
    assert not read_newc(record()).has_trailer


def test_an_archive_within_a_buffer() -> None:
    reader = read_newc(b"1234" + record() + END + b"more", 4)
    assert dump(reader) == {"a": "file 0644 empty"}
    assert reader.end == 4 + len(record() + END)


def test_a_buffer_may_end_within_the_last_padding() -> None:
    assert dump(read_newc((record(b"a\0", b"12345") + END)[:-1]))
    data = record(b"a\0", b"12345")[:-3]
    reader = read_newc(data)
    assert (reader.end, len(list(reader))) == (len(data), 1)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        pytest.param(b"", "no cpio archive", id="empty"),
        pytest.param(bytes(512), "not newc", id="zeros"),
        pytest.param(b"070707" + bytes(104), "not newc", id="odc"),
        pytest.param(b"\xc7\x71" * 60, "not newc", id="binary"),
        pytest.param(record()[:109], "is cut short", id="cut-header"),
        pytest.param(record()[:111], "malformed name", id="cut-name"),
        pytest.param(record(b"a\0", b"123")[:-2], "more than there are", id="cut-data"),
        pytest.param(record() + END[:60], "is cut short", id="cut-trailer"),
        pytest.param(record() + b"junk", "not newc", id="junk"),
        pytest.param(record(b"\0"), "malformed name", id="empty-name"),
        pytest.param(record(b"", namesize=0), "malformed name", id="no-name"),
        pytest.param(record(b"ab"), "malformed name", id="no-nul"),
        pytest.param(record(b"a\0b\0"), "malformed name", id="nul-inside"),
        pytest.param(record(namesize=0xFFFFFFFF), "malformed name", id="name-of-4-gib"),
        pytest.param(record(b"n" * 4096 + b"\0"), "malformed name", id="name-too-long"),
        pytest.param(record(filesize=0xFFFFFFFF), "more than there are", id="data-of-4-gib"),
        pytest.param(record().replace(b"000081a4", b"-00081a4"), "hexadecimal number", id="signed"),
        pytest.param(
            record().replace(b"000081a4", b"0_0081a4"), "hexadecimal number", id="underscore"
        ),
        pytest.param(record().replace(b"000081a4", b"  0081a4"), "hexadecimal number", id="spaces"),
        pytest.param(record().replace(b"000081a4", b"0x0081a4"), "hexadecimal number", id="prefix"),
    ],
)
def test_damaged(data: bytes, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        read_newc(data)


@pytest.mark.parametrize(
    ("archive", "message"),
    [
        pytest.param(record(b"../a\0"), "hostile name", id="dotdot"),
        pytest.param(record(b"a/../b\0"), "hostile name", id="dotdot-inside"),
        pytest.param(record(b"d/" * 2000 + b"a\0"), "hostile name", id="2000-levels"),
        pytest.param(record(b"a\0", mode=0o120777), "no valid target", id="empty-link"),
        pytest.param(record(b"a\0", b"x\0", mode=0o120777), "no valid target", id="nul-in-link"),
        pytest.param(record(mode=0o644), "has the mode 0o644", id="no-type"),
        pytest.param(record(mode=0o170644), "has the mode 0o170644", id="unknown-type"),
    ],
)
def test_hostile_entries(archive: bytes, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        list(read_newc(archive + END))


PLAIN = write(file("a", b"plain"))


def parts(data: bytes) -> list[tuple[int, int, str, list[str]]]:
    return [
        (s.offset, s.size, s.compression, [entry.path for entry in s.entries])
        for s in segments(data)
    ]


def test_segments() -> None:
    data, expected = bytes(512) + PLAIN, [(512, read_newc(PLAIN).end, "none", ["a"])]
    for name in ("zstd", "gzip", "xz", "none", "lz4"):
        packed = compress(name, write(file(name, b"x")))
        size = len(packed) if name != "none" else read_newc(packed).end
        expected.append((len(data), size, name, [name]))
        data += packed + bytes(-len(packed) % 4)
    assert parts(data) == expected
    assert parts(b"") == parts(bytes(100)) == []


def test_adjacent_archives() -> None:
    one = record() + END
    assert [part[:2] for part in parts(one + one)] == [(0, len(one)), (len(one), len(one))]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        pytest.param(b"junk", "neither a cpio archive nor", id="junk"),
        pytest.param(PLAIN + b"\n", "neither a cpio archive nor", id="newline-behind"),
        pytest.param(compress("gzip", PLAIN)[:-1], "gzip data is cut short", id="cut"),
        pytest.param(b"\0" + PLAIN, "offset 1 does not start at a multiple", id="not-aligned"),
    ],
)
def test_segments_that_are_none(data: bytes, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        list(segments(data))


@pytest.mark.parametrize("name", ["none", "gzip"])
def test_segments_over_the_limit(name: str) -> None:
    data = compress(name, PLAIN)
    size = next(segments(data)).unpacked
    assert len(list(segments(data, size))) == 1
    with pytest.raises(FormatError, match="to more than"):
        list(segments(data, size - 1))
    with pytest.raises(FormatError, match="to more than"):
        list(segments(data * 2, 2 * size - 1))


def test_too_many_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats_segments, "MAX_SEGMENTS", 4)
    assert len(list(segments(PLAIN * 3))) == 3
    with pytest.raises(FormatError, match="more than 4 segments"):
        list(segments(PLAIN * 4))
