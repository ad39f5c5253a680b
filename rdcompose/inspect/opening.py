"""Which walk leads through a file, by what it starts with."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO, Final, cast

from rdcompose.errors import FormatError, UnsupportedError
from rdcompose.formats.ext4.reader import Ext4Image
from rdcompose.formats.fat.bootsector import is_fat
from rdcompose.formats.fat.reader import FatImage
from rdcompose.formats.filesystem import kinds_of_image
from rdcompose.formats.mbr import is_mbr, read_mbr
from rdcompose.formats.pe import is_pe, read_pe
from rdcompose.formats.qcow2_reader import is_qcow2, open_qcow2
from rdcompose.formats.segments import is_initramfs
from rdcompose.formats.squashfs.reader import SquashfsImage
from rdcompose.formats.window import Window
from rdcompose.inspect.artifact import Kind
from rdcompose.inspect.contents import module_place
from rdcompose.inspect.walk_archives import InitramfsWalk, PackageWalk, UkiWalk
from rdcompose.inspect.walk_disks import CardWalk, DiskWalk, RefusedWalk, Volume
from rdcompose.inspect.walks import Part, Walk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rdcompose.inspect.walk_disks import Stored

# The headers of an EFI program are within.
_START: Final = 1 << 16
_DEB: Final = b"!<arch>\ndebian-binary"
_SECTOR: Final = 512
_KERNEL: Final = ".linux"


def choose_walk(source: BinaryIO, size: int, *, limit: int) -> tuple[Kind, Walk] | None:
    """Say what a file is, and how it is walked; ``None`` if it has no entries.

    :raises OSError: it cannot be read.
    """
    source.seek(0)
    start = source.read(_START)
    if start.startswith(_DEB):
        try:
            return Kind.PACKAGE, PackageWalk(source)
        except (FormatError, UnsupportedError) as error:
            return Kind.PACKAGE, RefusedWalk(error)
    if is_qcow2(start):
        return _qcow2(source)
    if (found := _volume(source, "raw", start, size)) is not None:
        return found
    return _stream(source, start, size, limit)


def _qcow2(source: BinaryIO) -> tuple[Kind, Walk] | None:
    try:
        volume = open_qcow2(source)
        size = source.seek(0, 2)
        volume.seek(0)
        return _volume(volume, "qcow2", volume.read(_SECTOR), size)
    except (FormatError, UnsupportedError) as error:
        return Kind.DISK, RefusedWalk(error, container="qcow2")


def _volume(volume: BinaryIO, container: str, start: bytes, size: int) -> tuple[Kind, Walk] | None:
    kinds = kinds_of_image(volume)
    try:
        if "squashfs" in kinds:
            image = SquashfsImage(volume)
            part = Part(label="squashfs", size=image.size, compression=image.compressor)
            return Kind.DISK, DiskWalk(lambda: _squashfs(image), part, container=container)
        if "ext4" in kinds:
            old = Ext4Image(volume)
            modules = any(module_place(f"{n}/x.ko", disk=True) is not None for n in old.top())
            kind = Kind.DISK if modules else Kind.FILESYSTEM
            part = Part(label="ext4", size=size)
            return kind, DiskWalk(lambda: _ext4(old), part, container=container)
        if is_fat(start[:_SECTOR]):
            fat = FatImage(volume)
            part = Part(label="vfat", size=size)
            return Kind.FILESYSTEM, DiskWalk(lambda: _fat(fat), part, container=container)
    except (FormatError, UnsupportedError) as error:
        return Kind.DISK, RefusedWalk(error, container=container)
    return None


def _squashfs(image: SquashfsImage) -> Iterator[Stored]:
    for entry, inode in image.walk():
        yield entry, inode.mtime, inode.links


def _ext4(image: Ext4Image) -> Iterator[Stored]:
    for entry, inode in image.walk():
        yield entry, inode.mtime, inode.links


def _fat(image: FatImage) -> Iterator[Stored]:
    for entry in image.entries():
        yield entry, None, 1


def _stream(source: BinaryIO, start: bytes, size: int, limit: int) -> tuple[Kind, Walk] | None:
    try:
        if is_pe(start):
            image = read_pe(start, size)
            if image.section(_KERNEL) is not None:
                return Kind.UKI, UkiWalk(source, image, limit=limit)
        elif is_initramfs(source, size):
            return Kind.INITRAMFS, InitramfsWalk(source, size, limit=limit)
        elif is_mbr(start):
            return _card(source, start, size)
    except (FormatError, UnsupportedError):
        return None  # what is known of it, and what is wrong, is among its facts
    return None


def _card(source: BinaryIO, start: bytes, size: int) -> tuple[Kind, Walk] | None:
    table = read_mbr(start)
    if table.is_gpt:
        why = UnsupportedError("it has a GUID partition table, which is not read")
        return Kind.CARD, RefusedWalk(why)
    if any(row.offset >= size for row in table.partitions):
        return None  # boot sectors of other things look alike
    volumes = []
    for row in sorted(table.partitions, key=lambda row: row.offset):
        window = cast("BinaryIO", Window(source, row.offset, row.size))
        found = _volume(window, "raw", window.read(_SECTOR), row.size)
        volumes.append(Volume(row.number, row.offset, row.size, found[1] if found else None))
    return Kind.CARD, CardWalk(volumes)
