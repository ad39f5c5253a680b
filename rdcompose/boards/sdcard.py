"""An image of an SD card: partition table, boot folder on FAT32, root and modules.

.. code-block:: text

    0        partition table; its signature makes the PARTUUIDs
    4 MiB    partition 1: FAT32, the boot folder
    …        partition 3: the modules disk as a raw squashfs, which init finds by its content
    …        partition 2: the root, to the end of the image

The root has number 2, as everywhere on Raspberry Pis, and is the last on the card, so that it can
grow into what a larger card has. Everything begins at a multiple of 4 MiB, as large as what cards
erase at once. By default the image is a power of two, which QEMU wants of SD cards.
"""

from __future__ import annotations

import dataclasses
import hashlib
import re
from typing import TYPE_CHECKING, BinaryIO, Final, Protocol, cast

from rdcompose.errors import SpecError
from rdcompose.formats.fat.writer import minimum_size, write_fat32
from rdcompose.formats.mbr import SECTOR, Mbr, Partition, PartitionType
from rdcompose.formats.window import Window

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from rdcompose.compose.inputs import Input
    from rdcompose.compose.plan import Plan
    from rdcompose.formats.fat.writer import Output
    from rdcompose.tree import Tree

BOOT: Final = 1
ROOT: Final = 2
MODULES: Final = 3
ALIGNMENT: Final = 4 << 20
LABEL: Final = "BOOT"
# What a table of 32-bit sectors can name, in whole parts.
MAX_SIZE: Final = SECTOR * 0xFFFF_FFFF // ALIGNMENT * ALIGNMENT
_LEAST_BOOT: Final = 256 << 20
# A kernel that is to take the place of another stands beside it and the one before.
_ROOM: Final = 3
_ROOT_UUID: Final = re.compile(rf"PARTUUID=([0-9a-fA-F]{{8}})-{ROOT:02x}")


class Volume(Protocol):
    """A filesystem for a partition, which can have any size from ``minimum`` bytes on."""

    @property
    def minimum(self) -> int:
        """How many bytes it needs."""
        ...

    def write(self, out: BinaryIO, size: int) -> object:
        """Write it into a file of ``size`` bytes that reads as zeros."""
        ...


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CardSpec:
    """What a card is to be; sizes are in bytes.

    ``signature`` is the 32-bit number of the disk, and of the boot filesystem; ``mtime`` the time
    of its files in seconds since 1970. ``boot_size`` is by default three times what the folder
    takes, and 256 MiB at least; ``size`` the next power of two.
    """

    signature: int
    mtime: int
    boot_size: int | None = None
    size: int | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What was written: length of the image, its table, bytes left for more boot files."""

    size: int
    table: Mbr
    boot_free: int


def disk_signature(plans: Iterable[Plan], inputs: Iterable[Input] = ()) -> int:
    """Return a signature for a card with these compositions: it comes from what goes into them.

    It is known before anything is made, so that command lines can name the root by it, and
    depends on neither the machine nor the day.
    """
    rows = [f"{item.role} {item.sha256}\n" for item in inputs]
    rows += [
        f"{plan.release} {plan.timestamp} {item.role} {item.sha256}\n"
        for plan in plans
        for item in plan.inputs
    ]
    found = hashlib.sha256("".join(rows).encode("utf-8", "surrogateescape")).digest()
    # Zero stands for a disk without one.
    return int.from_bytes(found[:4], "big") or 1


def root_by_uuid(signature: int) -> str:
    """Return how a command line names the root of a card: ``PARTUUID=1a2b3c4d-02``."""
    return f"PARTUUID={Mbr(signature=signature, partitions=()).part_uuid(ROOT)}"


def signature_of(root: str) -> int | None:
    """Return the signature that a card must have for its root to be called like this."""
    found = _ROOT_UUID.fullmatch(root)
    return None if found is None else int(found[1], 16)


def write_card(
    out: BinaryIO,
    boot: Tree,
    spec: CardSpec,
    *,
    root: Volume | None = None,
    modules: Callable[[BinaryIO], object] | None = None,
) -> Card:
    """Write an image to an empty file, and leave it open; what is not written is a hole.

    ``modules`` writes a disk into the file that it is given, from offset 0 on, and leaves its
    position at the disk's end. Without a root, what is left of the image is in no partition.

    :raises SpecError: a size is none that can be, or too small for what is to be in it.
    :raises FormatError: a content is not as long as its size.
    """
    boot_size = _boot_size(boot, spec)
    partitions = [_partition(BOOT, PartitionType.FAT32_LBA, ALIGNMENT, boot_size)]
    end = ALIGNMENT + boot_size
    if modules is not None:
        # How long the disk is shows when it is there.
        place = Window(out, end, MAX_SIZE - end)
        modules(cast("BinaryIO", place))
        length = _aligned(place.tell())
        partitions.append(_partition(MODULES, PartitionType.LINUX, end, length))
        end += length
    size = _image_size(spec, end + (0 if root is None else _aligned(root.minimum)))
    if root is not None:
        partitions.append(_partition(ROOT, PartitionType.LINUX, end, size - end))
        root.write(cast("BinaryIO", Window(out, end, size - end)), size - end)
    table = Mbr(signature=spec.signature, partitions=tuple(partitions))
    written = write_fat32(
        cast("Output", Window(out, ALIGNMENT, boot_size)),
        boot,
        size=boot_size,
        mtime=spec.mtime,
        volume_id=spec.signature,
        label=LABEL,
        hidden_sectors=ALIGNMENT // SECTOR,
    )
    out.seek(0)
    out.write(table.pack())
    out.truncate(size)
    return Card(size=size, table=table, boot_free=written.free)


def _partition(number: int, kind: PartitionType, start: int, size: int) -> Partition:
    return Partition(
        number=number,
        type=kind,
        start=start // SECTOR,
        sectors=size // SECTOR,
        active=number == BOOT,
    )


def _aligned(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT


def _mib(size: int) -> int:
    return -(-size >> 20)


def _boot_size(boot: Tree, spec: CardSpec) -> int:
    needed = minimum_size(boot)
    if spec.boot_size is None:
        return max(_LEAST_BOOT, _aligned(_ROOM * needed))
    if spec.boot_size < needed:
        raise SpecError(
            f"the boot folder takes {_mib(needed)} MiB, and the boot partition is to have "
            f"{_mib(spec.boot_size)}",
            hint="give a larger --boot-size, or none",
        )
    return _aligned(spec.boot_size)


def _image_size(spec: CardSpec, needed: int) -> int:
    """Return the length of the image; its last part may be less than a whole one."""
    size = 1 << (needed - 1).bit_length() if spec.size is None else spec.size
    if size < needed:
        raise SpecError(
            f"the partitions take {_mib(needed)} MiB, and the image is to have {_mib(size)}",
            hint="give a larger --image-size, or none",
        )
    if size > MAX_SIZE:
        raise SpecError(f"an image of {size >> 30} GiB is larger than a partition table can name")
    return size
