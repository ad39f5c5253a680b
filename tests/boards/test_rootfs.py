from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import lzma
import os
import struct
import tempfile
from typing import TYPE_CHECKING, BinaryIO, cast

import pytest
import zstandard

from rdcompose.boards.rootfs import RootFilesystem, RootFormat, root_filesystem
from rdcompose.errors import FormatError, OutputError, SpecError, UnsupportedError
from rdcompose.formats.ext4.reader import Ext4Image
from rdcompose.formats.mbr import Mbr, Partition
from rdcompose.formats.qcow2 import Qcow2Writer
from rdcompose.formats.squashfs.reader import SquashfsImage
from rdcompose.formats.squashfs.writer import write_squashfs
from rdcompose.formats.window import Window
from rdcompose.tree import Bytes, File, Tree
from tests.support.dump import digest, dump
from tests.support.tars import TIME, directory, hardlink, member, tar_bytes

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from rdcompose.formats.ext4.contents import Files

TAR = tar_bytes(
    [
        directory("./", mode=0o711),
        member("./etc/hostname", b"pi\n", mode=0o640, uid=1000, gid=1001, mtime=5),
        hardlink("./etc/same", "./etc/hostname"),
    ]
)
HOSTNAME = f"file 0640 {digest(b'pi' + bytes([10]))} 1000:1001"
EXPECTED = {
    "lost+found": "dir 0700",
    "etc": "dir 0755",
    "etc/hostname": HOSTNAME,
    "etc/same": HOSTNAME,
}


def squashfs_bytes() -> bytes:
    tree = Tree()
    tree.add(File(path="etc/hostname", content=Bytes(b"pi\n")))
    out = io.BytesIO()
    write_squashfs(out, tree, mtime=TIME)
    return out.getvalue()


SQUASHFS = squashfs_bytes()


def made(
    path: Path,
    wanted: RootFormat | None = None,
    size: Callable[[int], int] = lambda least: least,
) -> tuple[RootFilesystem, bytes]:
    """Return a root and what it writes."""
    with root_filesystem(path, wanted, mtime=TIME, scratch=path.parent, threads=1) as root:
        out = io.BytesIO(bytes(size(root.minimum)))
        root.write(out, len(out.getvalue()))
        return root, out.getvalue()


def put(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "plain": bytes,
    "gzip": gzip.compress,
    "xz": lzma.compress,
    "bzip2": bz2.compress,
    "zstd": zstandard.ZstdCompressor().compress,
}


