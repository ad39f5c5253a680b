"""Reader for the ar archive format, as far as .deb packages use it.

Layout and field widths: ar(5); the subset allowed in packages: deb(5). Member names
are plain: the GNU name table (``//``, ``/12``) and the BSD names (``#1/12``) do not
occur in a .deb and are refused. The ``/`` that GNU ar puts behind a plain name is not
part of it.
"""

from __future__ import annotations

import dataclasses
import struct
from typing import TYPE_CHECKING, BinaryIO, Final

from rdcompose.errors import FormatError, UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Iterator

MAGIC: Final = b"!<arch>\n"
# ar_name, ar_date, ar_uid, ar_gid, ar_mode, ar_size, ar_fmag
HEADER: Final = struct.Struct("16s 12s 6s 6s 8s 10s 2s")
FMAG: Final = b"`\n"
_DIGITS: Final = frozenset(b"0123456789")


@dataclasses.dataclass(frozen=True, slots=True)
class Member:
    """One member; its content starts at ``offset`` of the file and is ``size`` bytes."""

    name: str
    offset: int
    size: int


def iter_members(stream: BinaryIO) -> Iterator[Member]:
    """Yield the members of the archive in file order, without reading content.

    The stream must be seekable and may be moved between two members. Every member
    yielded lies within the file.

    :raises FormatError: this is no archive, or it is damaged or cut.
    :raises UnsupportedError: a member name is of the GNU or BSD long kind.
    """
    end = stream.seek(0, 2)
    stream.seek(0)
    if stream.read(len(MAGIC)) != MAGIC:
        raise FormatError("this is no ar archive: it does not start with '!<arch>'")
    position = len(MAGIC)
    while position < end:
        stream.seek(position)
        member = _parse_header(stream.read(HEADER.size), position)
        if member.size > end - member.offset:
            raise FormatError(
                f"the ar member {member.name!r} at offset {position} has {member.size} bytes,"
                f" but only {end - member.offset} follow",
                hint="the file is probably cut short: fetch it again",
            )
        yield member
        # Contents are padded to an even offset; at the end of the file the pad may be missing.
        position = member.offset + member.size + member.size % 2


def _parse_header(raw: bytes, position: int) -> Member:
    where = f"the ar member header at offset {position}"
    if len(raw) < HEADER.size:
        raise FormatError(f"{where} is cut short")
    name, *_, size, fmag = HEADER.unpack(raw)
    if fmag != FMAG:
        raise FormatError(f"{where} does not end in its magic")
    return Member(_parse_name(name, where), position + HEADER.size, _parse_size(size, where))


def _parse_name(raw: bytes, where: str) -> str:
    name = raw.rstrip(b" ")
    if name.startswith((b"/", b"#1/")):
        raise UnsupportedError(f"{where} has the name {name!r}, of a kind that packages never have")
    name = name.removesuffix(b"/")
    if not name or not all(0x21 <= byte <= 0x7E and byte != 0x2F for byte in name):
        raise FormatError(f"{where} has the name {raw!r}")
    return name.decode("ascii")


def _parse_size(raw: bytes, where: str) -> int:
    digits = raw.rstrip(b" ")
    # int() alone would take "-60" (an endless loop here), "+5" and "1_0".
    if not digits or not _DIGITS.issuperset(digits):
        raise FormatError(f"{where} has the size {raw!r}")
    return int(digits)
