"""Reader for ext2, ext3 and ext4 images.

MiniVM's modules disks are such. Checksums are not compared, extended attributes passed over, and
hard links come as files with one content, the same object. As with squashfs, nothing that an
image claims decides how much memory is taken.

Reference: Documentation/filesystems/ext4/ of Linux.
"""

from __future__ import annotations

import dataclasses
import functools
import io
import struct
import threading
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from rdcompose.errors import FormatError, SpecError
from rdcompose.formats.ext4 import superblock as sb
from rdcompose.formats.ext4.blocks import Run, block_map, extents
from rdcompose.tree import (
    MAX_PATH,
    NODE_KINDS,
    Directory,
    Entry,
    File,
    Node,
    Pieces,
    Symlink,
    checked_path,
    decode_name,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = 2
MAX_NAMES: Final = 1 << 21
_MAX_DIRECTORY: Final = 64 << 20
# Pieces in which a run of blocks is read.
_PIECE: Final = 1 << 20
# i_mode, i_uid, i_size_lo, i_mtime, i_gid, i_links_count, i_flags, i_block, i_size_high, upper
# halves of uid and gid
_INODE: Final = struct.Struct("<2HI8xI4x2H4xI4x60s8xI8x2H")
_EXTENTS: Final = 0x80000
_INLINE: Final = 0x10000000
_ENTRY: Final = struct.Struct("<IHBB")
# A link of less is kept in the inode, in place of its blocks.
_FAST_LINK: Final = 60
_LONGEST_RECORD: Final = 65536

_REGULAR: Final = 0o100000
_DIRECTORY: Final = 0o040000
_SYMLINK: Final = 0o120000


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Inode:
    """What an inode says; ``kind`` are the bits of the mode that tell the type."""

    kind: int
    mode: int
    uid: int
    gid: int
    mtime: int
    links: int
    size: int
    flags: int
    root: bytes


class Ext4Image:
    """An image, opened. The file must stay open for as long as contents are read."""

    def __init__(self, source: BinaryIO) -> None:
        """Read the superblock.

        :raises FormatError: it is none, or contradicts itself.
        :raises UnsupportedError: the image has a feature that is not handled.
        """
        source.seek(sb.OFFSET)
        self.superblock = sb.read_superblock(source.read(sb.SIZE))
        self._source = source
        # Of files with several names.
        self._shared: dict[Inode, Pieces] = {}
        self._end = source.seek(0, io.SEEK_END)
        self._lock = threading.Lock()

    def top(self) -> tuple[str, ...]:
        """Return the names in the root directory.

        :raises FormatError: it is damaged.
        """
        return tuple(decode_name(name) for name, _ in self._listing(self._inode(ROOT)))

    def entries(self) -> Iterator[Entry]:
        """Yield everything but the root, each directory before what is in it.

        Contents are read when they are asked for, and raise :class:`FormatError` where they are
        damaged. Their ``size`` is what the image claims: look at it before reading all.

        :raises FormatError: the image is damaged, or a name hostile.
        """
        for entry, _ in self.walk():
            yield entry

    def walk(self) -> Iterator[tuple[Entry, Inode]]:
        """Yield the same with the inode of each.

        :raises FormatError: as :meth:`entries` does.
        """
        seen = {ROOT}
        waiting = [("", self._inode(ROOT))]
        names = 0
        while waiting:
            path, folder = waiting.pop()
            for name, number in self._listing(folder):
                names += 1
                if names > MAX_NAMES:
                    raise FormatError(f"the ext4 image has more than {MAX_NAMES} names")
                inode = self._inode(number)
                entry = self._entry(_joined(path, name), inode)
                yield entry, inode
                if isinstance(entry, Directory):
                    if number in seen:
                        raise FormatError(f"the directory {entry.path!r} is there twice")
                    seen.add(number)
                    waiting.append((entry.path, inode))

    def _inode(self, number: int) -> Inode:
        block = self.superblock
        if not 0 < number <= block.inodes:
            raise FormatError(f"the ext4 image has no inode {number}")
        group, index = divmod(number - 1, block.inodes_per_group)
        at = (block.first_block + 1) * block.block_size + group * block.descriptor_size
        descriptor = self._read(at, block.descriptor_size)
        (table,) = struct.unpack_from("<I", descriptor, 8)
        if block.descriptor_size >= 2 * 32:
            table |= struct.unpack_from("<I", descriptor, 0x28)[0] << 32
        data = self._read(table * block.block_size + index * block.inode_size, _INODE.size)
        mode, uid, low, mtime, gid, links, flags, root, high, uid_high, gid_high = _INODE.unpack(
            data
        )
        kind = mode & 0o170000
        return Inode(
            kind=kind,
            mode=mode & 0o7777,
            uid=uid | uid_high << 16,
            gid=gid | gid_high << 16,
            mtime=mtime,
            links=links,
            size=low | high << 32,
            flags=flags,
            root=root,
        )

    def _listing(self, folder: Inode) -> Iterator[tuple[bytes, int]]:
        if folder.kind != _DIRECTORY:
            raise FormatError("a directory of the ext4 image is none")
        if folder.size > _MAX_DIRECTORY:
            raise FormatError(f"a directory of the ext4 image has {folder.size} bytes")
        size = self.superblock.block_size
        data = b"".join(self._content(folder))
        for start in range(0, len(data), size):
            yield from self._names(data[start : start + size])

    def _names(self, block: bytes) -> Iterator[tuple[bytes, int]]:
        at = 0
        while at + _ENTRY.size <= len(block):
            inode, length, name_length, high = _ENTRY.unpack_from(block, at)
            if not self.superblock.file_types:
                name_length |= high << 8
            # Of blocks of 64 KiB, a record may be the whole.
            if length in {0, 0xFFFF} and len(block) == _LONGEST_RECORD:
                length = _LONGEST_RECORD
            end = at + length
            if length < _ENTRY.size or end > len(block) or at + _ENTRY.size + name_length > end:
                raise FormatError("a directory of the ext4 image is damaged")
            name = block[at + _ENTRY.size : at + _ENTRY.size + name_length]
            if inode and name not in {b".", b".."}:
                yield name, inode
            at = end

    def _entry(self, path: str, inode: Inode) -> Entry:
        common: dict[str, Any] = {
            "path": path,
            "mode": inode.mode,
            "uid": inode.uid,
            "gid": inode.gid,
        }
        if inode.kind == _REGULAR:
            content = Pieces(inode.size, functools.partial(self._content, inode))
            if inode.links > 1:
                content = self._shared.setdefault(inode, content)
            return File(**common, content=content)
        if inode.kind == _DIRECTORY:
            return Directory(**common)
        if inode.kind == _SYMLINK:
            return Symlink(**common, target=decode_name(self._target(path, inode)))
        kind = NODE_KINDS.get(inode.kind)
        if kind is None:
            raise FormatError(f"{path!r} in the ext4 image has the type {inode.kind:#o}")
        old, new = struct.unpack_from("<2I", inode.root)
        major, minor = old >> 8 & 0xFF, old & 0xFF
        if not old:
            major, minor = new >> 8 & 0xFFF, new & 0xFF | new >> 12 & 0xFFF00
        return Node(**common, kind=kind, major=major, minor=minor)

    def _target(self, path: str, inode: Inode) -> bytes:
        if inode.size > MAX_PATH:
            raise FormatError(f"the symlink {path!r} of the ext4 image has {inode.size} bytes")
        target = (
            inode.root[: inode.size] if inode.size < _FAST_LINK else b"".join(self._content(inode))
        )
        if not target or b"\0" in target:
            raise FormatError(f"the symlink {path!r} of the ext4 image has no valid target")
        return target

    def _content(self, inode: Inode) -> Iterator[bytes]:
        """Yield the content of a file, in pieces."""
        if inode.flags & _INLINE:
            raise FormatError("a file of the ext4 image is inside of its inode")
        size = self.superblock.block_size
        position = 0
        for run in self._runs(inode):
            start, end = run.logical * size, min((run.logical + run.length) * size, inode.size)
            yield from _zeros(min(start, inode.size) - position)
            for at in range(start, end, _PIECE):
                length = min(_PIECE, end - at)
                if run.place is None:
                    yield bytes(length)
                else:
                    yield self._read(run.place * size + at - start, length)
            position = max(position, end)
        yield from _zeros(inode.size - position)

    def _runs(self, inode: Inode) -> Iterator[Run]:
        read = self._block
        if inode.flags & _EXTENTS:
            return extents(inode.root, read)
        count = -(-inode.size // self.superblock.block_size)
        return block_map(inode.root, count, read)

    def _block(self, number: int) -> bytes:
        size = self.superblock.block_size
        # A hole as large as a whole block of pointers.
        return self._read(number * size, size) if number else bytes(size)

    def _read(self, position: int, size: int) -> bytes:
        with self._lock:
            data = b""
            if position + size <= self._end:
                self._source.seek(position)
                data = self._source.read(size)
            if len(data) < size:
                raise FormatError(f"the ext4 image is cut, or points to {position:#x}")
            return data


def _zeros(size: int) -> Iterator[bytes]:
    while size > 0:
        yield bytes(min(size, _PIECE))
        size -= _PIECE


def _joined(parent: str, name: bytes) -> str:
    path = f"{parent}/{decode_name(name)}" if parent else decode_name(name)
    if b"/" in name:
        raise FormatError(f"the ext4 image has the name {name!r}")
    try:
        return checked_path(path)
    except SpecError as error:
        raise FormatError(f"hostile name in the ext4 image: {error}") from error
