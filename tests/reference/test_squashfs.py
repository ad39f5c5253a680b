from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import io
import os
import re
import stat
import struct
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from rdcompose.formats.squashfs.compressors import NAMES
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
    encode_name,
    read_all,
)
from tests.support.dump import dump
from tests.support.kernels import unpacked
from tests.support.squashfs import SquashfsReader, independent_dump
from tests.support.squashtrees import everything, file
from tests.support.tools import run, run_bytes, tool

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

pytestmark = pytest.mark.reference

KIB: Final = 1024
TIME: Final = 1_700_000_000
DATE: Final = "2023-11-14 22:13"

TYPES: Final = {
    NodeKind.CHARACTER: stat.S_IFCHR,
    NodeKind.BLOCK: stat.S_IFBLK,
    NodeKind.FIFO: stat.S_IFIFO,
    NodeKind.SOCKET: stat.S_IFSOCK,
}
KINDS: Final = {kind: name for name, kind in TYPES.items()}


def write(path: Path, tree: Iterable[Entry], **options: Any) -> SquashfsResult:
    with path.open("wb") as out:
        return write_squashfs(out, tree, mtime=TIME, **options)


def read_tree(top: Path, *, owners: bool = True) -> Tree:
    """A directory as it is on the disk; without ``owners`` all is root's."""
    tree = Tree()
    for folder, directories, files in os.walk(os.fsencode(top)):
        for name in directories + files:
            path = os.path.join(folder, name)  # noqa: PTH118  pathlib has no bytes
            entry = read_entry(path, decode_name(os.path.relpath(path, os.fsencode(top))))
            tree.add(entry if owners else dataclasses.replace(entry, uid=0, gid=0))
    return tree


def read_entry(source: bytes, path: str) -> Entry:
    status = os.lstat(source)
    common: dict[str, Any] = {
        "path": path,
        "mode": stat.S_IMODE(status.st_mode),
        "uid": status.st_uid,
        "gid": status.st_gid,
    }
    kind = stat.S_IFMT(status.st_mode)
    if kind == stat.S_IFDIR:
        return Directory(**common)
    if kind == stat.S_IFLNK:
        return Symlink(**common, target=decode_name(os.readlink(source)))  # noqa: PTH115
    if kind == stat.S_IFREG:
        return File(**common, content=Bytes(Path(os.fsdecode(source)).read_bytes()))
    major, minor = os.major(status.st_rdev), os.minor(status.st_rdev)
    return Node(**common, kind=KINDS[kind], major=major, minor=minor)


IS_ROOT: Final = os.geteuid() == 0


def unpackable() -> Tree:
    """What unsquashfs can create here: an ordinary user makes no devices and no owners."""
    tree = Tree()
    for entry in everything():
        device = isinstance(entry, Node) and entry.major
        if IS_ROOT or not (device or entry.uid or entry.gid):
            tree.add(entry)
    return tree


def lls_line(entry: Entry, sizes: dict[str, int]) -> tuple[str, str, str, str, str]:
    """Fields of ``unsquashfs -lln``: mode, owner, size or device, time, path and target."""
    kind, size, target = stat.S_IFDIR, str(sizes.get(entry.path)), ""
    if isinstance(entry, File):
        kind, size = stat.S_IFREG, str(entry.content.size)
    elif isinstance(entry, Symlink):
        kind, size, target = stat.S_IFLNK, str(len(encode_name(entry.target))), entry.target
    elif isinstance(entry, Node):
        kind = TYPES[entry.kind]
        device = entry.kind in {NodeKind.BLOCK, NodeKind.CHARACTER}
        size = f"{entry.major},{entry.minor}" if device else "0"
    name = entry.path + (f" -> {target}" if target else "")
    mode = stat.filemode(kind | entry.mode)
    return mode, f"{entry.uid}/{entry.gid}", size, DATE, name


def unsquashfs_lls(image: Path) -> list[tuple[str, str, str, str, str]]:
    listing = run(tool("unsquashfs"), "-lln", image, env={"TZ": "UTC"})
    line = re.compile(
        r"(\S{10}) (\d+/\d+) +(\d+(?:, *\d+)?) (\S+ \S+) squashfs-root(?:/(.*))?", re.DOTALL
    )
    matches = [line.fullmatch(text) for text in listing.splitlines() if text]
    fields = [match.groups() for match in matches if match is not None]
    assert len(fields) == len(matches)
    assert fields[0] == ("drwxr-xr-x", "0/0", fields[0][2], DATE, None)
    return [(m, o, size.replace(" ", ""), when, name) for m, o, size, when, name in fields[1:]]


