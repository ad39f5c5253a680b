"""The id table: user and group ids, which inodes name by a 16-bit index.

References:
- squashfs-tools-ng, ``doc/format.adoc``, section "ID Table"
"""

from __future__ import annotations

import struct
from typing import Final

from rdcompose.errors import SpecError

# The superblock counts the ids in 16 bits.
MAX_IDS: Final = 0xFFFF
MAX_ID: Final = 0xFFFF_FFFF


class IdTable:
    """Ids in the order of first use; users and groups share the table."""

    def __init__(self) -> None:
        self._indexes: dict[int, int] = {}

    def index(self, number: int) -> int:
        """Return the index of a user or group id, which is added if it is new.

        :raises SpecError: the id is none, or there are too many different ones.
        """
        found = self._indexes.get(number)
        if found is not None:
            return found
        if not 0 <= number <= MAX_ID:
            raise SpecError(f"{number} is not a user or group id")
        if len(self._indexes) == MAX_IDS:
            raise SpecError(f"a squashfs image holds at most {MAX_IDS} different owners")
        self._indexes[number] = len(self._indexes)
        return self._indexes[number]

    def __len__(self) -> int:
        return len(self._indexes)

    def records(self) -> bytes:
        """Return the records of the table."""
        return struct.pack(f"<{len(self._indexes)}I", *self._indexes)
