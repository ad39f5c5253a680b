"""The boot sector of a FAT volume: where its parts are, and of which kind it is.

Which kind a volume is, is told as Linux tells it: FAT32 if the old field for the length of a FAT
is zero, else by the number of clusters.

References:
- Microsoft, "FAT: General Overview of On-Disk Format" (fatgen103), BPB and FSInfo
- Linux, ``fs/fat/inode.c``, ``fat_fill_super``
"""

from __future__ import annotations

import dataclasses
import struct
from typing import Final

from rdcompose.errors import FormatError

SECTOR: Final = 512
SIGNATURE: Final = b"\x55\xaa"
MEDIA: Final = 0xF8
# jump, OEM name, bytes per sector, sectors per cluster, reserved sectors, FATs, entries of the
# root, 16-bit sectors, media, 16-bit length of a FAT, sectors per track, heads, hidden sectors,
# 32-bit sectors
BPB: Final = struct.Struct("<3s8sHBHBHHBHHHII")
# Of FAT32: length of a FAT, flags, version, cluster of the root, sectors of FSInfo and backup,
# drive, reserved, extended signature, volume id, label, kind
EXTENSION: Final = struct.Struct("<IHHIHH12xBxBI11s8s")
_SIGNATURE_AT: Final = 510
_MAX_FAT12: Final = 4084
_MAX_FAT16: Final = 65524
_MAX_FAT32: Final = 0x0FFF_FFF4
# Of FAT12 and FAT16, the extended signature, id and label.
_OLD_EXTENSION: Final = struct.Struct("<BxBI11s")
_EXTENDED: Final = 0x29

_FSINFO: Final = struct.Struct("<4s480x4sII12x4s")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Geometry:
    """Where the parts of a volume are; places and sizes are in bytes.

    ``bits`` is the width of an entry of the FAT: 12, 16 or 32. ``clusters`` counts those of
    the data; their numbers begin with 2. The root directory is a chain from ``root_cluster``
    on FAT32, and ``root_size`` bytes at ``root_start`` on the others.
    """

    bits: int
    cluster_size: int
    clusters: int
    fat_start: int
    fat_size: int
    data_start: int
    root_cluster: int
    root_start: int
    root_size: int
    label: str
    volume_id: int


def is_fat(start: bytes) -> bool:
    """Whether a volume starts as one of FAT does; ``start`` is its first sector.

    A partition table, NTFS and exFAT have the same signature at the end, but not the parameters
    in front.
    """
    if len(start) < SECTOR or start[_SIGNATURE_AT:SECTOR] != SIGNATURE:
        return False
    fields = BPB.unpack_from(start)
    sector, cluster, reserved, fats, media = fields[2], fields[3], fields[4], fields[5], fields[8]
    return (
        sector in {512, 1024, 2048, 4096}
        and cluster.bit_count() == 1
        and reserved > 0
        and fats > 0
        and (media == 0xF0 or media >= MEDIA)
    )


def read_boot_sector(data: bytes) -> Geometry:
    """Read the first sector of a volume.

    :raises FormatError: it is none of FAT, or contradicts itself.
    """
    if not is_fat(data):
        raise FormatError("no FAT filesystem")
    (_, _, sector, cluster, reserved, fats, root, sectors, _, length, _, _, _, sectors_32) = (
        BPB.unpack_from(data)
    )
    wide = length == 0
    extension = EXTENSION.unpack_from(data, BPB.size)
    fat = extension[0] if wide else length
    root_size = -(-root * 32 // sector) * sector
    root_start = (reserved + fats * fat) * sector
    data_start = root_start + root_size
    total = (sectors or sectors_32) * sector
    clusters = (total - data_start) // (cluster * sector)
    bits = 32 if wide else 16 if clusters > _MAX_FAT12 else 12
    # Each FAT has entries for two clusters that are none.
    most = min({12: _MAX_FAT12, 16: _MAX_FAT16, 32: _MAX_FAT32}[bits], fat * sector * 8 // bits - 2)
    if clusters < 1 or clusters > most:
        raise FormatError("the FAT filesystem has sizes that cannot be")
    label, volume_id = _identity(data, wide=wide)
    return Geometry(
        bits=bits,
        cluster_size=cluster * sector,
        clusters=clusters,
        fat_start=(reserved + (_active(extension[1], fats) if wide else 0) * fat) * sector,
        fat_size=fat * sector,
        data_start=data_start,
        root_cluster=extension[3] if wide else 0,
        root_start=root_start,
        root_size=root_size,
        label=label,
        volume_id=volume_id,
    )


def _active(flags: int, fats: int) -> int:
    """Return which of the FATs counts: the first, unless they are not kept equal."""
    number = flags & 0xF if flags & 0x80 else 0
    if number >= fats:
        raise FormatError("the FAT filesystem names a FAT that it does not have")
    return number


def _identity(data: bytes, *, wide: bool) -> tuple[str, int]:
    at = BPB.size + (EXTENSION.size - _OLD_EXTENSION.size - 8 if wide else 0)
    _, extended, volume_id, label = _OLD_EXTENSION.unpack_from(data, at)
    if extended != _EXTENDED:
        return "", 0
    return label.decode("cp437").rstrip(" \0"), volume_id


def fs_info(free: int, following: int) -> bytes:
    """Return the sector that tells how many clusters are free, and where to look for one."""
    return _FSINFO.pack(b"RRaA", b"rrAa", free, following, b"\0\0\x55\xaa")
