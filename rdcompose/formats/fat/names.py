"""Names on FAT: the short ones of 8.3 characters, and the long ones in UTF-16.

A long name is stored in front of its short one, in records of 13 characters, the last first, tied
to it by a checksum. Short names are made as Linux makes them: upper case, with ``~1`` where
characters had to go. A name gets a long one unless it is a short one as it is.

Reference: Microsoft, "FAT: General Overview of On-Disk Format" (fatgen103), "Long File Names".
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from rdcompose.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_LONG: Final = 255
PER_RECORD: Final = 13
LONG_NAME: Final = 0x0F
LAST: Final = 0x40
# order, characters, attribute, type, checksum, characters, cluster, characters
RECORD: Final = struct.Struct("<B10sBBB12sH4s")

_FORBIDDEN: Final = frozenset('"*/:<>?\\|') | frozenset(map(chr, range(0x20))) | {"\x7f"}
_SHORT: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'()-@^_`{}~")
_MAX_TAIL: Final = 999_999
# In place of 0xE5, which says of a record that it was removed.
_KANJI: Final = 0x05
_REMOVED: Final = 0xE5
_LOWER_BASE: Final = 0x08
_LOWER_EXTENSION: Final = 0x10


def folded(name: str) -> str:
    """Return a name in the case in which FAT compares names, character by character."""
    return "".join(upper if len(upper := c.upper()) == 1 else c for c in name)


def checksum(short: bytes) -> int:
    """Return what ties the records of a long name to its short name of 11 bytes."""
    total = 0
    for byte in short:
        total = ((total & 1) << 7) + (total >> 1) + byte & 0xFF
    return total


def check_name(name: str) -> None:
    """Refuse what FAT cannot hold, or what other systems would change.

    :raises SpecError: a character cannot be there, or it ends in a dot or space.
    """
    wrong = next((c for c in name if c in _FORBIDDEN), None)
    if wrong is not None:
        raise SpecError(f"FAT cannot hold {wrong!r} in the name {name!r}")
    if name.endswith((".", " ")):
        raise SpecError(f"FAT cannot hold the name {name!r}: it ends in {name[-1]!r}")
    # No name in a tree is longer than what FAT holds: 255 bytes of UTF-8 are no more in UTF-16.
    try:
        name.encode("utf-16-le")
    except UnicodeEncodeError:
        raise SpecError(f"FAT cannot hold the name {name!r}: it is no UTF-8") from None


class ShortNames:
    """Gives out the short names of one directory, each once, in the order of the calls."""

    def __init__(self) -> None:
        self._taken: set[bytes] = set()
        self._tails: dict[tuple[str, str], int] = {}

    def take(self, name: str) -> bytes:
        """Return the 11 bytes of a short name for a name that was checked.

        :raises SpecError: no number is left.
        """
        base, extension, lossless = _basis(name)
        if lossless and (short := _packed(base, extension)) not in self._taken:
            self._taken.add(short)
            return short
        # Numbers go on behind the last one, so that a thousand names alike take no time.
        for number in range(self._tails.get((base[:6], extension), 0) + 1, _MAX_TAIL + 1):
            tail = f"~{number}"
            short = _packed(base[: 8 - len(tail)] + tail, extension)
            if short not in self._taken:
                self._taken.add(short)
                self._tails[base[:6], extension] = number
                return short
        raise SpecError(f"FAT has no short name left for {name!r}")


def _packed(base: str, extension: str) -> bytes:
    return base.ljust(8).encode("ascii") + extension.ljust(3).encode("ascii")


def _basis(name: str) -> tuple[str, str, bool]:
    """Return base and extension as far as they fit, and whether nothing was lost."""
    stripped = name.replace(" ", "").lstrip(".")
    stem, dot, end = stripped.rpartition(".")
    base, extension = (stem, end) if dot else (stripped, "")
    parts = ["".join(_short_character(c) for c in part) for part in (base, extension)]
    first, last = parts[0][:8], parts[1][:3]
    whole = f"{first}.{last}" if last else first
    return first or "_", last, whole == folded(name)


def _short_character(character: str) -> str:
    if character == ".":
        return ""
    upper = character.upper()
    return upper if upper in _SHORT else "_"


def is_short(name: str, short: bytes) -> bool:
    """Whether the short name says all that there is to the name."""
    return name == short_name(short, 0)


def long_records(name: str, short: bytes) -> bytes:
    """Return the records of a long name, in the order in which they are stored."""
    units = name.encode("utf-16-le")
    count = -(-len(units) // (2 * PER_RECORD))
    if len(units) < count * 2 * PER_RECORD:
        units = (units + b"\0\0").ljust(count * 2 * PER_RECORD, b"\xff")
    total = checksum(short)
    records = []
    for number in range(count, 0, -1):
        piece = units[(number - 1) * 26 : number * 26]
        order = number | (LAST if number == count else 0)
        records.append(
            RECORD.pack(order, piece[:10], LONG_NAME, 0, total, piece[10:22], 0, piece[22:])
        )
    return b"".join(records)


def long_name(records: Sequence[bytes], short: bytes) -> str | None:
    """Return the name in records as they are stored, ``None`` if they make none for this entry."""
    total = checksum(short)
    pieces = []
    for number, record in zip(range(len(records), 0, -1), records, strict=True):
        order, first, _, _, found, second, _, third = RECORD.unpack(record)
        if found != total or order != number | (LAST if number == len(records) else 0):
            return None
        pieces.append(first + second + third)
    units = b"".join(reversed(pieces))
    for end in range(0, len(units), 2):
        if units[end : end + 2] == b"\0\0":
            units = units[:end]
            break
    try:
        return units.decode("utf-16-le") or None
    except UnicodeDecodeError:
        return None


def short_name(raw: bytes, case: int) -> str:
    """Return the name in 11 bytes; ``case`` has the bits of Windows NT for lower case."""
    if raw[0] == _KANJI:
        raw = bytes([_REMOVED]) + raw[1:]
    base = raw[:8].decode("cp437").rstrip(" ")
    extension = raw[8:].decode("cp437").rstrip(" ")
    if case & _LOWER_BASE:
        base = base.lower()
    if case & _LOWER_EXTENSION:
        extension = extension.lower()
    return f"{base}.{extension}" if extension else base
