"""The 32 bytes of an entry in a FAT directory, and times as they are in it.

Reference: Microsoft, "FAT: General Overview of On-Disk Format" (fatgen103), "FAT Directory
Structure". Its times have no zone; what is written here is in UTC.
"""

from __future__ import annotations

import struct
from typing import Final

SIZE: Final = 32
REMOVED: Final = 0xE5
READ_ONLY: Final = 0x01
VOLUME: Final = 0x08
DIRECTORY: Final = 0x10
ARCHIVE: Final = 0x20
# name, attributes, case, hundredths, time and date of creation, date of access, upper half of
# the cluster, time and date of the last change, lower half, size
ENTRY: Final = struct.Struct("<11sBBBHHHHHHHI")

_EPOCH: Final = (0, 1 << 5 | 1)  # 1980-01-01 00:00:00
_FIRST_YEAR: Final = 1980
_LAST_YEAR: Final = 2107
_LAST: Final = (23 << 11 | 59 << 5 | 29, 127 << 9 | 12 << 5 | 31)


def pack(name: bytes, attributes: int, cluster: int, size: int, mtime: int) -> bytes:
    """Return an entry; ``mtime`` is in seconds since 1970 and stands for all of its times."""
    time, date = dos_time(mtime)
    low, high = cluster & 0xFFFF, cluster >> 16
    return ENTRY.pack(name, attributes, 0, 0, time, date, date, high, time, date, low, size)


def dos_time(mtime: int) -> tuple[int, int]:
    """Return time and date of seconds since 1970, to two seconds.

    What is before 1980 or after 2107 becomes the first or the last that there is.
    """
    days, seconds = divmod(mtime, 86400)
    year, month, day = _date(days)
    if year < _FIRST_YEAR:
        return _EPOCH
    if year > _LAST_YEAR:
        return _LAST
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    return (
        hour << 11 | minute << 5 | second // 2,
        year - _FIRST_YEAR << 9 | month << 5 | day,
    )


def _date(days: int) -> tuple[int, int, int]:
    """Return year, month and day of days since 1970-01-01, without a clock's library.

    Years are counted from March here, so that the leap day is the last of one.
    """
    days += 719468  # from 0000-03-01
    era, of_era = divmod(days, 146097)
    year = (of_era - of_era // 1460 + of_era // 36524 - of_era // 146096) // 365
    of_year = of_era - (365 * year + year // 4 - year // 100)
    month = (5 * of_year + 2) // 153
    day = of_year - (153 * month + 2) // 5 + 1
    if month >= 10:
        return era * 400 + year + 1, month - 9, day
    return era * 400 + year, month + 3, day
