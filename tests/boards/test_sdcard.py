from __future__ import annotations

import dataclasses
import io
from typing import TYPE_CHECKING, BinaryIO, Final, cast

import pytest

from rdcompose.boards.sdcard import (
    MAX_SIZE,
    Card,
    CardSpec,
    disk_signature,
    root_by_uuid,
    signature_of,
    write_card,
)
from rdcompose.compose.inputs import Input
from rdcompose.errors import SpecError
from rdcompose.formats.fat.reader import FatImage, read_fat
from rdcompose.formats.mbr import read_mbr
from rdcompose.formats.squashfs.reader import SquashfsImage
from rdcompose.formats.squashfs.writer import write_squashfs
from rdcompose.formats.window import Window
from rdcompose.tree import Bytes, File, Pieces, Tree
from tests.support.dump import dump

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from rdcompose.compose.plan import Plan

MIB: Final = 1 << 20
SPEC: Final = CardSpec(signature=0x1A2B3C4D, mtime=1_700_000_000)


def boot_tree(size: int = 100) -> Tree:
    tree = Tree()
    tree.add(File(path="config.txt", content=Bytes(b"[all]\n")))
    tree.add(File(path="6.12.107+deb13-arm64/kernel8.img", content=Bytes(b"k" * size)))
    return tree


def modules(out: BinaryIO) -> None:
    tree = Tree()
    tree.add(File(path="6.12/kernel/a.ko", content=Bytes(b"module")))
    write_squashfs(out, tree, mtime=0)


@dataclasses.dataclass
class Root:
    """A root that shows where it was written, and how large."""

    minimum: int

    def write(self, out: BinaryIO, size: int) -> None:
        """Write something at both ends."""
        out.write(b"first")
        out.seek(size - 4)
        out.write(b"last")


def card(
    tmp_path: Path,
    spec: CardSpec = SPEC,
    *,
    root: Root | None = None,
    disk: Callable[[BinaryIO], object] | None = None,
    name: str = "sd.img",
) -> tuple[Card, Path]:
    path = tmp_path / name
    with path.open("w+b") as out:
        written = write_card(out, boot_tree(), spec, root=root, modules=disk)
    return written, path


