"""Writes an ext4 filesystem from files, sparse: blocks of zeros are passed over.

It is one that a Debian system makes and grows as its own: extents, indexed directories, checksums
on all structures, a journal, and descriptors kept for growing a thousandfold. It is a function of
the arguments alone: what needs to be random elsewhere, UUID and seed of the hashes, is given.

Reference: Documentation/filesystems/ext4/ of Linux; choices are those of mke2fs(8).
"""

from __future__ import annotations

import io
import struct
from typing import TYPE_CHECKING, Final

from rdcompose.errors import FormatError, SpecError
from rdcompose.formats.ext4.checksum import START, crc32c
from rdcompose.formats.ext4.contents import Contents, Files, Record
from rdcompose.formats.ext4.extent_tree import extent_tree
from rdcompose.formats.ext4.folders import with_checksums
from rdcompose.formats.ext4.geometry import BLOCK, INODE, Geometry, arrange, journal_blocks
from rdcompose.formats.ext4.header import FIRST_INODE, JOURNAL_INODE, Header, pack_superblock
from rdcompose.formats.ext4.inodes import (
    DIRECTORY,
    EXTENTS,
    INDEXED,
    REGULAR,
    SECTORS_PER_BLOCK,
    Inode,
    device_root,
    inode_seed,
    pack_inode,
)
from rdcompose.formats.ext4.journal import journal_superblock
from rdcompose.formats.ext4.resize import RESIZE_INODE, resize_inode
from rdcompose.formats.ext4.tables import descriptors, usages
from rdcompose.formats.ext4.xattrs import attribute_block
from rdcompose.tree import Bytes, Content, File, Node, Symlink, encode_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import BinaryIO

    from rdcompose.formats.ext4.space import Stretch

_BYTES_PER_INODE: Final = 16384
# Beyond what the files take: a twentieth, and this; enough for a longer journal, too.
_SLACK: Final = 16 << 20
_PIECE: Final = 1 << 20
# A file of fewer blocks is never in more pieces than its inode tells.
_ONE_NODE: Final = 8192
_MAX_LABEL: Final = 16


