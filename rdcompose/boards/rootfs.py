"""The root partition of a card: from an image, a directory or a tar archive.

An image of a filesystem is taken as it is, whatever filesystem that is; so is that of a disk with
one Linux partition. Of a directory or an archive an ext4 or a squashfs is made, as an ordinary
user and without running anything.
"""

from __future__ import annotations

import contextlib
import dataclasses
import enum
import hashlib
import io
import tempfile
from typing import TYPE_CHECKING, BinaryIO, Final, cast

from rdcompose.boards.root_directory import digest_of, directory_files
from rdcompose.boards.root_tar import MAGIC, MAGIC_AT, tar_files
from rdcompose.boards.rootprogram import Program, first_programs
from rdcompose.compose.inputs import LOCAL_DIRECTORY, Input
from rdcompose.errors import FormatError, OutputError, SpecError, UnsupportedError
from rdcompose.formats.compression import decode, detect
from rdcompose.formats.ext4.writer import Ext4Writer
from rdcompose.formats.filesystem import kinds_of_image
from rdcompose.formats.mbr import SECTOR, PartitionType, is_mbr, read_mbr
from rdcompose.formats.qcow2_reader import is_qcow2, open_qcow2
from rdcompose.formats.squashfs.tables import Details
from rdcompose.formats.squashfs.writer import write_squashfs
from rdcompose.formats.window import Window

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from rdcompose.formats.ext4.contents import Files
    from rdcompose.tree import Tree

ROLE: Final = "root"
LABEL: Final = "rootfs"
_PIECE: Final = 1 << 20
_ALIGNED: Final = 4096
_START: Final = 65536 + 4096
# Access lists have no place in it.
_SQUASHFS_XATTRS: Final = ("user.", "trusted.", "security.")
_HINT: Final = "give an image of a filesystem, a directory, or a tar archive"


class RootFormat(enum.Enum):
    """What is made of a directory or an archive."""

    EXT4 = "ext4"
    SQUASHFS = "squashfs"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RootFilesystem:
    """A root that is to be written to a partition.

    ``kind`` is the name under which the kernel mounts it. A partition has at least ``minimum``
    bytes; a filesystem that ``fills`` it is made as large as the partition. ``programs`` are those
    that the kernel may start, ``None`` of an image, which is not looked into.
    """

    kind: str
    minimum: int
    fills: bool
    input: Input
    programs: tuple[Program, ...] | None = None
    _write: Callable[[BinaryIO, int], None]

    @property
    def read_only(self) -> bool:
        """Whether it can never be written to, so that changes need an overlay."""
        return self.kind in {"squashfs", "erofs"}

    def write(self, out: BinaryIO, size: int) -> None:
        """Write it from offset 0 on: into a file, or a window of one, of ``size`` bytes of zeros.

        What is zero stays a hole.

        :raises SpecError: a file of the root cannot be read any more.
        :raises FormatError: it has another size than before.
        """
        try:
            self._write(out, size)
        except OSError as error:
            if error.filename is None:
                raise  # of the output
            raise SpecError(f"cannot read {error.filename}: {error.strerror}") from error


@contextlib.contextmanager
def root_filesystem(
    path: Path, wanted: RootFormat | None, *, mtime: int, scratch: Path, threads: int
) -> Iterator[RootFilesystem]:
    """Open a root; it can be written for as long as the context lasts.

    ``wanted`` is what to make of a directory or an archive, ext4 by default. ``mtime`` is the
    time of the filesystem itself: files keep theirs in an ext4. What is compressed is unpacked into
    a file without a name in the directory ``scratch``; so is a squashfs first.

    :raises SpecError: the path cannot be read, is nothing of this, or cannot become ``wanted``.
    :raises FormatError: it is damaged.
    :raises UnsupportedError: it has what cannot be read, or what the filesystem cannot hold.
    """
    with contextlib.ExitStack() as stack:
        maker = _Maker(stack, wanted, mtime=mtime, scratch=scratch, threads=threads)
        yield maker.of_directory(path) if path.is_dir() else maker.of_file(path)