def test_everything_on_one_card(tmp_path: Path) -> None:
    written, path = card(tmp_path, root=Root(300 * MIB), disk=modules)
    assert written.size == path.stat().st_size == 1024 * MIB
    with path.open("rb") as source:
        table = read_mbr(source.read(512))
        assert table.signature == 0x1A2B3C4D
        assert {p.number: (p.type, p.offset // MIB, p.size // MIB) for p in table.partitions} == {
            1: (0x0C, 4, 256),
            2: (0x83, 264, 760),
            3: (0x83, 260, 4),
        }
        boot, root, disk = table.partitions
        window = cast("BinaryIO", Window(source, boot.offset, boot.size))
        assert dump(read_fat(window)) == dump(boot_tree())
        geometry = FatImage(window).geometry
        assert (geometry.label, geometry.volume_id) == ("BOOT", 0x1A2B3C4D)
        found = SquashfsImage(cast("BinaryIO", Window(source, disk.offset, disk.size)))
        assert [entry.path for entry in found.entries()][-1] == "6.12/kernel/a.ko"
        source.seek(root.offset)
        assert source.read(5) == b"first"
        source.seek(root.offset + root.size - 4)
        assert source.read() == b"last"
    assert written.table.signature == table.signature
    assert 250 * MIB < written.boot_free < 256 * MIB


def test_a_card_is_sparse_and_the_same_twice(tmp_path: Path) -> None:
    spec = dataclasses.replace(SPEC, boot_size=36 * MIB)
    _, one = card(tmp_path, spec, root=Root(1), disk=modules, name="one")
    _, two = card(tmp_path, spec, root=Root(1), disk=modules, name="two")
    assert one.stat().st_size == 64 * MIB
    assert one.stat().st_blocks * 512 < 4 * MIB
    assert one.read_bytes() == two.read_bytes()


@pytest.mark.parametrize(
    ("spec", "root", "size", "parts"),
    [
        (SPEC, None, 512, [(1, 4, 256)]),
        (dataclasses.replace(SPEC, boot_size=64 * MIB), None, 128, [(1, 4, 64)]),
        (dataclasses.replace(SPEC, boot_size=508 * MIB), None, 512, [(1, 4, 508)]),
        (dataclasses.replace(SPEC, boot_size=65 * MIB), None, 128, [(1, 4, 68)]),
        (SPEC, Root(1), 512, [(1, 4, 256), (2, 260, 252)]),
        (SPEC, Root(252 * MIB + 1), 1024, [(1, 4, 256), (2, 260, 764)]),
        (dataclasses.replace(SPEC, size=300 * MIB), Root(MIB), 300, [(1, 4, 256), (2, 260, 40)]),
    ],
)
def test_sizes(
    tmp_path: Path, spec: CardSpec, root: Root | None, size: int, parts: list[tuple[int, int, int]]
) -> None:
    written, path = card(tmp_path, spec, root=root)
    assert path.stat().st_size == size * MIB
    rows = written.table.partitions
    assert [(row.number, row.offset // MIB, row.size // MIB) for row in rows] == parts


def test_the_boot_partition_has_room_for_three_folders(tmp_path: Path) -> None:
    with (tmp_path / "sd.img").open("w+b") as out:
        written = write_card(out, boot_tree(120 * MIB), SPEC)
    assert 360 * MIB < written.table.partitions[0].size < 400 * MIB
    assert written.boot_free > 239 * MIB


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"boot_size": 32 * MIB}, r"takes \d+ MiB, and the boot partition is to have 32"),
        ({"size": 256 * MIB}, "partitions take 264 MiB, and the image is to have 256"),
        ({"size": MAX_SIZE + 1}, "an image of 2047 GiB is larger than a partition table"),
    ],
)
def test_sizes_that_cannot_be(tmp_path: Path, changes: dict[str, int], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        card(tmp_path, dataclasses.replace(SPEC, **changes), root=Root(1))


def test_a_folder_that_fat_cannot_hold() -> None:
    tree = Tree()
    tree.add(File(path="big", content=Pieces(1 << 32, lambda: iter([]))))
    with pytest.raises(SpecError, match="FAT cannot hold 'big'"):
        write_card(io.BytesIO(), tree, SPEC)


class FakePlan:
    """As much of a plan as a signature is made from."""

    def __init__(self, *inputs: str, release: str = "6.12", timestamp: int = 5) -> None:
        self.release = release
        self.timestamp = timestamp
        self.inputs = [
            Input(role="kernel", file="f", sha256=sha, source="archive") for sha in inputs
        ]


def signature(*plans: FakePlan) -> int:
    return disk_signature(cast("list[Plan]", plans))


def test_signatures_come_from_the_inputs() -> None:
    one = signature(FakePlan("aa"))
    assert one == signature(FakePlan("aa"))
    others = [FakePlan("ab"), FakePlan("aa", release="6.13"), FakePlan("aa", timestamp=6)]
    found = {one, *(signature(plan) for plan in others), signature(FakePlan("aa"), FakePlan("ab"))}
    assert len(found) == 5
    assert all(0 < value < 1 << 32 for value in found)


def test_names_of_the_root() -> None:
    assert root_by_uuid(0xABC) == "PARTUUID=00000abc-02"
    assert signature_of("PARTUUID=00000abc-02") == 0xABC
    assert signature_of("PARTUUID=00000ABC-02") == 0xABC
    for other in ("PARTUUID=00000abc-01", "UUID=00000abc-02", "/dev/mmcblk0p2", "none"):
        assert signature_of(other) is None
