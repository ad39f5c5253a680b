"""The master boot record: up to four partitions of a disk.

Partitions inside of an extended one are not read. A disk with a GUID partition table has one
partition here, which only protects it.

References:
- UEFI specification, chapter 5.2, "LBA 0 Format"
- Microsoft's disk signature at 440, which Linux makes ``PARTUUID`` from
  (``block/partitions/msdos.c``)
"""

from __future__ import annotations

import dataclasses
import enum
import struct
from typing import TYPE_CHECKING, Final

from rdcompose.errors import FormatError, SpecError
from rdcompose.formats.fat.bootsector import is_fat

if TYPE_CHECKING:
    from collections.abc import Iterable

SECTOR: Final = 512
MAX_PARTITIONS: Final = 4
_SIGNATURE_AT: Final = 440
_TABLE_AT: Final = 446
_END: Final = b"\x55\xaa"
# status, first sector by cylinder, type, last sector by cylinder, first sector, sectors
_ROW: Final = struct.Struct("<B3sB3s2I")
_ACTIVE: Final = 0x80
_HEADS: Final = 255
_PER_TRACK: Final = 63
_CYLINDERS: Final = 1024
# As a place that cylinders cannot name.
_BEYOND: Final = b"\xfe\xff\xff"
_MAX: Final = 0xFFFF_FFFF


class PartitionType(enum.IntEnum):
    """Types that are written or asked for; others are only numbers."""

    EMPTY = 0
    FAT32_LBA = 0x0C
    LINUX = 0x83
    GPT = 0xEE


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Partition:
    """A partition: its number from 1, its type, and its place in sectors of 512 bytes."""

    number: int
    type: int
    start: int
    sectors: int
    active: bool = False

    @property
    def offset(self) -> int:
        """The place of its first byte on the disk."""
        return self.start * SECTOR

    @property
    def size(self) -> int:
        """Its length in bytes."""
        return self.sectors * SECTOR


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Mbr:
    """A partition table; ``signature`` is the disk's, of 32 bits."""

    signature: int
    partitions: tuple[Partition, ...]

    @property
    def is_gpt(self) -> bool:
        """Whether the partitions are in a GUID partition table, which this one protects."""
        return any(partition.type == PartitionType.GPT for partition in self.partitions)

    def part_uuid(self, number: int) -> str:
        """Return what ``root=PARTUUID=`` calls a partition."""
        return f"{self.signature:08x}-{number:02x}"

    def pack(self) -> bytes:
        """Return the first sector of the disk, without a program in it.

        :raises SpecError: partitions overlap, have a number twice or no place in the table.
        """
        rows = dict.fromkeys(range(1, MAX_PARTITIONS + 1), bytes(_ROW.size))
        for partition in _checked(self.partitions):
            last = partition.start + partition.sectors - 1
            rows[partition.number] = _ROW.pack(
                _ACTIVE if partition.active else 0,
                _cylinder(partition.start),
                partition.type,
                _cylinder(last),
                partition.start,
                partition.sectors,
            )
        head = bytes(_SIGNATURE_AT) + struct.pack("<I2x", self.signature)
        return head + b"".join(rows.values()) + _END


def is_mbr(start: bytes) -> bool:
    """Whether a disk starts with a partition table; ``start`` is its first sector.

    The first sector of a FAT filesystem ends alike, and has no table.
    """
    if len(start) < SECTOR or start[SECTOR - 2 : SECTOR] != _END or is_fat(start):
        return False
    rows = [_ROW.unpack_from(start, _TABLE_AT + n * _ROW.size) for n in range(MAX_PARTITIONS)]
    plausible = all(status in {0, _ACTIVE} for status, *_ in rows)
    return plausible and any(kind and sectors for _, _, kind, _, _, sectors in rows)


def read_mbr(start: bytes) -> Mbr:
    """Read the first sector of a disk; rows that name no partition are left out.

    :raises FormatError: it has no partition table.
    """
    if not is_mbr(start):
        raise FormatError("no partition table")
    (signature,) = struct.unpack_from("<I", start, _SIGNATURE_AT)
    partitions = []
    for number in range(1, MAX_PARTITIONS + 1):
        row = _ROW.unpack_from(start, _TABLE_AT + (number - 1) * _ROW.size)
        status, _, kind, _, first, sectors = row
        if kind != PartitionType.EMPTY and sectors:
            partitions.append(
                Partition(
                    number=number,
                    type=kind,
                    start=first,
                    sectors=sectors,
                    active=status == _ACTIVE,
                )
            )
    return Mbr(signature=signature, partitions=tuple(partitions))


def _checked(partitions: Iterable[Partition]) -> list[Partition]:
    """Return the partitions in the order in which they lie on the disk."""
    found = sorted(partitions, key=lambda partition: partition.start)
    numbers = [partition.number for partition in found]
    end = 1
    for partition in found:
        if partition.start < end or partition.sectors < 1:
            raise SpecError(f"partition {partition.number} overlaps what is in front of it")
        end = partition.start + partition.sectors
        if end > _MAX:
            raise SpecError(f"partition {partition.number} ends behind 2 TiB")
    if len(set(numbers)) < len(numbers) or not set(numbers) <= set(range(1, MAX_PARTITIONS + 1)):
        raise SpecError("a partition table has four partitions at most, numbered from 1")
    return found


def _cylinder(sector: int) -> bytes:
    """Return a place as cylinder, head and sector, which only old programs look at."""
    cylinder, rest = divmod(sector, _HEADS * _PER_TRACK)
    if cylinder >= _CYLINDERS:
        return _BEYOND
    head, inside = divmod(rest, _PER_TRACK)
    return bytes([head, inside + 1 | cylinder >> 2 & 0xC0, cylinder & 0xFF])
