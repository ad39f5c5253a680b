"""Reader for squashfs 4.0 images of any writer.

All inode types, fragments, holes and compressors are read; extended attributes, the
export table and the indexes of directories are passed over, and hard links come as files with
one content, the same object. What an image claims never decides how much memory is taken or
how long it takes: every table is read where it is needed, and every listing once.

References:
- squashfs-tools-ng, ``doc/format.adoc``
- Linux, ``fs/squashfs/``
"""

from __future__ import annotations

import functools
import io
import struct
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from rdcompose.errors import FormatError, SpecError
from rdcompose.formats.squashfs import inodes
from rdcompose.formats.squashfs.directories import NAME_RECORD, RUN_RECORD
from rdcompose.formats.squashfs.fragments import FRAGMENT_RECORD
from rdcompose.formats.squashfs.inodes import LISTING_EXTRA, NO_FRAGMENT, NODE_TYPES
from rdcompose.formats.squashfs.storage import DATA_STORED, Cursor, LookupTable, Storage
from rdcompose.formats.squashfs.stored_inodes import Inode, read_inode
from rdcompose.formats.squashfs.superblock import SUPERBLOCK, read_superblock
from rdcompose.formats.squashfs.unpackers import compressor_name, unpack_function
from rdcompose.tree import (
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

MAGIC: Final = b"hsqs"
# A whole distribution has fewer; a small image can claim any number of names.
MAX_NAMES: Final = 1 << 21
_MAX_NAME: Final = 256
_ID: Final = struct.Struct("<I")
_BLOCK: Final = struct.Struct("<I")
_KINDS: Final = {number: kind for kind, number in NODE_TYPES.items()}


class SquashfsImage:
    """An image, opened. The file must stay open for as long as contents are read.

    ``compressor`` is the name of its compressor, ``size`` the bytes that it takes.
    """

    def __init__(self, source: BinaryIO) -> None:
        """Read the superblock.

        :raises FormatError: it is no squashfs image, or is cut short.
        :raises UnsupportedError: it is of another version, or its compressor is not handled.
        """
        end = source.seek(0, io.SEEK_END)
        source.seek(0)
        superblock = read_superblock(source.read(SUPERBLOCK.size))
        if superblock.bytes_used > end:
            raise FormatError(
                f"the squashfs image is cut short: {superblock.bytes_used} bytes announced, "
                f"{end} there"
            )
        self.superblock = superblock
        self.compressor = compressor_name(superblock.compressor)
        self.size = superblock.bytes_used
        self._storage = Storage(
            source,
            unpack_function(self.compressor),
            block_size=superblock.block_size,
            end=superblock.bytes_used,
        )
        self._ids = LookupTable(self._storage, superblock.id_table, superblock.ids, _ID)
        self._fragments = LookupTable(
            self._storage, superblock.fragment_table, superblock.fragments, FRAGMENT_RECORD
        )
        self._id_values: dict[int, int] = {}
        # Of files with several names.
        self._shared: dict[Inode, Pieces] = {}

    def entries(self) -> Iterator[Entry]:
        """Yield everything but the root, each directory before what is in it.

        Contents are read when they are asked for, and raise :class:`FormatError` where they are
        damaged. Their ``size`` is what the image claims: look at it before reading all.

        :raises FormatError: a table is damaged, or a name hostile.
        """
        for entry, _ in self.walk():
            yield entry

    def stored_sizes(self) -> Iterator[tuple[Entry, int]]:
        """Yield the same with the bytes that the content of each takes in the image.

        Of a block that several files end in, each has the part that its end is of what they put
        into it. Blocks that several files have count for the first.

        :raises FormatError: as :meth:`entries` does.
        """
        rows = list(self.walk())
        ends: dict[int, int] = {}
        seen: set[tuple[int, int]] = set()
        own: list[tuple[Entry, int, int, int]] = []
        for entry, inode in rows:
            blocks = [stored & (DATA_STORED - 1) for (stored,) in _BLOCK.iter_unpack(inode.blocks)]
            end = inode.size - len(blocks) * self.superblock.block_size
            whole, tail = (inode.start, -1), (inode.fragment, inode.offset)
            size = 0 if whole in seen else sum(blocks)
            if inode.kind != inodes.FILE or inode.fragment == NO_FRAGMENT or tail in seen:
                end = 0
            if blocks:
                seen.add(whole)
            if end:
                seen.add(tail)
                ends[inode.fragment] = ends.get(inode.fragment, 0) + end
            own.append((entry, size, inode.fragment, end))
        for entry, size, fragment, end in own:
            if end:
                stored = self._fragments.get(fragment)[1] & (DATA_STORED - 1)
                yield entry, size + stored * end // ends[fragment]
            else:
                yield entry, size

    def walk(self) -> Iterator[tuple[Entry, Inode]]:
        """Yield the same with the inode of each.

        :raises FormatError: as :meth:`entries` does.
        """
        root = self._inode(self.superblock.root)
        if root.kind != inodes.DIRECTORY:
            raise FormatError("the root of the squashfs image is no directory")
        seen = {root.number}
        # Directories whose listing is still to come, the next one last.
        waiting = [("", root)]
        names = 0
        while waiting:
            path, folder = waiting.pop()
            inside: list[tuple[str, Inode]] = []
            for name, reference in self._listing(folder):
                names += 1
                if names > MAX_NAMES:
                    raise FormatError(f"the squashfs image has more than {MAX_NAMES} names")
                inode = self._inode(reference)
                entry = self._entry(_joined(path, name), inode)
                yield entry, inode
                if isinstance(entry, Directory):
                    if inode.number in seen:
                        raise FormatError(f"the directory {entry.path!r} is there twice")
                    seen.add(inode.number)
                    inside.append((entry.path, inode))
            waiting += reversed(inside)

    def _inode(self, reference: int) -> Inode:
        position = self.superblock.inode_table + (reference >> 16)
        if position >= self.superblock.directory_table:
            raise FormatError(f"the squashfs image has no inode at {reference:#x}")
        cursor = Cursor(self._storage, position, reference & 0xFFFF)
        return read_inode(cursor, self.superblock.block_size)

    def _listing(self, folder: Inode) -> Iterator[tuple[bytes, int]]:
        left = folder.size - LISTING_EXTRA
        if left <= 0:
            return
        cursor = Cursor(
            self._storage, self.superblock.directory_table + folder.start, folder.offset
        )
        last = b""
        while left > 0:
            count, block, _ = cursor.unpack(RUN_RECORD)
            left -= RUN_RECORD.size
            if count >= _MAX_NAME:
                raise FormatError(f"a listing of the squashfs image has a run of {count + 1} names")
            for _ in range(count + 1):
                offset, _, _, length = cursor.unpack(NAME_RECORD)
                if length >= _MAX_NAME:
                    raise FormatError(f"the squashfs image has a name of {length + 1} bytes")
                name = cursor.read(length + 1)
                left -= NAME_RECORD.size + len(name)
                # Sorted, as look-ups need it: so no name can be there twice.
                if name <= last:
                    raise FormatError(f"the squashfs image lists {name!r} out of order")
                last = name
                yield name, block << 16 | offset
        if left:
            raise FormatError("a listing of the squashfs image does not end where it should")

    def _entry(self, path: str, inode: Inode) -> Entry:
        common: dict[str, Any] = {
            "path": path,
            "mode": inode.mode,
            "uid": self._id(inode.uid),
            "gid": self._id(inode.gid),
        }
        if inode.kind == inodes.FILE:
            content = Pieces(inode.size, functools.partial(self._blocks, inode))
            if inode.links > 1:
                content = self._shared.setdefault(inode, content)
            return File(**common, content=content)
        if inode.kind == inodes.DIRECTORY:
            return Directory(**common)
        if inode.kind == inodes.SYMLINK:
            if not inode.target or b"\0" in inode.target:
                raise FormatError(f"the symlink {path!r} of the squashfs image has no valid target")
            return Symlink(**common, target=decode_name(inode.target))
        major, minor = inode.device >> 8 & 0xFFF, inode.device & 0xFF | inode.device >> 12 & 0xFFF00
        return Node(**common, kind=_KINDS[inode.kind], major=major, minor=minor)

    def _id(self, index: int) -> int:
        if index not in self._id_values:
            (self._id_values[index],) = self._ids.get(index)
        return self._id_values[index]

    def _blocks(self, inode: Inode) -> Iterator[bytes]:
        """Yield the content of a file, block by block."""
        size, position = self.superblock.block_size, inode.start
        left = inode.size
        for (stored,) in _BLOCK.iter_unpack(inode.blocks):
            length = min(size, left)
            data = self._storage.data_block(position, stored) if stored else bytes(length)
            if len(data) != length:
                raise FormatError(f"a block of a file has {len(data)} bytes, not {length}")
            yield data
            position += stored & (DATA_STORED - 1)
            left -= length
        if left and inode.fragment != NO_FRAGMENT:
            start, stored, _ = self._fragments.get(inode.fragment)
            block = self._storage.fragment_block(start, stored)
            data = block[inode.offset : inode.offset + left]
            if len(data) != left:
                raise FormatError("the end of a file lies outside of its fragment block")
            yield data


def _joined(parent: str, name: bytes) -> str:
    path = f"{parent}/{decode_name(name)}" if parent else decode_name(name)
    if b"/" in name:
        raise FormatError(f"the squashfs image has the name {name!r}")
    try:
        return checked_path(path)
    except SpecError as error:
        raise FormatError(f"hostile name in the squashfs image: {error}") from error
