"""Microcode of Intel and AMD that is sound, for processors that there are not."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def _sum(data: bytes) -> int:
    return sum(struct.unpack(f"<{len(data) // 4}I", data))


def make_intel(
    signature: int = 0x906EA,
    *,
    flags: int = 1,
    revision: int = 2,
    size: int = 1024,
    more: Sequence[tuple[int, int]] = (),
    old: bool = False,
) -> bytes:
    """Return an update of ``size`` bytes; ``more`` are further processors that it is for.

    One of the ``old`` form leaves its sizes out.
    """
    size = 2048 if old else size
    table = b""
    if more:
        table = b"".join(struct.pack("<3I", *row, 0) for row in more)
    extended = 20 + len(table) if more else 0
    data = bytes([revision & 0xFF]) * (size - 48 - extended)
    sizes = (0, 0) if old else (len(data), size)

    def head(checksum: int) -> bytes:
        numbers = (1, revision, 0x01022024, signature, checksum, 1, flags, *sizes)
        return struct.pack("<9I12x", *numbers)

    checksum = -_sum(head(0) + data) & 0xFFFFFFFF
    update = head(checksum) + data
    if not more:
        return update
    entries = b"".join(
        struct.pack("<3I", sig, pf, (signature + flags + checksum - sig - pf) & 0xFFFFFFFF)
        for sig, pf in more
    )
    own = -(len(more) + _sum(entries)) & 0xFFFFFFFF
    return update + struct.pack("<2I12x", len(more), own) + entries


def make_amd(family: int = 0x17, *, patches: int = 1, revision: int = 1) -> bytes:
    """Return a container with a table of one processor, and patches."""
    table = struct.pack("<3I2H", 0x800F00 | family, 0, 0, 0x8012, 0) + bytes(16)
    out = [b"DMA\0", struct.pack("<2I", 0, len(table)), table]
    for number in range(patches):
        patch = struct.pack("<2I", 0x20240102, revision).ljust(64, b"\0") + bytes([number]) * 100
        out += [struct.pack("<2I", 1, len(patch)), patch]
    return b"".join(out)
