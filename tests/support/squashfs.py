"""A strict squashfs reader for tests: it takes nothing that the kernel might not take.

Every rule that this reader checks is one that a lenient reader, written to unpack, passes
over: the tables follow each other without gaps, inode numbers are 1 to n, the export table
and the directory indexes lead where they should, listings are sorted.
"""

from __future__ import annotations

import dataclasses
import itertools
import lzma
import stat
import struct
import zlib
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import lz4.block
import PySquashfsImage
import zstandard

from rdcompose.tree import Bytes, Directory, Entry, File, Node, NodeKind, Symlink, decode_name
from tests.support.dump import digest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NONE: Final = 0xFFFF_FFFF
NO_TABLE: Final = 0xFFFF_FFFF_FFFF_FFFF
KINDS: Final = {
    4: NodeKind.BLOCK,
    5: NodeKind.CHARACTER,
    6: NodeKind.FIFO,
    7: NodeKind.SOCKET,
}


class Superblock(NamedTuple):
    """The fields as stored."""

    magic: int
    inodes: int
    mtime: int
    block_size: int
    fragments: int
    compressor: int
    block_log: int
    flags: int
    ids: int
    major: int
    minor: int
    root: int
    bytes_used: int
    id_table: int
    xattr_table: int
    inode_table: int
    directory_table: int
    fragment_table: int
    export_table: int


@dataclasses.dataclass(slots=True, kw_only=True)
class Inode:
    """An inode as stored, with what its type adds."""

    kind: int
    mode: int
    uid: int
    gid: int
    number: int
    links: int = 1
    size: int = 0
    start: int = 0
    holes: int = 0
    fragment: int = NONE
    offset: int = 0
    parent: int = 0
    target: bytes = b""
    device: int = 0
    blocks: tuple[int, ...] = ()
    index: tuple[tuple[int, int, bytes], ...] = ()

    @property
    def basic(self) -> int:
        """The type, as a listing names it."""
        return self.kind - 7 if self.kind > 7 else self.kind


def _unlz4(data: bytes, limit: int) -> bytes:
    unpacked: bytes = lz4.block.decompress(data, uncompressed_size=limit)
    return unpacked


def _unzstd(data: bytes, limit: int) -> bytes:
    # The kernel provides for windows of a block at most.
    parameters = zstandard.get_frame_parameters(data)
    assert parameters.window_size <= limit
    assert parameters.content_size <= limit
    return zstandard.ZstdDecompressor().decompress(data)


def _unxz(data: bytes, limit: int) -> bytes:
    assert data[:6] == b"\xfd7zXZ\0"
    assert data[7] == lzma.CHECK_CRC32
    # What the kernel allocates: a dictionary of a block.
    return lzma.decompress(data, memlimit=limit + 1024 * 1024)


UNPACKERS: Final[dict[int, Callable[[bytes, int], bytes]]] = {
    1: lambda data, _limit: zlib.decompress(data),
    4: _unxz,
    5: _unlz4,
    6: _unzstd,
}


