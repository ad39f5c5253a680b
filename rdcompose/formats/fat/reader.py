"""Reader for FAT12, FAT16 and FAT32 volumes.

Boot partitions of Raspberry Pis are such. Times and attributes are passed over: every file is
0644 and every directory 0755, as Linux shows them. A long name that does not belong to its entry
is as good as none, as it is to Linux. As with squashfs and ext4, nothing that a volume claims
decides how much memory is taken.
"""

from __future__ import annotations

import functools
import io
import threading
from typing import TYPE_CHECKING, BinaryIO, Final

from rdcompose.errors import FormatError, SpecError
from rdcompose.formats.fat import entries as records
from rdcompose.formats.fat.bootsector import read_boot_sector
from rdcompose.formats.fat.names import LAST, LONG_NAME, MAX_LONG, PER_RECORD, long_name, short_name
from rdcompose.tree import Directory, Entry, File, Pieces, Tree, checked_path

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_NAMES: Final = 1 << 17
# What the format allows: 65536 entries of 32 bytes.
_MAX_DIRECTORY: Final = 65536 * records.SIZE
# Of all directories together.
_MAX_LISTED: Final = 64 << 20
_MAX_RECORDS: Final = -(-MAX_LONG // PER_RECORD)
# Pieces in which a run of clusters is read.
_PIECE: Final = 1 << 20
# Of the FAT. A multiple of three, so that no entry of twelve bits lies in two.
_BLOCK: Final = 12288
_BLOCKS: Final = 64


class FatImage:
    """A volume, opened. The file must stay open for as long as contents are read."""

    def __init__(self, source: BinaryIO) -> None:
        """Read the boot sector, at the start of ``source``.

        :raises FormatError: it is none of FAT, or contradicts itself.
        """
        source.seek(0)
        self.geometry = read_boot_sector(source.read(512))
        self._source = source
        self._end = source.seek(0, io.SEEK_END)
        self._lock = threading.Lock()
        # A cache of this volume alone, which ends with it.
        self._fat_block = functools.lru_cache(_BLOCKS)(self._read_fat_block)

    def entries(self) -> Iterator[Entry]:
        """Yield everything but the root, each directory before what is in it.

        Contents are read when they are asked for, and raise :class:`FormatError` where they are
        damaged. Together they are no larger than the volume, as FAT has no links.

        :raises FormatError: the volume is damaged, or a name hostile.
        """
        seen: set[int] = set()
        waiting = [("", self.geometry.root_cluster)]
        names = listed = claimed = 0
        while waiting:
            path, cluster = waiting.pop()
            listing = self._directory(path, cluster)
            listed += len(listing)
            if listed > _MAX_LISTED:
                raise FormatError("the directories of the FAT filesystem are too long")
            for name, attributes, cluster, size in self._listed(listing):
                names += 1
                if names > MAX_NAMES:
                    raise FormatError(f"the FAT filesystem has more than {MAX_NAMES} names")
                where = _joined(path, name)
                if not attributes & records.DIRECTORY:
                    claimed += size
                    self._check_room(where, claimed)
                    content = functools.partial(self._content, where, cluster, size)
                    yield File(path=where, content=Pieces(size, content))
                    continue
                if cluster in seen:
                    raise FormatError(f"the directory {where!r} of the FAT filesystem is a circle")
                seen.add(cluster)
                yield Directory(path=where)
                waiting.append((where, cluster))

    def _listed(self, listing: bytes) -> Iterator[tuple[str, int, int, int]]:
        """Yield name, attributes, first cluster and size of what is in a directory."""
        long: list[bytes] = []
        for at in range(0, len(listing) - records.SIZE + 1, records.SIZE):
            record = listing[at : at + records.SIZE]
            if record[0] == 0:
                return
            if record[0] == records.REMOVED:
                long.clear()
                continue
            fields = records.ENTRY.unpack(record)
            short, attributes, case = fields[0], fields[1], fields[2]
            if attributes & 0x3F == LONG_NAME:
                if record[0] & LAST or len(long) == _MAX_RECORDS:
                    long.clear()
                long.append(record)
                continue
            if not attributes & records.VOLUME and short not in {b".          ", b"..         "}:
                name = long_name(long, short) if long else None
                # Elsewhere the upper half is not part of the number.
                high = fields[7] << 16 if self.geometry.bits == 32 else 0
                low, size = fields[10], fields[11]
                yield name or short_name(short, case), attributes, high | low, size
            long.clear()

    def _check_room(self, path: str, claimed: int) -> None:
        """Check that there can be so much: circles of clusters could be read without end."""
        if claimed > self.geometry.clusters * self.geometry.cluster_size:
            raise FormatError(
                f"{path!r}, and what comes before it, is larger than the FAT filesystem"
            )
        if claimed > self._end:
            raise FormatError(f"the FAT filesystem is cut: it has no room for {path!r}")

    def _directory(self, path: str, cluster: int) -> bytes:
        geometry = self.geometry
        if not path and geometry.bits != 32:
            return self._read(geometry.root_start, geometry.root_size)
        data = bytearray()
        for start, count in self._runs(path, cluster):
            size = count * geometry.cluster_size
            if len(data) + size > _MAX_DIRECTORY:
                raise FormatError(f"the directory {path!r} of the FAT filesystem is too long")
            data += self._read(self._place(start), size)
        return bytes(data)

    def _content(self, path: str, cluster: int, size: int) -> Iterator[bytes]:
        """Yield the content of a file, in pieces."""
        left = size
        if not size:
            return
        for start, count in self._runs(path, cluster):
            at = self._place(start)
            end = at + min(left, count * self.geometry.cluster_size)
            left -= end - at
            for place in range(at, end, _PIECE):
                yield self._read(place, min(_PIECE, end - place))
            if not left:
                return
        raise FormatError(f"the clusters of {path!r} end before the file does")

    def _runs(self, path: str, first: int) -> Iterator[tuple[int, int]]:
        """Yield the chain of clusters in pieces that lie in a row: first number, count.

        Who asks must stop by itself: a chain can be a circle.
        """
        most = _PIECE // self.geometry.cluster_size or 1
        start = self._checked(path, first)
        count = 1
        while True:
            following = self._following(start + count - 1)
            if following == start + count and count < most:
                count += 1
                continue
            yield start, count
            if following >= self._end_mark:
                return
            start, count = self._checked(path, following), 1

    @property
    def _end_mark(self) -> int:
        """Numbers from this on end a chain."""
        return {12: 0xFF8, 16: 0xFFF8, 32: 0x0FFF_FFF8}[self.geometry.bits]

    def _checked(self, path: str, cluster: int) -> int:
        if not 2 <= cluster < self.geometry.clusters + 2:
            raise FormatError(
                f"{path or '/'!r} of the FAT filesystem has the cluster {cluster}, which is none"
            )
        return cluster

    def _following(self, cluster: int) -> int:
        bits = self.geometry.bits
        at = cluster * bits // 8
        number, inside = divmod(at, _BLOCK)
        width = 4 if bits == 32 else 2
        value = int.from_bytes(self._fat_block(number)[inside : inside + width], "little")
        if bits == 12:
            return value >> 4 if cluster & 1 else value & 0xFFF
        # The upper four bits of FAT32 are not part of the number.
        return value & 0x0FFF_FFFF

    def _read_fat_block(self, number: int) -> bytes:
        at = number * _BLOCK
        size = min(_BLOCK, self.geometry.fat_size - at)
        return self._read(self.geometry.fat_start + at, size)

    def _place(self, cluster: int) -> int:
        return self.geometry.data_start + (cluster - 2) * self.geometry.cluster_size

    def _read(self, position: int, size: int) -> bytes:
        with self._lock:
            data = b""
            if position + size <= self._end:
                self._source.seek(position)
                data = self._source.read(size)
            if len(data) < size:
                raise FormatError(f"the FAT filesystem is cut, or points to {position:#x}")
            return data


def read_fat(source: BinaryIO) -> Tree:
    """Return what a volume holds; contents are read from ``source`` when they are asked for.

    Names are as they are stored: FAT itself finds them in any case.

    :raises FormatError: the volume is damaged, or a name hostile or there twice.
    """
    tree = Tree()
    for entry in FatImage(source).entries():
        if entry.path in tree:
            raise FormatError(f"{entry.path!r} is in the FAT filesystem twice")
        tree.add(entry)
    return tree


def _joined(parent: str, name: str) -> str:
    if "/" in name:
        raise FormatError(f"the FAT filesystem has the name {name!r}")
    try:
        return checked_path(f"{parent}/{name}" if parent else name)
    except SpecError as error:
        raise FormatError(f"hostile name in the FAT filesystem: {error}") from error
