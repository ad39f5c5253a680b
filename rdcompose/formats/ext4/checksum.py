"""CRC-32C as ext4 uses it: no inversion at the end, and the start is an argument.

Reference: Documentation/filesystems/ext4/checksums.rst of Linux; the polynomial is
Castagnoli's, reflected. The standard library has only that of gzip.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Sequence
from typing import Final

START: Final = 0xFFFF_FFFF
_POLYNOMIAL: Final = 0x82F6_3B78


@functools.cache
def _bytewise() -> tuple[int, ...]:
    found = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (_POLYNOMIAL if value & 1 else 0)  # noqa: PLW2901
        found.append(value)
    return tuple(found)


@functools.cache
def _table() -> tuple[int, ...]:
    """Return the table for two bytes at once, which takes half the steps of the usual one."""
    bytewise = _bytewise()
    return tuple(
        bytewise[(first := bytewise[low]) & 0xFF ^ high] ^ first >> 8
        for high in range(256)
        for low in range(256)
    )


def crc32c(start: int, data: bytes) -> int:
    """Return the checksum of ``data``, going on from that of what comes before."""
    table = _table()
    crc = start
    # Blocks and inodes end in zeros, often for the most part.
    length = len(data)
    data = data.rstrip(b"\0")
    zeros = length - len(data)
    if len(data) % 2:
        # One byte: as the high half of a pair, whose low half has been taken already.
        crc = crc >> 8 ^ table[(crc & 0xFF ^ data[0]) << 8]
        data = data[1:]
    for word in struct.unpack(f"<{len(data) // 2}H", data):
        crc = table[(crc ^ word) & 0xFFFF] ^ crc >> 16
    for power in range(zeros.bit_length()):
        if zeros >> power & 1:
            crc = _zeros(crc, _zero_tables(power))
    return crc


_Tables = tuple[Sequence[int], Sequence[int], Sequence[int], Sequence[int]]


def _zeros(crc: int, tables: _Tables) -> int:
    """Go over zeros: a linear function of the checksum, so each byte of it adds its own part."""
    first, second, third, fourth = tables
    return first[crc & 0xFF] ^ second[crc >> 8 & 0xFF] ^ third[crc >> 16 & 0xFF] ^ fourth[crc >> 24]


@functools.cache
def _zero_tables(power: int) -> _Tables:
    """Return what each byte of a checksum becomes after two to the power of ``power`` zeros."""
    if power:
        half = _zero_tables(power - 1)
        bits = [_zeros(_zeros(1 << bit, half), half) for bit in range(32)]
    else:
        bytewise = _bytewise()
        bits = [bytewise[1 << bit & 0xFF] ^ 1 << bit >> 8 for bit in range(32)]
    tables = []
    for byte in range(4):
        own = bits[8 * byte : 8 * byte + 8]
        table = [0]
        for bit in own:
            table += [bit ^ value for value in table]
        tables.append(table)
    return tables[0], tables[1], tables[2], tables[3]
