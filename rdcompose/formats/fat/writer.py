"""Writes a FAT32 volume from a tree, a function of its arguments alone.

Directories come first, then the files, in the order of the tree; each lies in one piece, so that
firmware which reads cluster by cluster need not search. Only what is not empty is written: what is
skipped by seeking must read as zeros.

References:
- Microsoft, "FAT: General Overview of On-Disk Format" (fatgen103)
- Linux, ``fs/fat/inode.c``: what is checked when a volume is mounted
"""

from __future__ import annotations

import array
import dataclasses
import sys
from typing import TYPE_CHECKING, Final, Protocol

from rdcompose.errors import FormatError, SpecError
from rdcompose.formats.fat import entries as records
from rdcompose.formats.fat.bootsector import BPB, EXTENSION, MEDIA, SECTOR, SIGNATURE, fs_info
from rdcompose.formats.fat.layout import Folder, arrange
from rdcompose.tree import File

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from rdcompose.formats.fat.layout import Member
    from rdcompose.tree import Content, Entry

MIN_CLUSTERS: Final = 65525
# Some implementations count wrongly near the border to FAT16 (fatgen103 says so).
_SAFE_CLUSTERS: Final = MIN_CLUSTERS + 16
# FAT32 counts sectors in 32 bits.
MAX_SIZE: Final = SECTOR * 0xFFFF_FFFF
_ROOT: Final = 2
_RESERVED: Final = 32
_FATS: Final = 2
_FSINFO: Final = 1
_BACKUP: Final = 6
# Both FATs together end at a multiple of 4 KiB, so that every cluster lies in one page.
_FAT_UNIT: Final = 4
_END_OF_CHAIN: Final = 0x0FFF_FFFF
_NONE_FREE: Final = 0xFFFF_FFFF
_FIRST_ENTRIES: Final = (0x0FFF_FF00 | MEDIA, _END_OF_CHAIN)
# What stands for a geometry, which nothing asks for any more.
_HEADS: Final = 255
_SECTORS_PER_TRACK: Final = 63
_JUMP: Final = b"\xeb\x58\x90"
# The name that the specification recommends, because some systems look at it.
_OEM_NAME: Final = b"MSWIN4.1"
_DRIVE: Final = 0x80
_EXTENDED: Final = 0x29
_NO_LABEL: Final = "NO NAME"
# hlt, and again: a PC that starts this finds nothing to run.
_NO_BOOT: Final = b"\xf4\xeb\xfd"
_PIECE: Final = 1 << 20
# 4 KiB, as a page, unless a volume is too small for enough of them.
_CLUSTER_SIZES: Final = (4096, 2048, 1024, 512)
_LARGE: Final = 8 << 30
_MAX_CLUSTER: Final = 32768
_MAX_LABEL: Final = 11
_FORBIDDEN_IN_LABEL: Final = frozenset('"*+,./:;<=>?[\\]|')


class Output(Protocol):
    """What a volume is written to: a binary file, or a window of one."""

    def write(self, data: bytes, /) -> object:
        """Write all of the data at the current position."""
        ...

    def seek(self, offset: int, /) -> object:
        """Move to an offset from the start."""
        ...


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Fat32Result:
    """What was written; sizes are in bytes, ``free`` is what is left for more files."""

    size: int
    cluster_size: int
    clusters: int
    free: int


