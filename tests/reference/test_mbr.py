"""Partition tables of ours read by sfdisk, and its read here."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import pytest

from rdcompose.formats.mbr import Mbr, Partition, PartitionType, read_mbr
from tests.support.tools import run, tool

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.reference

ROWS: Final = (
    Partition(number=1, type=PartitionType.FAT32_LBA, start=8192, sectors=524288, active=True),
    Partition(number=2, type=PartitionType.LINUX, start=600000, sectors=400000),
    Partition(number=3, type=PartitionType.LINUX, start=540672, sectors=8192),
)


def disk(path: Path) -> Path:
    with path.open("wb") as out:
        out.truncate(1 << 30)
    return path


def first_sector(path: Path) -> bytes:
    with path.open("rb") as source:
        return source.read(512)


def test_read_by_sfdisk(tmp_path: Path) -> None:
    image = disk(tmp_path / "image")
    with image.open("r+b") as out:
        out.write(Mbr(signature=0xABCD0123, partitions=ROWS).pack())
    table = json.loads(run(tool("sfdisk"), "--json", image))["partitiontable"]
    assert (table["label"], table["id"]) == ("dos", "0xabcd0123")
    found = [
        (row["start"], row["size"], row["type"], row.get("bootable", False))
        for row in table["partitions"]
    ]
    assert found == [(row.start, row.sectors, f"{row.type:x}", row.active) for row in ROWS]
    assert "No errors detected" in run(tool("sfdisk"), "--verify", image)


def test_made_by_sfdisk(tmp_path: Path) -> None:
    image = disk(tmp_path / "image")
    script = "label: dos\nlabel-id: 0xabcd0123\n" + "".join(
        f"{row.number} : start={row.start}, size={row.sectors}, type={row.type:x}"
        f"{', bootable' if row.active else ''}\n"
        for row in ROWS
    )
    run(tool("sfdisk"), "-q", image, stdin=script.encode())
    start = first_sector(image)
    assert read_mbr(start) == Mbr(signature=0xABCD0123, partitions=ROWS)
    # What cylinders it names is the same, too.
    ours = Mbr(signature=0xABCD0123, partitions=ROWS).pack()
    assert start[440:] == ours[440:]


def test_a_guid_table_of_sfdisk(tmp_path: Path) -> None:
    image = disk(tmp_path / "image")
    run(tool("sfdisk"), "-q", image, stdin=b"label: gpt\n,100M\n")
    assert read_mbr(first_sector(image)).is_gpt
