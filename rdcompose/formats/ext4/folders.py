"""The blocks of a directory: names in a row, or sorted by their hashes under an index.

A directory of one block is a list. A larger one has an index in its first block, which
tells where names of a hash are; who does not know that sees an empty list there.

Reference: Documentation/filesystems/ext4/directory.rst of Linux.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final, NamedTuple

from rdcompose.errors import UnsupportedError
from rdcompose.formats.ext4.checksum import crc32c
from rdcompose.formats.ext4.geometry import BLOCK
from rdcompose.formats.ext4.hashes import NameHash, name_hash

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

# inode, length of the record, length of the name, type
_ENTRY: Final = struct.Struct("<IHBB")
_DIRECTORY: Final = 2
# The last record of a block: no inode, and a type of its own; its checksum follows.
_TAIL: Final = _ENTRY.pack(0, 12, 0, 0xDE)
_ROOM: Final = BLOCK - len(_TAIL) - 4
_HALF_MD4: Final = 1
# hash version, length of these fields, levels below the first
_INDEX_INFO: Final = struct.Struct("<4x3Bx")
# In place of the hash of its first entry, an index has its room and count.
_INDEX_COUNTS: Final = struct.Struct("<2H")
_INDEX_ENTRY: Final = struct.Struct("<2I")
_INDEX_TAIL: Final = 8
_LEAVES: Final = BLOCK - _INDEX_TAIL


class Name(NamedTuple):
    """A name in a directory; ``kind`` is the type as directories have it."""

    name: bytes
    inode: int
    kind: int

    @property
    def length(self) -> int:
        """Bytes of its record."""
        return -(-(_ENTRY.size + len(self.name)) // 4) * 4


class Folder(NamedTuple):
    """The blocks of a directory without their checksums, and whether the first is an index.

    ``indexes`` are the numbers of all blocks that are.
    """

    blocks: tuple[bytes, ...]
    indexes: frozenset[int]


def make_folder(
    own: int, parent: int, names: Sequence[Name], seed: Sequence[int], *, least: int = 1
) -> Folder:
    """Return the blocks of the directory with the inode ``own``, at least so many.

    :raises UnsupportedError: it has more names than an index of two levels can hold.
    """
    dots = (Name(b".", own, _DIRECTORY), Name(b"..", parent, _DIRECTORY))
    if sum(name.length for name in (*dots, *names)) <= _ROOM:
        empty = (_leaf(()) for _ in range(least - 1))
        return Folder((_leaf((*dots, *names)), *empty), frozenset())
    hashed = sorted((name_hash(name.name, seed), name) for name in names)
    leaves = list(_packed(hashed))
    starts = [start for start, _ in leaves]
    return _indexed(dots, starts, [_leaf(part) for _, part in leaves])


def _packed(hashed: Iterable[tuple[NameHash, Name]]) -> Iterator[tuple[int, list[Name]]]:
    """Yield the names of each block, and the hash from which on they are there.

    An odd one tells that names of the same hash are in the block before, too.
    """
    part: list[Name] = []
    start, room, last = 0, _ROOM, -1
    for (major, _), name in hashed:
        if name.length > room:
            yield start, part
            part, start, room = [], major | (major == last), _ROOM
        part.append(name)
        room -= name.length
        last = major
    yield start, part


def _indexed(dots: Sequence[Name], starts: Sequence[int], leaves: Sequence[bytes]) -> Folder:
    first, second = dots
    # The rest of the block belongs to the record of "..".
    head = _record(first, first.length)
    head += _record(second, second.length, BLOCK - first.length)
    fixed = len(head) + _INDEX_INFO.size
    room = (_LEAVES - fixed) // _INDEX_ENTRY.size
    nodes: list[bytes] = []
    entries = list(zip(starts, range(1, len(leaves) + 1), strict=True))
    if len(entries) > room:
        entries, nodes = _nodes(starts)
        if len(entries) > room:
            raise UnsupportedError("a directory has too many names for the ext4 filesystem")
    info = _INDEX_INFO.pack(_HALF_MD4, _INDEX_INFO.size, 1 if nodes else 0)
    root = head + info + _index(entries, room)
    blocks = (root.ljust(BLOCK, b"\0"), *nodes, *leaves)
    return Folder(blocks, frozenset(range(1 + len(nodes))))


def _nodes(starts: Sequence[int]) -> tuple[list[tuple[int, int]], list[bytes]]:
    """Return the entries of the root and the blocks of the level below it."""
    head = _ENTRY.pack(0, BLOCK, 0, 0)
    room = (_LEAVES - len(head)) // _INDEX_ENTRY.size
    parts = [range(at, min(at + room, len(starts))) for at in range(0, len(starts), room)]
    first_leaf = 1 + len(parts)
    nodes = []
    for part in parts:
        index = _index([(starts[at], first_leaf + at) for at in part], room)
        nodes.append((head + index).ljust(BLOCK, b"\0"))
    return [(starts[part[0]], number) for number, part in enumerate(parts, 1)], nodes


def _index(entries: Sequence[tuple[int, int]], room: int) -> bytes:
    packed = b"".join(_INDEX_ENTRY.pack(start, block) for start, block in entries)
    return _INDEX_COUNTS.pack(room, len(entries)) + packed[_INDEX_COUNTS.size :]


def _leaf(names: Sequence[Name]) -> bytes:
    """Return a block of names; the last one has what room is left."""
    if not names:
        return _ENTRY.pack(0, _ROOM, 0, 0).ljust(_ROOM, b"\0") + _TAIL + bytes(4)
    records = [_record(name, name.length) for name in names[:-1]]
    used = sum(map(len, records))
    last = _record(names[-1], names[-1].length, _ROOM - used)
    return b"".join([*records, last]).ljust(_ROOM, b"\0") + _TAIL + bytes(4)


def _record(name: Name, size: int, length: int | None = None) -> bytes:
    """Return the first bytes of a record; ``length`` is what it claims to be."""
    claimed = size if length is None else length
    head = _ENTRY.pack(name.inode, claimed, len(name.name), name.kind)
    return (head + name.name).ljust(size, b"\0")


def with_checksums(folder: Folder, inode_seed: int) -> Iterator[bytes]:
    """Yield the blocks of a directory as they are stored."""
    for number, block in enumerate(folder.blocks):
        if number in folder.indexes:
            yield _checked_index(block, number, inode_seed)
        else:
            checksum = crc32c(inode_seed, block[:_ROOM])
            yield block[:-4] + struct.pack("<I", checksum)


def _checked_index(block: bytes, number: int, inode_seed: int) -> bytes:
    at = 2 * 12 + _INDEX_INFO.size if number == 0 else _ENTRY.size
    room, count = _INDEX_COUNTS.unpack_from(block, at)
    end = at + room * _INDEX_ENTRY.size
    used = at + count * _INDEX_ENTRY.size
    # Four reserved bytes and the checksum's own place count as zeros.
    checksum = crc32c(inode_seed, block[:used] + bytes(8))
    return block[: end + 4] + struct.pack("<I", checksum) + block[end + 8 :]
