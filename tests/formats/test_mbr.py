from __future__ import annotations

import io

import pytest

from rdcompose.errors import FormatError, SpecError
from rdcompose.formats.fat.writer import minimum_size, write_fat32
from rdcompose.formats.mbr import Mbr, Partition, PartitionType, is_mbr, read_mbr
from rdcompose.tree import Tree

BOOT = Partition(number=1, type=PartitionType.FAT32_LBA, start=8192, sectors=524288, active=True)
ROOT = Partition(number=2, type=PartitionType.LINUX, start=600000, sectors=1)
TABLE = Mbr(signature=0x1234ABCD, partitions=(BOOT, ROOT))


def test_what_is_written_is_read() -> None:
    data = TABLE.pack()
    assert len(data) == 512
    assert is_mbr(data)
    assert read_mbr(data) == TABLE
    assert not read_mbr(data).is_gpt


def test_places_of_a_partition() -> None:
    assert (BOOT.offset, BOOT.size) == (4 << 20, 256 << 20)
    assert TABLE.part_uuid(2) == "1234abcd-02"


def test_the_bytes() -> None:
    data = TABLE.pack()
    assert data[440:446].hex() == "cdab34120000"
    # From cylinder 0, head 130, sector 3 to cylinder 33, head 37, sector 4.
    assert data[446:462].hex() == "808203000c2504210020000000000800"
    assert data[462:478].hex().endswith("c027090001000000")
    assert data[478:510] == bytes(32)
    assert data[510:] == b"\x55\xaa"


def test_the_order_on_the_disk_is_free() -> None:
    last = Partition(number=3, type=PartitionType.LINUX, start=2048, sectors=2048)
    table = Mbr(signature=0, partitions=(BOOT, ROOT, last))
    assert read_mbr(table.pack()) == table


def test_cylinders_that_have_no_number() -> None:
    far = Partition(number=4, type=PartitionType.LINUX, start=1 << 30, sectors=1 << 20)
    data = Mbr(signature=1, partitions=(far,)).pack()
    assert data[494:502].hex() == "00feffff83feffff"


def test_a_guid_table_is_told_apart() -> None:
    protective = Partition(number=1, type=PartitionType.GPT, start=1, sectors=0xFFFFFFFE)
    data = Mbr(signature=0, partitions=(protective,)).pack()
    assert read_mbr(data).is_gpt


@pytest.mark.parametrize(
    ("partitions", "message"),
    [
        ([(1, 2048, 10), (2, 2057, 10)], "partition 2 overlaps"),
        ([(1, 0, 10)], "partition 1 overlaps"),
        ([(1, 2048, 0)], "partition 1 overlaps"),
        ([(1, 2048, 10), (1, 4096, 10)], "four partitions at most"),
        ([(5, 2048, 10)], "four partitions at most"),
        ([(1, 1 << 31, 1 << 31)], "ends behind 2 TiB"),
    ],
)
def test_tables_that_cannot_be(partitions: list[tuple[int, int, int]], message: str) -> None:
    rows = tuple(
        Partition(number=number, type=PartitionType.LINUX, start=start, sectors=sectors)
        for number, start, sectors in partitions
    )
    with pytest.raises(SpecError, match=message):
        Mbr(signature=0, partitions=rows).pack()


def fat_volume() -> bytes:
    out = io.BytesIO()
    write_fat32(out, Tree(), size=minimum_size(Tree()), mtime=0, volume_id=0)
    return out.getvalue()[:512]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        TABLE.pack()[:511],
        bytes(512),
        bytes(510) + b"\x55\xaa",  # no partition
        TABLE.pack()[:510] + b"\xaa\x55",
        TABLE.pack()[:446] + b"\x07" + TABLE.pack()[447:],  # a status that is none
        fat_volume(),
    ],
    ids=["empty", "cut", "zeros", "no rows", "no mark", "status", "fat"],
)
def test_what_is_no_table(data: bytes) -> None:
    assert not is_mbr(data)
    with pytest.raises(FormatError, match="no partition table"):
        read_mbr(data)