class SquashfsReader:
    """Reads and checks a whole image."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.superblock = Superblock._make(struct.unpack_from("<5I6H8Q", data))
        self._unpack = UNPACKERS[self.superblock.compressor]
        self._fragment_cache: dict[int, bytes] = {}
        self._check_superblock()
        sb = self.superblock
        self.ids = struct.unpack(
            f"<{sb.ids}I", self._lookup(sb.id_table, sb.ids * 4, sb.bytes_used)
        )
        export_end = self._first(sb.id_table)
        exports = self._lookup(sb.export_table, sb.inodes * 8, export_end)
        self.exports = struct.unpack(f"<{sb.inodes}Q", exports)
        fragment_end = self._first(sb.export_table)
        self.fragments = self._read_fragments(fragment_end)
        listing_end = fragment_end if not sb.fragments else self._first(sb.fragment_table)
        self.listings, self.listing_blocks = self._table(sb.directory_table, listing_end)
        raw, self.inode_blocks = self._table(sb.inode_table, sb.directory_table)
        self.inodes = self._read_inodes(raw)
        self.by_number = {inode.number: inode for inode in self.inodes.values()}
        assert sorted(self.by_number) == list(range(1, sb.inodes + 1))
        for number, reference in enumerate(self.exports, 1):
            assert self.inodes[self._inode_offset(reference)].number == number
        self._listings_seen = 0
        self.root = self.inodes[self._inode_offset(sb.root)]
        assert self.root.parent == sb.inodes + 1
        self.by_path = dict(self._walk(self.root, ""))
        assert len(self.by_path) == sb.inodes - 1
        assert self._listings_seen == len(self.listings)

    def entries(self) -> list[Entry]:
        """Everything but the root, in the order of the listings."""
        return [self._entry(path, inode) for path, inode in self.by_path.items()]

    def _check_superblock(self) -> None:
        sb = self.superblock
        assert (sb.magic, sb.major, sb.minor) == (0x73717368, 4, 0)
        assert sb.block_size == 1 << sb.block_log
        assert 4096 <= sb.block_size <= 1024 * 1024
        assert sb.xattr_table == NO_TABLE
        assert len(self.data) % 4096 == 0
        assert 0 <= len(self.data) - sb.bytes_used < 4096
        assert not any(self.data[sb.bytes_used :])

    def _metadata(self, position: int) -> tuple[bytes, int]:
        (header,) = struct.unpack_from("<H", self.data, position)
        length = header & 0x7FFF
        raw = self.data[position + 2 : position + 2 + length]
        assert len(raw) == length
        block = raw if header & 0x8000 else self._unpack(raw, max(8192, self.superblock.block_size))
        assert 0 < len(block) <= 8192
        return block, position + 2 + length

    def _table(self, start: int, end: int) -> tuple[bytes, dict[int, int]]:
        """Content of a table, and where in it each stored block begins."""
        blocks: list[bytes] = []
        begins: dict[int, int] = {}
        position = start
        while position < end:
            assert all(len(block) == 8192 for block in blocks[-1:])
            begins[position - start] = 8192 * len(blocks)
            block, position = self._metadata(position)
            blocks.append(block)
        assert position == end
        return b"".join(blocks), begins

    def _first(self, index: int) -> int:
        (position,) = struct.unpack_from("<Q", self.data, index)
        assert isinstance(position, int)
        return position

    def _lookup(self, index: int, size: int, end: int) -> bytes:
        """Both levels of a table of ``size`` bytes that ends at ``end``."""
        count = -(-size // 8192)
        assert index + 8 * count == end
        positions = struct.unpack_from(f"<{count}Q", self.data, index)
        data, begins = self._table(positions[0], index)
        assert [positions[0] + begin for begin in begins] == list(positions)
        assert len(data) == size
        return data

    def _read_fragments(self, end: int) -> list[tuple[int, int, int]]:
        sb = self.superblock
        if not sb.fragments:
            assert sb.fragment_table == NO_TABLE
            return []
        return list(
            struct.iter_unpack("<QII", self._lookup(sb.fragment_table, sb.fragments * 16, end))
        )

    def _inode_offset(self, reference: int) -> int:
        assert reference & 0xFFFF < 8192
        return self.inode_blocks[reference >> 16] + (reference & 0xFFFF)

    def _read_inodes(self, raw: bytes) -> dict[int, Inode]:
        found: dict[int, Inode] = {}
        position = 0
        while position < len(raw):
            kind, mode, uid, gid, mtime, number = struct.unpack_from("<4H2I", raw, position)
            assert mtime == self.superblock.mtime
            inode = Inode(kind=kind, mode=mode, uid=self.ids[uid], gid=self.ids[gid], number=number)
            found[position] = inode
            position = _PARSERS[kind](inode, raw, position + 16, self.superblock.block_size)
        assert position == len(raw)
        return found

    def _walk(self, folder: Inode, path: str) -> Iterator[tuple[str, Inode]]:
        names = b""
        subdirectories = 0
        found: list[tuple[str, Inode]] = []
        for name, child in self._listing(folder):
            assert name > names
            names = name
            assert child.basic in range(1, 8)
            child_path = f"{path}/{decode_name(name)}".lstrip("/")
            found.append((child_path, child))
            if child.basic == 1:
                assert child.parent == folder.number
                subdirectories += 1
            else:
                assert child.links == 1
        assert folder.links == 2 + subdirectories
        for child_path, child in found:
            yield child_path, child
            if child.basic == 1:
                yield from self._walk(child, child_path)

    def _listing(self, folder: Inode) -> Iterator[tuple[bytes, Inode]]:
        size = folder.size - 3
        if not size:
            assert not folder.index
            return
        start = self.listing_blocks[folder.start] + folder.offset
        self._listings_seen += size
        runs: dict[int, bytes] = {}
        position = start
        while position < start + size:
            count, block, base = struct.unpack_from("<3I", self.listings, position)
            assert count < 256
            run = position
            position += 12
            for _ in range(count + 1):
                offset, delta, kind, length = struct.unpack_from("<HhHH", self.listings, position)
                name = self.listings[position + 8 : position + 9 + length]
                runs.setdefault(run - start, name)
                inode = self.inodes[self._inode_offset(block << 16 | offset)]
                assert (inode.number, inode.basic) == (base + delta, kind)
                yield name, inode
                position += 9 + length
        assert position == start + size
        for place, block, name in folder.index:
            assert runs[place] == name
            assert self.listing_blocks[block] // 8192 == (start + place) // 8192
        places = [0, *(place for place, _, _ in folder.index), size]
        # No look-up reads more than two blocks: none with the index, one run that overlaps.
        assert all(after - before <= 2 * 8192 for before, after in itertools.pairwise(places))

    def content(self, inode: Inode) -> bytes:
        """Content of a regular file."""
        block_size = self.superblock.block_size
        parts: list[bytes] = []
        position = inode.start
        for number, stored in enumerate(inode.blocks):
            length = min(block_size, inode.size - number * block_size)
            parts.append(bytes(length) if not stored else self._block(position, stored))
            assert len(parts[-1]) == length
            position += stored & 0xFF_FFFF
        tail = inode.size - sum(len(part) for part in parts)
        if inode.fragment == NONE:
            assert tail == 0
        else:
            parts.append(self._fragment(inode.fragment)[inode.offset : inode.offset + tail])
            assert len(parts[-1]) == tail > 0
        return b"".join(parts)

    def _fragment(self, number: int) -> bytes:
        if number not in self._fragment_cache:
            start, stored, unused = self.fragments[number]
            assert unused == 0
            self._fragment_cache[number] = self._block(start, stored)
        return self._fragment_cache[number]

    def _block(self, position: int, stored: int) -> bytes:
        assert 96 <= position < self.superblock.inode_table
        raw = self.data[position : position + (stored & 0xFF_FFFF)]
        if stored >> 24:
            assert stored >> 24 == 1
            return raw
        return self._unpack(raw, self.superblock.block_size)

    def _entry(self, path: str, inode: Inode) -> Entry:
        common: dict[str, Any] = {
            "path": path,
            "mode": inode.mode,
            "uid": inode.uid,
            "gid": inode.gid,
        }
        if inode.basic == 1:
            return Directory(**common)
        if inode.basic == 2:
            return File(**common, content=Bytes(self.content(inode)))
        if inode.basic == 3:
            return Symlink(**common, target=decode_name(inode.target))
        device = inode.device
        major, minor = device >> 8 & 0xFFF, device & 0xFF | device >> 12 & 0xF_FF00
        return Node(**common, kind=KINDS[inode.basic], major=major, minor=minor)


def _parse_directory(inode: Inode, raw: bytes, at: int, _block_size: int) -> int:
    fields = struct.unpack_from("<2I2HI", raw, at)
    inode.start, inode.links, inode.size, inode.offset, inode.parent = fields
    return at + 16


def _parse_long_directory(inode: Inode, raw: bytes, at: int, _block_size: int) -> int:
    fields = struct.unpack_from("<4I2HI", raw, at)
    inode.links, inode.size, inode.start, inode.parent, count, inode.offset, xattr = fields
    assert xattr == NONE
    at += 24
    index = []
    for _ in range(count):
        place, block, length = struct.unpack_from("<3I", raw, at)
        index.append((place, block, raw[at + 12 : at + 13 + length]))
        at += 13 + length
    inode.index = tuple(index)
    return at


def _parse_blocks(inode: Inode, raw: bytes, at: int, block_size: int) -> int:
    count = inode.size // block_size
    if inode.fragment == NONE:
        count = -(-inode.size // block_size)
    inode.blocks = struct.unpack_from(f"<{count}I", raw, at)
    return at + 4 * count


def _parse_file(inode: Inode, raw: bytes, at: int, block_size: int) -> int:
    inode.start, inode.fragment, inode.offset, inode.size = struct.unpack_from("<4I", raw, at)
    return _parse_blocks(inode, raw, at + 16, block_size)


def _parse_long_file(inode: Inode, raw: bytes, at: int, block_size: int) -> int:
    fields = struct.unpack_from("<3Q4I", raw, at)
    inode.start, inode.size, inode.holes, inode.links, inode.fragment, inode.offset, xattr = fields
    assert xattr == NONE
    return _parse_blocks(inode, raw, at + 40, block_size)


def _parse_symlink(inode: Inode, raw: bytes, at: int, _block_size: int) -> int:
    inode.links, inode.size = struct.unpack_from("<2I", raw, at)
    inode.target = raw[at + 8 : at + 8 + inode.size]
    return at + 8 + inode.size


def _parse_device(inode: Inode, raw: bytes, at: int, _block_size: int) -> int:
    inode.links, inode.device = struct.unpack_from("<2I", raw, at)
    return at + 8


def _parse_pipe(inode: Inode, raw: bytes, at: int, _block_size: int) -> int:
    (inode.links,) = struct.unpack_from("<I", raw, at)
    return at + 4


_PARSERS: Final[dict[int, Callable[[Inode, bytes, int, int], int]]] = {
    1: _parse_directory,
    2: _parse_file,
    3: _parse_symlink,
    4: _parse_device,
    5: _parse_device,
    6: _parse_pipe,
    7: _parse_pipe,
    8: _parse_long_directory,
    9: _parse_long_file,
}


def independent_dump(data: bytes) -> dict[str, str]:
    """What PySquashfsImage reads, in the words of :func:`tests.support.dump.dump`.

    Names must be UTF-8, and the compressor not lz4, whose blocks it takes for frames.
    """
    found: dict[str, str] = {}
    with PySquashfsImage.SquashFsImage.from_bytes(data) as image:
        for item in image:
            mode = f"{stat.S_IMODE(item.mode):04o}"
            kind = stat.S_IFMT(item.mode)
            match kind:
                case stat.S_IFDIR:
                    text = f"dir {mode}"
                case stat.S_IFREG:
                    text = f"file {mode} {digest(item.read_bytes())}"
                case stat.S_IFLNK:
                    text = f"symlink {decode_name(item.inode._symlink)}"
                case stat.S_IFBLK | stat.S_IFCHR:
                    letter = "block" if kind == stat.S_IFBLK else "char"
                    text = f"{letter} {mode} {item.major}:{item.minor}"
                case _:
                    text = f"{'fifo' if kind == stat.S_IFIFO else 'socket'} {mode}"
            owner = "" if item.uid == item.gid == 0 else f" {item.uid}:{item.gid}"
            found[item.path.lstrip("/")] = text + owner
    del found[""]
    return found
