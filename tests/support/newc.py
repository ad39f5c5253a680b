"""Records of newc archives that no writer would write, field by field."""

from __future__ import annotations

import dataclasses
import io
from typing import TYPE_CHECKING, Final

from rdcompose.formats.segments import read_segments

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rdcompose.tree import Entry

_FIELDS: Final = "ino mode uid gid nlink mtime filesize maj min rmaj rmin namesize chksum"


def raw_record(
    name: bytes = b"a\0",
    data: bytes = b"",
    *,
    magic: bytes = b"070701",
    mode: int = 0o100644,
    **fields: int,
) -> bytes:
    """Return a record with the name as it is stored, and with whatever its fields claim."""
    names = _FIELDS.split()
    values = {"nlink": 1, "mode": mode, "filesize": len(data), "namesize": len(name), **fields}
    header = magic + b"".join(b"%08x" % values.get(field, 0) for field in names) + name
    header += bytes(-len(header) % 4)
    return header + data + bytes(-len(data) % 4)


def record(name: str, data: bytes = b"", **fields: int) -> bytes:
    """Return a record of a name."""
    return raw_record(name.encode() + b"\0", data, magic=b"070701", **fields)


TRAILER: Final = raw_record(b"TRAILER!!!\0", mode=0)


@dataclasses.dataclass(frozen=True, slots=True)
class ReadSegment:
    """A segment with all that is in it."""

    offset: int
    size: int
    unpacked: int
    compression: str
    entries: tuple[Entry, ...]


def segments(data: bytes, limit: int = 1 << 30) -> Iterator[ReadSegment]:
    """Yield the segments of an initramfs, each read to its end."""
    for row in read_segments(io.BytesIO(data), len(data), limit=limit):
        entries = tuple(row.entries())
        yield ReadSegment(row.offset, row.size, row.unpacked, row.compression, entries)
