"""An empty journal: its superblock, and zeros.

Reference: Documentation/filesystems/ext4/journal.rst of Linux; numbers are big-endian here.
"""

from __future__ import annotations

import struct
from typing import Final

from rdcompose.formats.ext4.geometry import BLOCK

_MAGIC: Final = 0xC03B_3998
_SUPERBLOCK: Final = 4
# magic, type, sequence; block size, length, first block of the log; first sequence, start of
# the log, error; features of three kinds; UUID; filesystems that share it
_FIELDS: Final = struct.Struct(">3I3I3I3I16sI")


def journal_superblock(blocks: int) -> bytes:
    """Return the first block of a journal of so many; there is nothing to replay."""
    fields = _FIELDS.pack(_MAGIC, _SUPERBLOCK, 0, BLOCK, blocks, 1, 1, *(0,) * 5, bytes(16), 1)
    return fields.ljust(BLOCK, b"\0")