@pytest.mark.parametrize("pack", PACKERS.values(), ids=PACKERS)
def test_archive_becomes_ext4(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    path = put(tmp_path / "root.tar.x", pack(TAR))
    root, data = made(path)
    assert (root.kind, root.fills, root.read_only) == ("ext4", True, False)
    assert dump(Ext4Image(io.BytesIO(data)).entries()) == EXPECTED
    assert root.input.role == "root"
    assert root.input.file == "root.tar.x"
    assert root.input.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert root.input.size == len(path.read_bytes())
    assert root.input.source == "local file"
    # What is unpacked has no name.
    assert [file.name for file in tmp_path.iterdir()] == ["root.tar.x"]


def test_it_fills_what_there_is(tmp_path: Path) -> None:
    _, data = made(put(tmp_path / "root.tar", TAR), size=lambda least: 2 * least)
    image = Ext4Image(io.BytesIO(data))
    assert image.superblock.blocks * image.superblock.block_size == len(data)


def test_same_input_same_bytes(tmp_path: Path) -> None:
    first = made(put(tmp_path / "root.tar", TAR))[1]
    assert made(put(tmp_path / "other.tar", TAR))[1] == first
    other = tar_bytes([member("etc/hostname", b"pi\n")])
    uuid = slice(1024 + 0x68, 1024 + 0x78)
    assert made(put(tmp_path / "root.tar", other))[1][uuid] != first[uuid]
    assert (first[uuid][6] >> 4, first[uuid][8] >> 6) == (8, 2)
    # Times are those of the files, and for the rest the one given.
    assert struct.unpack_from("<I", first, 1024 + 0x108) == (TIME,)


def test_archive_becomes_squashfs(tmp_path: Path) -> None:
    root, data = made(put(tmp_path / "root.tar", TAR), RootFormat.SQUASHFS)
    assert (root.kind, root.fills, root.read_only) == ("squashfs", False, True)
    found = dump(SquashfsImage(io.BytesIO(data)).entries())
    assert found == {path: text for path, text in EXPECTED.items() if path != "lost+found"}


def test_squashfs_keeps_times_and_attributes(tmp_path: Path) -> None:
    headers = {
        "SCHILY.xattr.user.note": "kept",
        "SCHILY.xattr.system.posix_acl_access": "has no place",
    }
    plain, noted = (
        tar_bytes([member("a", b"x", mtime=5, pax_headers=rows), hardlink("b", "a")])
        for rows in ({}, headers)
    )
    images = [
        made(put(tmp_path / "root.tar", data), RootFormat.SQUASHFS)[1] for data in (plain, noted)
    ]
    # The table of attributes: none, and some.
    assert [image[0x38:0x40] == bytes([255]) * 8 for image in images] == [True, False]


def test_directory_becomes_ext4(tmp_path: Path) -> None:
    folder = tmp_path / "root"
    (folder / "etc").mkdir(parents=True)
    (folder / "etc" / "hostname").write_bytes(b"pi\n")
    root, data = made(folder)
    assert set(dump(Ext4Image(io.BytesIO(data)).entries())) == {"lost+found", "etc", "etc/hostname"}
    assert (root.input.file, root.input.source) == ("root", "local directory")
    assert root.input.size is None
    assert len(root.input.sha256) == 64


def test_directory_that_is_the_current_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pathlib import Path as RealPath

    folder = tmp_path / "my-root"
    folder.mkdir()
    monkeypatch.chdir(folder)
    with root_filesystem(RealPath(), None, mtime=TIME, scratch=tmp_path, threads=1) as root:
        assert root.input.file == "my-root"


@pytest.mark.parametrize("pack", PACKERS.values(), ids=PACKERS)
@pytest.mark.parametrize("wanted", [None, RootFormat.SQUASHFS])
def test_image_is_taken_as_it_is(
    tmp_path: Path, wanted: RootFormat | None, pack: Callable[[bytes], bytes]
) -> None:
    root, data = made(put(tmp_path / "root.img", pack(SQUASHFS)), wanted)
    assert data == SQUASHFS
    assert (root.kind, root.fills, root.minimum) == ("squashfs", False, len(SQUASHFS))


def test_image_of_an_odd_length(tmp_path: Path) -> None:
    root, data = made(put(tmp_path / "root.img", SQUASHFS + b"x"))
    assert root.minimum == len(SQUASHFS) + 4096
    assert data == (SQUASHFS + b"x").ljust(root.minimum, b"\0")


def test_image_of_qcow2(tmp_path: Path) -> None:
    out = io.BytesIO()
    writer = Qcow2Writer(out)
    writer.write(SQUASHFS)
    writer.finish()
    root, data = made(put(tmp_path / "root.qcow2", out.getvalue()))
    assert root.kind == "squashfs"
    assert data.rstrip(b"\0") == SQUASHFS.rstrip(b"\0")


def disk(*types: int, sectors: int = len(SQUASHFS) // 512) -> bytes:
    rows = tuple(
        Partition(number=number, type=kind, start=2048 * number, sectors=sectors)
        for number, kind in enumerate(types, 1)
    )
    data = bytearray(Mbr(signature=1, partitions=rows).pack())
    for row in rows:
        data = data.ljust(row.offset, b"\0") + SQUASHFS
    return bytes(data)


def test_disk_with_one_linux_partition(tmp_path: Path) -> None:
    root, data = made(put(tmp_path / "sd.img", disk(0x0C, 0x83)))
    assert root.kind == "squashfs"
    assert data == SQUASHFS


@pytest.mark.parametrize(
    ("content", "error", "message"),
    [
        (b"", SpecError, "holds no filesystem that is known"),
        (b"text" * 3000, SpecError, "holds no filesystem that is known"),
        (disk(0x0C), SpecError, "is a disk with 0 Linux partitions"),
        (disk(0x83, 0x83), SpecError, "is a disk with 2 Linux partitions"),
        (disk(0xEE), SpecError, "is a disk with a GUID partition table"),
        (disk(0x83)[:-512], FormatError, "the disk is cut: its partition 1 ends behind it"),
        (TAR[:600], FormatError, "damaged or cut short"),
        (gzip.compress(TAR)[:-9], FormatError, "cut short"),
        (b"\x02\x21\x4c\x18" + bytes(100), UnsupportedError, "compressed with lz4"),
        (b"QFI\xfb" + bytes(100), UnsupportedError, "the qcow2 image has the version 0"),
    ],
    ids=lambda value: value.replace(" ", "-") if isinstance(value, str) else "",
)
def test_what_is_no_root(
    tmp_path: Path, content: bytes, error: type[Exception], message: str
) -> None:
    path = put(tmp_path / "the-root", content)
    with pytest.raises(error, match=f"the root .*the-root: .*{message}"):
        made(path)


def test_image_of_another_format(tmp_path: Path) -> None:
    path = put(tmp_path / "root.img", SQUASHFS)
    with pytest.raises(SpecError, match="is an image of squashfs, and is taken as it is"):
        made(path, RootFormat.EXT4)


def test_a_pipe_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SpecError, match=r"the root .*pipe: it cannot be read twice"):
        made(tmp_path / "pipe")


@pytest.mark.parametrize("wanted", [None, RootFormat.SQUASHFS])
def test_no_room_to_prepare_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wanted: RootFormat | None
) -> None:
    def full(**_: object) -> BinaryIO:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    path = put(tmp_path / "root.tar", TAR if wanted else gzip.compress(TAR))
    with pytest.raises(
        OutputError, match=r"cannot prepare the root in .*: No space left"
    ) as caught:
        made(path, wanted)
    assert "takes room there" in str(caught.value.hint)