class TestUnsquashfs:
    @pytest.mark.parametrize("compressor", NAMES)
    @pytest.mark.parametrize("block_size", [4 * KIB, 256 * KIB, 1024 * KIB])
    def test_extracts(self, tmp_path: Path, compressor: str, block_size: int) -> None:
        tree = unpackable()
        image, out = tmp_path / "image", tmp_path / "out"
        write(image, tree, compressor=compressor, block_size=block_size, threads=2)
        run(tool("unsquashfs"), "-quiet", "-no-progress", "-dest", out, image)
        assert dump(read_tree(out, owners=IS_ROOT)) == dump(tree)
        assert (out / "big").stat().st_mtime == TIME
        assert (out / "holes").stat().st_blocks * 512 < 1024 * KIB

    def test_lists(self, tmp_path: Path) -> None:
        tree = everything()
        # It shows device numbers of 8 bits only.
        tree.remove("dev/big")
        tree.remove("dev/loop")
        image = tmp_path / "image"
        write(image, tree)
        sizes = {
            path: inode.size for path, inode in SquashfsReader(image.read_bytes()).by_path.items()
        }
        assert unsquashfs_lls(image) == [lls_line(entry, sizes) for entry in tree]

    def test_describes(self, tmp_path: Path) -> None:
        image = tmp_path / "image"
        result = write(image, everything(), block_size=128 * KIB)
        described = run(tool("unsquashfs"), "-stat", image, env={"TZ": "UTC"})
        for line in (
            f"Filesystem size {result.used} bytes",
            "Creation or last append time Tue Nov 14 22:13:20 2023",
            "Compression zstd",
            "Block size 131072",
            "Filesystem is exportable via NFS",
            "Xattrs are not stored",
            "Duplicates are removed",
            f"Number of fragments {result.fragments}",
            f"Number of inodes {result.inodes}",
            "Number of ids 5",
        ):
            assert line in described

    def test_lz4_options(self, tmp_path: Path) -> None:
        image = tmp_path / "image"
        write(image, everything(), compressor="lz4")
        described = run(tool("unsquashfs"), "-stat", image)
        assert "Compression lz4\n\tHigh Compression option specified (-Xhc)" in described

    def test_empty_tree(self, tmp_path: Path) -> None:
        image, out = tmp_path / "image", tmp_path / "out"
        write(image, [])
        run(tool("unsquashfs"), "-no-progress", "-dest", out, image)
        assert list(out.iterdir()) == []

    def test_file_over_4_gib(self, tmp_path: Path) -> None:
        class Huge:
            size = (4 << 30) + 10

            def chunks(self, size: int) -> Iterator[bytes]:
                piece = bytes(size)
                for _ in range(self.size // size):
                    yield piece
                yield b"0123456789"

        image, out = tmp_path / "image", tmp_path / "out"
        write(image, [File(path="huge", content=Huge())], block_size=1024 * KIB)
        run(tool("unsquashfs"), "-no-progress", "-dest", out, image)
        with (out / "huge").open("rb") as stream:
            assert stream.seek(-15, os.SEEK_END) == Huge.size - 15
            assert stream.read() == bytes(5) + b"0123456789"
            assert os.fstat(stream.fileno()).st_blocks * 512 < 1024 * KIB


@pytest.mark.parametrize("compressor", NAMES)
def test_squashfs_tools_ng_reads_it(tmp_path: Path, compressor: str) -> None:
    image = tmp_path / "image"
    tree = everything()
    write(image, tree, compressor=compressor, block_size=16 * KIB)
    found = dump(tar_entries(run_bytes(tool("sqfs2tar"), image)))
    # tar knows no sockets.
    tree.remove("socket")
    assert found == dump(tree)


def tar_entries(data: bytes) -> Iterator[Entry]:
    with tarfile.open(fileobj=io.BytesIO(data), errors="surrogateescape") as archive:
        for member in archive:
            assert member.mtime == TIME
            common: dict[str, Any] = {
                "path": member.name,
                "mode": member.mode,
                "uid": member.uid,
                "gid": member.gid,
            }
            if member.isfile():
                stream = archive.extractfile(member)
                assert stream is not None
                yield File(**common, content=Bytes(stream.read()))
            elif member.isdir():
                yield Directory(**common)
            elif member.issym():
                yield Symlink(**common, target=member.linkname)
            elif member.isfifo():
                yield Node(**common, kind=NodeKind.FIFO)
            else:
                kind = NodeKind.CHARACTER if member.ischr() else NodeKind.BLOCK
                yield Node(**common, kind=kind, major=member.devmajor, minor=member.devminor)


@contextlib.contextmanager
def mounted(image: Path, directory: Path) -> Iterator[Path]:
    """The image as this machine's kernel shows it."""
    filesystems = Path("/proc/filesystems").read_text(encoding="ascii").split()
    if "squashfs" not in filesystems or not os.access("/dev/loop-control", os.W_OK):
        pytest.skip("this kernel, or this user, cannot mount squashfs by a loop device")
    directory.mkdir()
    run(tool("mount"), "-t", "squashfs", "-o", "loop,ro", image, directory)
    try:
        yield directory
    finally:
        run(tool("umount"), directory)


class TestKernel:
    @pytest.mark.parametrize("compressor", NAMES)
    @pytest.mark.parametrize("block_size", [4 * KIB, 256 * KIB, 1024 * KIB])
    def test_reads_it(self, tmp_path: Path, compressor: str, block_size: int) -> None:
        if compressor == "lz4" and not kernel_knows("LZ4"):
            pytest.skip("this kernel's squashfs has no lz4")
        image, tree = tmp_path / "image", everything()
        write(image, tree, compressor=compressor, block_size=block_size)
        with mounted(image, tmp_path / "mount") as top:
            assert dump(read_tree(top)) == dump(tree)
            assert (top / "holes").stat().st_blocks * 512 < 1024 * KIB

    def test_finds_names_by_the_index(self, tmp_path: Path) -> None:
        names = [f"{number:04}-{'n' * (number % 250)}" for number in range(2000)]
        image = tmp_path / "image"
        write(image, [Directory(path="d"), *(file(f"d/{name}", b"") for name in names)])
        with mounted(image, tmp_path / "mount") as top:
            # Looked up before anything lists the directory.
            assert all((top / "d" / name).is_file() for name in names)
            assert not (top / "d" / "0100").exists()
            assert not (top / "d" / "9").exists()
            assert sorted(os.listdir(top / "d")) == names  # noqa: PTH208  names alone

    def test_mounts_an_empty_tree(self, tmp_path: Path) -> None:
        image = tmp_path / "image"
        write(image, [])
        with mounted(image, tmp_path / "mount") as top:
            assert list(top.iterdir()) == []

    def test_finds_files_by_handle(self, tmp_path: Path) -> None:
        # What the export table is for: a handle leads to an inode without any path.
        image, tree = tmp_path / "image", everything()
        write(image, tree)
        with mounted(image, tmp_path / "first") as top:
            handles = {path: file_handle(top / path) for path in ("big", "many/0999")}
        # Mounted anew: nothing is left in the kernel's caches.
        with mounted(image, tmp_path / "second") as top:
            for path, handle in handles.items():
                found = tree.get(path)
                assert isinstance(found, File)
                assert read_by_handle(top, handle) == read_all(found.content)


def file_handle(path: Path) -> ctypes.Array[ctypes.c_char]:
    """The handle of a file: name_to_handle_at(2)."""
    libc = ctypes.CDLL(None, use_errno=True)
    # struct file_handle: handle_bytes, handle_type, f_handle
    handle = ctypes.create_string_buffer(struct.pack("=Ii", 128, 0), 8 + 128)
    mount_id = ctypes.c_int()
    at_fdcwd = -100
    name = os.fsencode(path)
    if libc.name_to_handle_at(at_fdcwd, name, handle, ctypes.byref(mount_id), 0) != 0:
        raise OSError(ctypes.get_errno(), "name_to_handle_at")
    return handle


def read_by_handle(mount: Path, handle: ctypes.Array[ctypes.c_char]) -> bytes:
    """The content of a file: open_by_handle_at(2)."""
    libc = ctypes.CDLL(None, use_errno=True)
    directory = os.open(mount, os.O_RDONLY)
    try:
        descriptor = libc.open_by_handle_at(directory, handle, os.O_RDONLY)
    finally:
        os.close(directory)
    if descriptor < 0:
        raise OSError(ctypes.get_errno(), "open_by_handle_at")
    with open(descriptor, "rb") as stream:  # noqa: PTH123  a descriptor
        return stream.read()


def kernel_knows(compressor: str) -> bool:
    """Whether the running kernel's squashfs has a compressor; unknown counts as yes."""
    config = Path(f"/boot/config-{os.uname().release}")
    if not config.exists():
        return True
    return f"CONFIG_SQUASHFS_{compressor}=y" in config.read_text(encoding="ascii").splitlines()


def modules_directory() -> Path:
    """The modules of a real kernel."""
    return unpacked("bookworm", "amd64", "linux-image-cloud-amd64") / "lib" / "modules"


@pytest.fixture(scope="module")
def modules() -> Tree:
    return read_tree(modules_directory(), owners=False)


class TestRealModules:
    def test_extracted_equal(self, tmp_path: Path, modules: Tree) -> None:
        image, out = tmp_path / "image", tmp_path / "out"
        result = write(image, modules, level=3)
        assert result.files > 1000
        run(tool("unsquashfs"), "-quiet", "-no-progress", "-dest", out, image)
        assert dump(read_tree(out, owners=False)) == dump(modules)

    def test_read_by_pysquashfsimage(self, tmp_path: Path, modules: Tree) -> None:
        image = tmp_path / "image"
        write(image, modules, level=3, block_size=1024 * KIB)
        assert independent_dump(image.read_bytes()) == dump(modules)

    def test_not_larger_than_mksquashfs(self, tmp_path: Path, modules: Tree) -> None:
        image, other = tmp_path / "image", tmp_path / "other"
        result = write(image, modules, level=9, block_size=256 * KIB)
        options = ["-comp", "zstd", "-Xcompression-level", "9", "-b", "256K", "-all-root"]
        run(tool("mksquashfs"), modules_directory(), other, *options, "-no-xattrs", "-no-progress")
        assert result.size < other.stat().st_size * 1.005

    def test_same_bytes_whatever_the_threads(self, tmp_path: Path, modules: Tree) -> None:
        images = []
        for threads in (1, 4):
            path = tmp_path / f"image-{threads}"
            write(path, modules, level=9, threads=threads)
            images.append(path.read_bytes())
        assert images[0] == images[1]
