"""Inodes as stored: all fourteen records, read back.

References:
- squashfs-tools-ng, ``doc/format.adoc``, section "Inode Table"
- Linux, ``fs/squashfs/inode.c``
"""

from __future__ import annotations

import dataclasses
import struct
from typing import TYPE_CHECKING, Any, Final

from rdcompose.errors import FormatError
from rdcompose.formats.squashfs import inodes
from rdcompose.formats.squashfs.inodes import EXTENDED, NO_FRAGMENT
from rdcompose.tree import MAX_PATH

if TYPE_CHECKING:
    from collections.abc import Callable

    from rdcompose.formats.squashfs.storage import Cursor

_U32: Final = struct.Struct("<I")
_TWO: Final = struct.Struct("<2I")
# A file of more is none that a disk of modules or a root holds, and would cost memory: a
# hole of any size takes four bytes of table for each block.
_MAX_BLOCKS: Final = 1 << 20


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Inode:
    """What an inode says, whichever of its records it is stored in.

    ``kind`` is the basic type. ``uid`` and ``gid`` are indexes into the id table, ``mtime`` is in
    seconds since 1970. Of a file: where its blocks start, and their sizes as stored. Of a
    directory: ``start`` and ``offset`` are the place of its listing, ``size`` counts three bytes
    that are not there.
    """

    kind: int
    mode: int
    uid: int
    gid: int
    mtime: int
    number: int
    links: int = 1
    size: int = 0
    start: int = 0
    offset: int = 0
    fragment: int = NO_FRAGMENT
    blocks: bytes = b""
    target: bytes = b""
    device: int = 0


def read_inode(cursor: Cursor, block_size: int) -> Inode:
    """Read the inode at a place of the inode table.

    :raises FormatError: it is none, or damaged.
    """
    kind, mode, uid, gid, mtime, number = cursor.unpack(inodes.COMMON)
    read = _READERS.get(kind)
    if read is None:
        raise FormatError(f"an inode of the squashfs image has the type {kind}")
    fields = read(cursor, block_size)
    basic = kind - EXTENDED if kind > EXTENDED else kind
    return Inode(
        kind=basic, mode=mode & 0o7777, uid=uid, gid=gid, mtime=mtime, number=number, **fields
    )


_Fields = dict[str, Any]


def _directory(cursor: Cursor, _block_size: int) -> _Fields:
    start, links, size, offset, _ = cursor.unpack(inodes.DIRECTORY_RECORD)
    return {"links": links, "start": start, "size": size, "offset": offset}


def _long_directory(cursor: Cursor, _block_size: int) -> _Fields:
    # The index behind it only makes looking up names quicker.
    links, size, start, _, _, offset, _ = cursor.unpack(inodes.LONG_DIRECTORY_RECORD)
    return {"links": links, "start": start, "size": size, "offset": offset}


def _file(cursor: Cursor, block_size: int) -> _Fields:
    start, fragment, offset, size = cursor.unpack(inodes.FILE_RECORD)
    return _blocks(cursor, block_size, start=start, fragment=fragment, offset=offset, size=size)


def _long_file(cursor: Cursor, block_size: int) -> _Fields:
    start, size, _, links, fragment, offset, _ = cursor.unpack(inodes.LONG_FILE_RECORD)
    place = _blocks(cursor, block_size, start=start, fragment=fragment, offset=offset, size=size)
    return place | {"links": links}


def _blocks(
    cursor: Cursor, block_size: int, *, start: int, fragment: int, offset: int, size: int
) -> _Fields:
    whole, tail = divmod(size, block_size)
    count = whole + (tail > 0 and fragment == NO_FRAGMENT)
    if count > _MAX_BLOCKS:
        raise FormatError(f"a file of the squashfs image claims to have {size} bytes")
    blocks = cursor.read(4 * count)
    return {"start": start, "fragment": fragment, "offset": offset, "size": size, "blocks": blocks}


def _symlink(cursor: Cursor, _block_size: int) -> _Fields:
    links, size = cursor.unpack(inodes.SYMLINK_RECORD)
    if size > MAX_PATH:
        raise FormatError(f"a link of the squashfs image has a target of {size} bytes")
    return {"links": links, "target": cursor.read(size)}


def _device(cursor: Cursor, _block_size: int) -> _Fields:
    links, device = cursor.unpack(_TWO)
    return {"links": links, "device": device}


def _plain(cursor: Cursor, _block_size: int) -> _Fields:
    return {"links": cursor.unpack(_U32)[0]}


# Extended records have their reference to extended attributes behind what is read here.
_READERS: Final[dict[int, Callable[[Cursor, int], _Fields]]] = {
    1: _directory,
    2: _file,
    3: _symlink,
    4: _device,
    5: _device,
    6: _plain,
    7: _plain,
    8: _long_directory,
    9: _long_file,
    10: _symlink,
    11: _device,
    12: _device,
    13: _plain,
    14: _plain,
}