def test_file_that_goes_before_it_is_packed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "root"
    folder.mkdir()
    (folder / "file").write_bytes(b"content")

    def then_remove(files: Files) -> str:
        (folder / "file").unlink()
        return "00" * 32 if files.tree else ""

    monkeypatch.setattr("rdcompose.boards.rootfs.digest_of", then_remove)
    with pytest.raises(SpecError, match=r"cannot read .*file: No such file"):
        made(folder, RootFormat.SQUASHFS)


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"cannot read the root .*none: No such file"):
        made(tmp_path / "none")


def test_file_that_goes_before_it_is_written(tmp_path: Path) -> None:
    folder = tmp_path / "root"
    folder.mkdir()
    (folder / "file").write_bytes(b"content")
    with root_filesystem(folder, None, mtime=TIME, scratch=tmp_path, threads=1) as root:
        (folder / "file").unlink()
        with pytest.raises(SpecError, match=r"cannot read .*file: No such file"):
            root.write(io.BytesIO(bytes(root.minimum)), root.minimum)


def test_an_output_that_fails_is_no_fault_of_the_root(tmp_path: Path) -> None:
    class Full(io.BytesIO):
        def write(self, _data: object, /) -> int:
            raise OSError(28, "No space left on device")

    path = put(tmp_path / "root.img", SQUASHFS)
    with (
        root_filesystem(path, None, mtime=TIME, scratch=tmp_path, threads=1) as root,
        pytest.raises(OSError, match="No space left"),
    ):
        root.write(Full(), root.minimum)


def test_into_a_window(tmp_path: Path) -> None:
    path = put(tmp_path / "root.tar", TAR)
    with (
        root_filesystem(path, None, mtime=TIME, scratch=tmp_path, threads=1) as root,
        (tmp_path / "disk").open("w+b") as out,
    ):
        window = Window(out, 4096, root.minimum)
        root.write(cast("BinaryIO", window), root.minimum)
        out.truncate(4096 + root.minimum)
        found = Window(out, 4096, root.minimum)
        assert dump(Ext4Image(cast("BinaryIO", found)).entries()) == EXPECTED
