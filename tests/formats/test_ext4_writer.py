from __future__ import annotations

import dataclasses
import io
import struct

import pytest

from rdcompose.errors import FormatError, SpecError, UnsupportedError
from rdcompose.formats.ext4.contents import Files
from rdcompose.formats.ext4.reader import Ext4Image
from rdcompose.formats.ext4.writer import Ext4Writer
from rdcompose.tree import Bytes, Directory, Entry, File, Pieces, Symlink, Tree
from tests.support.dump import dump
from tests.support.rootfiles import TIME, UUID, root_files


def written(files: Files, size: int | None = None) -> bytes:
    writer = Ext4Writer(files, uuid=UUID, label="rootfs", mtime=TIME)
    out = io.BytesIO(bytes(writer.minimum if size is None else size))
    writer.write(out, len(out.getvalue()))
    return out.getvalue()


def expected(files: Files) -> dict[str, str]:
    found = dump(files.tree) | {"lost+found": "dir 0700"}
    return found | {path: found[target] for path, target in files.links.items()}


def of(*entries: Entry) -> Files:
    tree = Tree()
    for entry in entries:
        tree.add(entry)
    return Files(tree=tree)


@pytest.mark.parametrize("size", [None, 100 << 20, 129 << 20])
def test_what_is_written_is_read_again(size: int | None) -> None:
    files = root_files()
    image = written(files, size)
    assert dump(Ext4Image(io.BytesIO(image)).entries()) == expected(files)


def test_same_bytes_every_time() -> None:
    assert written(root_files()) == written(root_files())


def test_empty_root() -> None:
    image = written(Files(tree=Tree()))
    assert len(image) < 24 << 20
    assert dump(Ext4Image(io.BytesIO(image)).entries()) == {"lost+found": "dir 0700"}


def test_lost_and_found_of_the_files_is_kept() -> None:
    files = of(
        Directory(path="lost+found", mode=0o755), File(path="lost+found/x", content=Bytes(b"x"))
    )
    assert dump(Ext4Image(io.BytesIO(written(files))).entries()) == dump(files.tree)


def test_zeros_are_passed_over() -> None:
    class Counting(io.BytesIO):
        count = 0

        def write(self, data: bytes, /) -> int:  # type: ignore[override]
            Counting.count += len(data)
            return super().write(data)

    writer = Ext4Writer(
        of(File(path="zeros", content=Bytes(bytes(50 << 20)))), uuid=UUID, mtime=TIME
    )
    writer.write(Counting(bytes(writer.minimum)), writer.minimum)
    assert Counting.count < 200_000


def test_superblock() -> None:
    block = written(root_files())[1024:2048]
    assert block[0x68:0x78] == UUID
    assert block[0x78:0x88].rstrip(b"\0") == b"rootfs"
    assert struct.unpack_from("<I", block, 0x108) == (TIME,)


def test_less_than_the_minimum() -> None:
    writer = Ext4Writer(root_files(), uuid=UUID, mtime=TIME)
    with pytest.raises(SpecError, match="less than the"):
        writer.write(io.BytesIO(), writer.minimum - 4096)


@pytest.mark.parametrize("length", [9, 11, 5000])
def test_content_of_another_size(length: int) -> None:
    files = of(File(path="x", content=Pieces(10, lambda: iter([bytes([1]) * length]))))
    with pytest.raises(FormatError, match="'x' does not have the 10 bytes"):
        written(files)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (File(path="x", content=Bytes(b""), uid=-1), "'x' has the owner -1:0"),
        (File(path="x", content=Bytes(b""), gid=1 << 32), "'x' has the owner 0:4294967296"),
        (Symlink(path="x", target=""), "no target that ext4 can hold"),
        (Symlink(path="x", target="a\0b"), "no target that ext4 can hold"),
        (Symlink(path="x", target="a" * 4096), "no target that ext4 can hold"),
    ],
    ids=["user", "group", "empty-target", "target-with-nul", "long-target"],
)
def test_entries_that_cannot_be(entry: Entry, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        written(of(entry))


@pytest.mark.parametrize(
    ("links", "message"),
    [
        ({"b": "c"}, "'b' is a hard link to 'c', which is no file"),
        ({"b": "d"}, "'b' is a hard link to 'd', which is no file"),
        ({"e/b": "a"}, "the hard link 'e/b' has no place"),
        ({"a/b": "a"}, "the hard link 'a/b' has no place"),
        ({"d": "a"}, "the hard link 'd' has no place"),
    ],
    ids=["nowhere", "directory", "no-parent", "file-as-parent", "taken"],
)
def test_links_that_cannot_be(links: dict[str, str], message: str) -> None:
    files = of(File(path="a", content=Bytes(b"a")), Directory(path="d"))
    with pytest.raises(SpecError, match=message):
        written(dataclasses.replace(files, links=links))


def test_too_many_links() -> None:
    files = of(File(path="a", content=Bytes(b"a")))
    many = {f"l{number}": "a" for number in range(65_000)}
    with pytest.raises(UnsupportedError, match="'a': it has 65001 names"):
        written(dataclasses.replace(files, links=many))


def test_label_too_long() -> None:
    with pytest.raises(SpecError, match="over 16 bytes"):
        Ext4Writer(of(), uuid=UUID, label="a" * 17, mtime=TIME)


def test_inodes_fit_however_many() -> None:
    files = of(*(Symlink(path=f"d{n // 500}/{n}", target="t") for n in range(9000)))
    image = written(files)
    assert Ext4Image(io.BytesIO(image)).superblock.inodes > 9000 * 1.2
    assert len(dump(Ext4Image(io.BytesIO(image)).entries())) == 9000 + 18 + 1


def test_more_inodes_than_groups_of_that_size_have() -> None:
    # 32768 in 128 MiB at most: the filesystem is made larger.
    files = of(*(Symlink(path=f"d{n // 500}/{n}", target="t") for n in range(36_000)))
    writer = Ext4Writer(files, uuid=UUID, mtime=TIME)
    assert 128 << 20 < writer.minimum < 200 << 20


@pytest.mark.parametrize("payload", [0, 60 << 20, 460 << 20, 950 << 20, 7 << 30, 15 << 30])
def test_any_size_from_the_minimum_on_will_do(payload: int) -> None:
    writer = Ext4Writer(
        of(File(path="x", content=Pieces(payload, lambda: iter(())))), uuid=UUID, mtime=TIME
    )
    least = writer.minimum // 4096
    # Every step by which a structure gets larger is taken on the way.
    for blocks in range(least, 3 * least, 1 + least // 40):
        assert writer._missing(blocks, writer._needed) <= 0


def test_attributes_that_cannot_be_stored() -> None:
    files = of(File(path="a", content=Bytes(b"a")))
    with pytest.raises(UnsupportedError, match="'a': ext4 cannot hold"):
        written(dataclasses.replace(files, xattrs={"a": (("other.b", b""),)}))