def write_fat32(
    out: Output,
    tree: Iterable[Entry],
    *,
    size: int,
    mtime: int,
    volume_id: int,
    label: str = "",
    hidden_sectors: int = 0,
) -> Fat32Result:
    """Write a volume of ``size`` bytes with everything in the tree, from offset 0 on.

    The entries come in the order of :class:`~rdcompose.tree.Tree`. ``mtime`` is the time of all
    of them, in seconds since 1970, as near as FAT knows it (1980 to 2107). Modes and owners are
    not kept. ``volume_id`` has 32 bits; ``hidden_sectors`` is what lies in front of the volume
    on its disk.

    :raises SpecError: an argument or an entry is none that FAT32 can hold, or it does not fit.
    :raises FormatError: a content is not as long as its size.
    """
    name = _label(label)
    geometry = _geometry(size)
    folders = arrange(tree)
    places = _Places(folders, geometry.cluster_size)
    if places.used > geometry.clusters:
        need = _size_for(geometry.cluster_size, places.used)
        raise SpecError(f"the files need {need} bytes as FAT32, and there are {size}")
    free = geometry.clusters - places.used
    front = _boot_sector(geometry, volume_id, name, hidden_sectors)
    front += fs_info(free, _ROOT + places.used if free else _NONE_FREE)
    for at in (0, _BACKUP):
        out.seek(at * SECTOR)
        out.write(front)
    table = places.table()
    for number in range(_FATS):
        out.seek((_RESERVED + number * geometry.fat_sectors) * SECTOR)
        out.write(table)
    out.seek(geometry.data_start)
    for data in _data(folders, places, name, mtime):
        out.write(data)
    return Fat32Result(
        size=size,
        cluster_size=geometry.cluster_size,
        clusters=geometry.clusters,
        free=free * geometry.cluster_size,
    )


def minimum_size(tree: Iterable[Entry]) -> int:
    """Return the size in bytes of the smallest volume that holds a tree.

    :raises SpecError: an entry is none that FAT32 can hold.
    """
    folders = arrange(tree)
    size = _size_for(_CLUSTER_SIZES[-1], 0)
    while True:
        # More room can mean larger clusters, which hold less of small files.
        geometry = _geometry(size)
        used = _Places(folders, geometry.cluster_size).used
        if used <= geometry.clusters:
            return size
        size = _size_for(geometry.cluster_size, used)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Geometry:
    sectors: int
    cluster_size: int
    clusters: int
    fat_sectors: int

    @property
    def data_start(self) -> int:
        return (_RESERVED + _FATS * self.fat_sectors) * SECTOR


def _geometry(size: int) -> _Geometry:
    """Return how a volume of this size is divided.

    :raises SpecError: FAT32 has no volumes of this size.
    """
    if size > MAX_SIZE:
        raise SpecError(f"FAT32 cannot have {size} bytes: {MAX_SIZE} are the most")
    sizes: tuple[int, ...] = _CLUSTER_SIZES
    if size > _LARGE:
        sizes = (min(_MAX_CLUSTER, 1 << (size - 1 >> 21).bit_length()),)
    for cluster_size in sizes:
        sectors = size // SECTOR
        per_cluster = cluster_size // SECTOR
        most = max(0, sectors - _RESERVED) // per_cluster
        fat = _fat_sectors(most)
        clusters = (sectors - _RESERVED - _FATS * fat) // per_cluster
        if clusters >= _SAFE_CLUSTERS:
            return _Geometry(
                sectors=sectors, cluster_size=cluster_size, clusters=clusters, fat_sectors=fat
            )
    least = _size_for(_CLUSTER_SIZES[-1], 0)
    raise SpecError(f"FAT32 cannot have {size} bytes: {least} are the least")