class Ext4Writer:
    """A filesystem that is to be written, with a size that may still be chosen."""

    def __init__(self, files: Files, *, uuid: bytes, label: str = "", mtime: int) -> None:
        """Take the measure of the files.

        ``uuid`` is 16 bytes, ``mtime`` the time of the filesystem in seconds since 1970.

        :raises SpecError: a link leads to no file, or an argument is no valid one.
        :raises UnsupportedError: ext4 cannot hold something.
        """
        self._label = encode_name(label)
        if len(self._label) > _MAX_LABEL:
            raise SpecError(f"the label {label!r} has over {_MAX_LABEL} bytes")
        self._uuid = uuid
        self._mtime = mtime
        self._hash_seed = struct.unpack("<4I", uuid[::-1])
        self._seed = crc32c(START, uuid)
        self._contents = Contents(files, self._hash_seed, mtime=mtime)
        nodes = sum(1 for r in self._contents.records if r.blocks >= _ONE_NODE)
        nodes += self._contents.blocks // _ONE_NODE
        self._needed = self._contents.blocks + nodes + 1
        #: The least size in bytes: what the files take, and some room to work in.
        self.minimum = self._minimum()

    def _minimum(self) -> int:
        blocks = needed = self._needed + self._needed // 20 + _SLACK // BLOCK
        while (missing := self._missing(blocks, needed)) > 0:
            blocks += missing
        return blocks * BLOCK

    def _missing(self, blocks: int, needed: int) -> int:
        try:
            geometry = arrange(blocks, self._inodes(blocks))
        except ValueError:
            return _ONE_NODE
        return needed - (geometry.space.free - journal_blocks(blocks))

    def _inodes(self, blocks: int) -> int:
        used = FIRST_INODE + len(self._contents.records)
        return max(blocks * BLOCK // _BYTES_PER_INODE, used + used // 4)

    def write(self, out: BinaryIO, size: int) -> None:
        """Write it from offset 0 on; ``out`` has ``size`` bytes and reads as zeros so far.

        :raises SpecError: the size is less than the :attr:`minimum`.
        :raises FormatError: a content is not as long as its size.
        """
        if size < self.minimum:
            raise SpecError(f"{size} bytes are less than the {self.minimum} that the root takes")
        blocks = size // BLOCK
        _Filesystem(
            arrange(blocks, self._inodes(blocks)),
            out,
            uuid=self._uuid,
            label=self._label,
            mtime=self._mtime,
            hash_seed=self._hash_seed,
        ).write(self._contents)


class _Filesystem:
    """One that is being written."""

    def __init__(
        self,
        geometry: Geometry,
        out: BinaryIO,
        *,
        uuid: bytes,
        label: bytes,
        mtime: int,
        hash_seed: Sequence[int],
    ) -> None:
        self._geometry = geometry
        self._out = out
        self._uuid = uuid
        self._label = label
        self._mtime = mtime
        self._hash_seed = hash_seed
        self._seed = crc32c(START, uuid)
        self._inodes: dict[int, bytes] = {}

    def write(self, contents: Contents) -> None:
        """Write everything: what has a place of its own last, when all is known."""
        self._put_resize_inode()
        journal = self._put_journal()
        # Directories lie together, so that a search through all of them is short.
        for record in contents.records:
            if record.kind == DIRECTORY:
                self._put(record)
        for record in contents.records:
            if record.kind != DIRECTORY:
                self._put(record)
        directories = [r.number for r in contents.records if r.kind == DIRECTORY]
        last = FIRST_INODE - 2 + len(contents.records)
        self._put_tables(journal, last, directories)

    def _put_resize_inode(self) -> None:
        place = self._take(1)[0].start
        inode, blocks = resize_inode(self._geometry, place, mtime=self._mtime)
        for number, block in blocks.items():
            self._at(number, block)
        self._inodes[RESIZE_INODE] = pack_inode(inode, inode_seed(RESIZE_INODE, self._seed))

    def _put_journal(self) -> Inode:
        length = journal_blocks(self._geometry.blocks)
        stretches = self._take(length)
        self._at(stretches[0].start, journal_superblock(length))
        root, sectors = self._extents(JOURNAL_INODE, stretches)
        inode = Inode(
            mode=REGULAR | 0o600,
            size=length * BLOCK,
            mtime=self._mtime,
            sectors=sectors,
            flags=EXTENTS,
            root=root,
        )
        self._inodes[JOURNAL_INODE] = pack_inode(inode, inode_seed(JOURNAL_INODE, self._seed))
        return inode

    def _put(self, record: Record) -> None:
        entry = record.entry
        size, root, flags = 0, bytes(60), 0
        sectors = 0
        if isinstance(entry, Node):
            root = device_root(entry.major, entry.minor)
        elif isinstance(entry, Symlink) and not record.blocks:
            target = encode_name(entry.target)
            size, root = len(target), target.ljust(60, b"\0")
        else:
            size, root, sectors = self._put_content(record)
            flags = EXTENTS | (INDEXED if record.folder and record.folder.indexes else 0)
        place = self._put_attributes(record)
        inode = Inode(
            mode=record.kind | entry.mode,
            uid=entry.uid,
            gid=entry.gid,
            size=size,
            mtime=record.mtime,
            links=record.links,
            sectors=sectors + (SECTORS_PER_BLOCK if place else 0),
            flags=flags,
            root=root,
            attributes=record.inline,
            attribute_block=place,
        )
        self._inodes[record.number] = pack_inode(inode, inode_seed(record.number, self._seed))

    def _put_attributes(self, record: Record) -> int:
        """Write the block of attributes; returns its place, 0 if there is none."""
        if not record.attributes:
            return 0
        place = self._take(1)[0].start
        self._at(place, attribute_block(record.attributes, place, self._seed))
        return place

    def _put_content(self, record: Record) -> tuple[int, bytes, int]:
        """Write what is in blocks; returns size, root of the extents and sectors."""
        stretches = self._take(record.blocks)
        root, sectors = self._extents(record.number, stretches)
        content = self._content(record)
        self._fill(stretches, content, record.entry.path)
        return content.size, root, sectors

    def _content(self, record: Record) -> Content:
        if record.folder is not None:
            seed = inode_seed(record.number, self._seed)
            return Bytes(b"".join(with_checksums(record.folder, seed)))
        if isinstance(record.entry, File):
            return record.entry.content
        assert isinstance(record.entry, Symlink)
        return Bytes(encode_name(record.entry.target))

    def _fill(self, stretches: Iterable[Stretch], content: Content, path: str) -> None:
        left = content.size
        place = iter(stretches)
        position = room = 0
        for chunk in content.chunks(_PIECE):
            if len(chunk) > left:
                break
            left -= len(chunk)
            start = 0
            while start < len(chunk):
                if not room:
                    stretch = next(place)
                    position, room = stretch.start * BLOCK, stretch.length * BLOCK
                piece = chunk[start : start + room]
                self._write(position, piece)
                position += len(piece)
                room -= len(piece)
                start += len(piece)
        else:
            if not left:
                return
        raise FormatError(f"{path!r} does not have the {content.size} bytes that it should")

    def _extents(self, number: int, stretches: Sequence[Stretch]) -> tuple[bytes, int]:
        """Write the nodes of a file's extents; returns the root and the sectors of the file."""
        found = extent_tree(
            stretches, lambda: self._take(1)[0].start, inode_seed(number, self._seed)
        )
        for place, block in found.blocks.items():
            self._at(place, block)
        blocks = sum(stretch.length for stretch in stretches) + len(found.blocks)
        return found.root, blocks * SECTORS_PER_BLOCK

    def _put_tables(self, journal: Inode, last: int, directories: Sequence[int]) -> None:
        """Write inodes, bitmaps, descriptors and superblocks; ``last`` is the last inode used."""
        geometry = self._geometry
        per_group = geometry.inodes_per_group
        for start in range(0, last, per_group):
            numbers = range(start + 1, min(start + per_group, last) + 1)
            table = b"".join(self._inodes.get(number, bytes(INODE)) for number in numbers)
            self._at(geometry.groups[start // per_group].inode_table, table)
        found = usages(geometry, last, directories)
        for group, usage in zip(geometry.groups, found, strict=True):
            self._at(group.block_bitmap, usage.block_bitmap)
            self._at(group.inode_bitmap, usage.inode_bitmap.ljust(BLOCK, b"\xff"))
        header = Header(
            blocks=geometry.blocks,
            free_blocks=sum(usage.free_blocks for usage in found),
            inodes=geometry.inodes,
            free_inodes=sum(usage.free_inodes for usage in found),
            inodes_per_group=per_group,
            reserved_descriptors=geometry.reserved_descriptors,
            uuid=self._uuid,
            label=self._label,
            time=self._mtime,
            hash_seed=self._hash_seed,
            journal_root=journal.root,
            journal_size=journal.size,
        )
        table = descriptors(geometry, found, self._seed)
        for number in geometry.copies():
            first = geometry.groups[number].first
            # Before the first superblock is room for a boot sector.
            self._write(first * BLOCK + (0 if number else 1024), pack_superblock(header, number))
            self._at(first + 1, table)

    def _take(self, blocks: int) -> tuple[Stretch, ...]:
        return self._geometry.space.take(blocks)

    def _at(self, block: int, data: bytes) -> None:
        self._write(block * BLOCK, data)

    def _write(self, position: int, data: bytes) -> None:
        if data != bytes(len(data)):
            self._out.seek(position, io.SEEK_SET)
            self._out.write(data)