class _Maker:
    """Makes a root of whatever there is; ``stack`` closes what that needs."""

    def __init__(
        self,
        stack: contextlib.ExitStack,
        wanted: RootFormat | None,
        *,
        mtime: int,
        scratch: Path,
        threads: int,
    ) -> None:
        self._stack = stack
        self._wanted = wanted
        self._mtime = mtime
        self._scratch = scratch
        self._threads = threads

    def of_directory(self, path: Path) -> RootFilesystem:
        """Return the root that a directory holds."""
        files = directory_files(path)
        name = path.name if path.name not in {"", ".."} else path.resolve().name
        found = Input(role=ROLE, file=name, sha256=digest_of(files), source=LOCAL_DIRECTORY)
        return self._made(files, found)

    def of_file(self, path: Path) -> RootFilesystem:
        """Return the root that a file holds."""
        try:
            if not (path.is_file() or path.is_block_device() or not path.exists()):
                raise SpecError(f"the root {path}: it cannot be read twice", hint=_HINT)
            source = self._stack.enter_context(path.open("rb"))
            sha256 = hashlib.file_digest(source, "sha256").hexdigest()
        except OSError as error:
            raise SpecError(f"cannot read the root {path}: {error.strerror}") from error
        found = Input(
            role=ROLE, file=path.name, sha256=sha256, source="local file", size=source.tell()
        )
        try:
            return self._of_stream(source, found)
        except (FormatError, SpecError, UnsupportedError) as error:
            raise type(error)(f"the root {path}: {error.message}", hint=error.hint) from error

    def _of_stream(self, source: BinaryIO, found: Input) -> RootFilesystem:
        start = _start(source)
        packed = detect(start)
        if packed is not None and packed.magics:
            source = self._unpacked(packed.name, source)
            start = _start(source)
        if start[MAGIC_AT:].startswith(MAGIC):
            return self._made(tar_files(source), found)
        volume = open_qcow2(source) if is_qcow2(start) else source
        return self._image(_filesystem_of(volume), found)

    def _unpacked(self, name: str, source: BinaryIO) -> BinaryIO:
        if name == "lz4":
            raise UnsupportedError("it is compressed with lz4", hint="unpack it first")
        size = source.seek(0, io.SEEK_END)
        with self._scratch_file() as out:
            for piece in decode(name, source, 0, size, threads=self._threads):
                _put(out, piece)
            out.truncate()
            out.flush()
        return out

    @contextlib.contextmanager
    def _scratch_file(self) -> Iterator[BinaryIO]:
        """Give a file to fill, which goes when the root is done with.

        :raises OutputError: it cannot be written.
        """
        try:
            file = tempfile.TemporaryFile(dir=self._scratch)  # noqa: SIM115 - the stack closes it
            yield cast("BinaryIO", self._stack.enter_context(file))
        except OSError as error:
            if error.filename is not None and error.filename != str(self._scratch):
                raise SpecError(f"cannot read {error.filename}: {error.strerror}") from error
            raise OutputError(
                f"cannot prepare the root in {self._scratch}: {error.strerror}",
                hint="what is compressed, and a squashfs, takes room there while the image is made",
            ) from error

    def _image(self, volume: BinaryIO, found: Input) -> RootFilesystem:
        """Return a filesystem that is there already."""
        kinds = kinds_of_image(volume)
        if not kinds:
            raise SpecError("it holds no filesystem that is known", hint=_HINT)
        # Of the three that are told apart by features only, the newest mounts all.
        kind = max(kinds)
        if self._wanted is not None and self._wanted.value != kind:
            raise SpecError(
                f"it is an image of {kind}, and is taken as it is",
                hint=f"leave --root-format out, or give a tar archive to make {self._wanted.value}",
            )
        size = volume.seek(0, io.SEEK_END)

        def write(out: BinaryIO, _: int) -> None:
            volume.seek(0)
            out.seek(0)
            while piece := volume.read(_PIECE):
                _put(out, piece)

        return RootFilesystem(
            kind=kind, minimum=_aligned(size), fills=False, input=found, _write=write
        )

    def _made(self, files: Files, found: Input) -> RootFilesystem:
        """Return a filesystem that is made of files."""
        if self._wanted is RootFormat.SQUASHFS:
            return self._squashfs(files, found)
        writer = Ext4Writer(files, uuid=_uuid(found.sha256), label=LABEL, mtime=self._mtime)
        return RootFilesystem(
            kind="ext4",
            minimum=writer.minimum,
            fills=True,
            input=found,
            programs=first_programs(files),
            _write=writer.write,
        )

    def _squashfs(self, files: Files, found: Input) -> RootFilesystem:
        programs = first_programs(files)
        tree, details = _with_links(files)
        with self._scratch_file() as out:
            write_squashfs(out, tree, mtime=self._mtime, threads=self._threads, details=details)
            out.flush()
        return dataclasses.replace(self._image(out, found), programs=programs)


def _start(source: BinaryIO) -> bytes:
    source.seek(0)
    return source.read(_START)


def _put(out: BinaryIO, piece: bytes) -> None:
    """Write a piece, or leave a hole."""
    if piece == bytes(len(piece)):
        out.seek(len(piece), io.SEEK_CUR)
    else:
        out.write(piece)


def _aligned(size: int) -> int:
    return -(-size // _ALIGNED) * _ALIGNED


def _uuid(sha256: str) -> bytes:
    """Return a UUID that depends on the input alone (RFC 9562, version 8)."""
    data = bytearray(bytes.fromhex(sha256)[:16])
    data[6] = data[6] & 0x0F | 0x80
    data[8] = data[8] & 0x3F | 0x80
    return bytes(data)


def _with_links(files: Files) -> tuple[Tree, Details]:
    """Return a tree in which hard links are files with the same content, stored once."""
    tree = files.tree
    times = dict(files.times)
    xattrs = {
        path: [row for row in rows if row[0].startswith(_SQUASHFS_XATTRS)]
        for path, rows in files.xattrs.items()
    }
    for path, target in files.links.items():
        entry = tree.get(target)
        assert entry is not None
        tree.add(dataclasses.replace(entry, path=path))
        times[path] = times.get(target, 0)
        xattrs[path] = xattrs.get(target, [])
    return tree, Details(root=files.root, times=times, xattrs=xattrs)


def _filesystem_of(volume: BinaryIO) -> BinaryIO:
    """Return the part of an image with the root: all of it, or the one Linux partition."""
    start = _start(volume)[:SECTOR]
    if kinds_of_image(volume) or not is_mbr(start):
        return volume
    table = read_mbr(start)
    if table.is_gpt:
        raise SpecError(
            "it is a disk with a GUID partition table, which is not read",
            hint="give the partition with the root as an image of its own",
        )
    linux = [row for row in table.partitions if row.type == PartitionType.LINUX]
    if len(linux) != 1:
        raise SpecError(
            f"it is a disk with {len(linux)} Linux partitions",
            hint="give the partition with the root as an image of its own",
        )
    end = volume.seek(0, io.SEEK_END)
    if linux[0].offset + linux[0].size > end:
        raise FormatError(f"the disk is cut: its partition {linux[0].number} ends behind it")
    return cast("BinaryIO", io.BufferedReader(Window(volume, linux[0].offset, linux[0].size)))