def _fat_sectors(clusters: int) -> int:
    return -(-(clusters + _ROOT) * 4 // (SECTOR * _FAT_UNIT)) * _FAT_UNIT


def _size_for(cluster_size: int, clusters: int) -> int:
    """Return the size of a volume with at least so many clusters, at a multiple of 4 KiB."""
    clusters = max(clusters, _SAFE_CLUSTERS)
    # The FAT is made for all sectors behind the reserved ones, its own too.
    extra = _FATS * _fat_sectors(clusters) * SECTOR // cluster_size + 1
    fat = _fat_sectors(clusters + extra + 8)
    size = (_RESERVED + _FATS * fat) * SECTOR + clusters * cluster_size
    return -(-size // 4096) * 4096


class _Places:
    """The first cluster and the number of clusters of every directory and file."""

    def __init__(self, folders: Sequence[Folder], cluster_size: int) -> None:
        self.cluster_size = cluster_size
        self.first: dict[str, int] = {}
        self.count: dict[str, int] = {}
        following = _ROOT
        for path, size in [
            *((folder.path, folder.size) for folder in folders),
            *((file.path, file.content.size) for file in _files(folders)),
        ]:
            count = -(-size // cluster_size)
            self.first[path] = following if count else 0
            self.count[path] = count
            following += count
        self.used = following - _ROOT

    def table(self) -> bytes:
        """Return the FAT, as far as it is used."""
        entries = array.array("I", range(1, _ROOT + self.used + 1))
        entries[:_ROOT] = array.array("I", _FIRST_ENTRIES)
        for path, first in self.first.items():
            if first:
                entries[first + self.count[path] - 1] = _END_OF_CHAIN
        if sys.byteorder == "big":
            entries.byteswap()
        return entries.tobytes()


def _files(folders: Iterable[Folder]) -> Iterator[File]:
    for folder in folders:
        for member in folder.members:
            if isinstance(member.entry, File):
                yield member.entry


def _data(folders: Sequence[Folder], places: _Places, label: str, mtime: int) -> Iterator[bytes]:
    """Yield what is in the clusters, in their order."""
    unit = places.cluster_size
    for folder in folders:
        listing = _listing(folder, places, label, mtime)
        yield listing.ljust(places.count[folder.path] * unit, b"\0")
    for file in _files(folders):
        yield from _whole(file.path, file.content)
        yield bytes(-file.content.size % unit)


def _whole(path: str, content: Content) -> Iterator[bytes]:
    left = content.size
    for piece in content.chunks(_PIECE):
        left -= len(piece)
        if left < 0:
            break
        yield piece
    if left:
        raise FormatError(f"the content of {path!r} is not as long as its size says")


def _listing(folder: Folder, places: _Places, label: str, mtime: int) -> bytes:
    rows = []
    if folder.path:
        # The directory above is named by 0 if it is the root.
        above = places.first[folder.parent] if folder.parent else 0
        for name, cluster in ((b".", places.first[folder.path]), (b"..", above)):
            rows.append(records.pack(name.ljust(11), records.DIRECTORY, cluster, 0, mtime))
    elif label:
        name = label.encode("ascii").ljust(_MAX_LABEL)
        rows.append(records.pack(name, records.VOLUME, 0, 0, mtime))
    rows += [member.long + _record(member, places, mtime) for member in folder.members]
    return b"".join(rows)


def _record(member: Member, places: _Places, mtime: int) -> bytes:
    entry = member.entry
    file = isinstance(entry, File)
    return records.pack(
        member.short,
        records.ARCHIVE if file else records.DIRECTORY,
        places.first[entry.path],
        entry.content.size if isinstance(entry, File) else 0,
        mtime,
    )


def _label(label: str) -> str:
    wrong = any(c in _FORBIDDEN_IN_LABEL or not " " <= c <= "~" for c in label)
    if wrong or len(label) > _MAX_LABEL or label != label.strip():
        raise SpecError(
            f"{label!r} is no label of a FAT filesystem",
            hint=f"choose up to {_MAX_LABEL} letters and digits",
        )
    return label


def _boot_sector(geometry: _Geometry, volume_id: int, label: str, hidden_sectors: int) -> bytes:
    head = BPB.pack(
        _JUMP,
        _OEM_NAME,
        SECTOR,
        geometry.cluster_size // SECTOR,
        _RESERVED,
        _FATS,
        0,
        0,
        MEDIA,
        0,
        _SECTORS_PER_TRACK,
        _HEADS,
        hidden_sectors,
        geometry.sectors,
    )
    extension = EXTENSION.pack(
        geometry.fat_sectors,
        0,
        0,
        _ROOT,
        _FSINFO,
        _BACKUP,
        _DRIVE,
        _EXTENDED,
        volume_id,
        (label or _NO_LABEL).encode("ascii").ljust(_MAX_LABEL),
        b"FAT32   ",
    )
    return (head + extension + _NO_BOOT).ljust(SECTOR - len(SIGNATURE), b"\0") + SIGNATURE
