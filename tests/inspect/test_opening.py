from __future__ import annotations

import io
import struct
from typing import TYPE_CHECKING

import pytest

from rdcompose.formats.mbr import Mbr, Partition
from rdcompose.inspect.artifact import Kind
from rdcompose.inspect.opened import open_image
from rdcompose.inspect.opening import choose_walk
from tests.support.artifacts import disk_bytes, disk_files, initramfs_bytes, initramfs_files
from tests.support.efi import make_pe
from tests.support.images import make_bzimage
from tests.support.packages import RELEASE, kernel_deb

if TYPE_CHECKING:
    from pathlib import Path

LIMIT = 1 << 30


def card(*partitions: tuple[int, bytes]) -> bytes:
    """A disk with partitions, each a type and its content."""
    rows, data = [], b""
    for number, (kind, content) in enumerate(partitions, 1):
        sectors = -(-len(content) // 512)
        rows.append(
            Partition(number=number, type=kind, start=1 + len(data) // 512, sectors=sectors)
        )
        data += content.ljust(sectors * 512, b"\0")
    return Mbr(signature=1, partitions=tuple(rows)).pack() + data


def chosen(data: bytes) -> tuple[Kind, str, str] | None:
    found = choose_walk(io.BytesIO(data), len(data), limit=LIMIT)
    return None if found is None else (found[0], found[1].container, found[1].filesystem)


def test_by_what_it_starts_with() -> None:
    assert chosen(initramfs_bytes(initramfs_files())) == (Kind.INITRAMFS, "", "")
    assert chosen(bytes(512) + initramfs_bytes({"init": b""}, "none")) == (Kind.INITRAMFS, "", "")
    assert chosen(kernel_deb()) == (Kind.PACKAGE, "", "")
    assert chosen(disk_bytes(disk_files())) == (Kind.DISK, "qcow2", "squashfs")
    squashfs = disk_bytes(disk_files(), container="squashfs")
    assert chosen(squashfs) == (Kind.DISK, "raw", "squashfs")
    assert chosen(make_pe({".linux": b"", ".initrd": b""})) == (Kind.UKI, "", "")
    assert chosen(card((0x83, bytes(512)))) == (Kind.CARD, "", "")
    # Programs without a kernel, kernels, texts, nothing.
    for data in (make_pe({".text": b"x"}), make_bzimage(), b"text", b"", b"\x1f\x8b\x08rubbish"):
        assert chosen(data) is None


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"!<arch>\ndebian-binary   ", Kind.PACKAGE),
        (b"QFI\xfb" + bytes(600), Kind.DISK),
        (b"hsqs" + bytes(600), Kind.DISK),
        (disk_bytes(disk_files(), container="squashfs")[:200], Kind.DISK),
        (card((0xEE, bytes(512))), Kind.CARD),
    ],
    ids=["package", "qcow2", "squashfs", "cut", "gpt"],
)
def test_what_is_damaged_at_its_start(tmp_path: Path, data: bytes, kind: Kind) -> None:
    path = tmp_path / "file"
    path.write_bytes(data)
    with open_image(path) as opened:
        assert opened.kind is kind
        assert list(opened.entries()) == []
        assert opened.problem is not None
        assert opened.problem.last is None


def test_partitions(tmp_path: Path) -> None:
    path = tmp_path / "sd.img"
    disk = disk_bytes(disk_files(), container="squashfs")
    path.write_bytes(card((0x83, bytes(512)), (0x83, disk)))
    with open_image(path) as opened:
        rows = [(one.part, one.entry.path) for one in opened.entries()]
        assert rows[0] == (1, "p2")
        assert (1, f"p2/{RELEASE}/modules.builtin") in rows
        assert opened.problem is None
        assert [(part.label, part.compression) for part in opened.parts] == [
            ("partition 1", "none"),
            ("partition 2, squashfs", "gzip"),
        ]
        assert opened.release == RELEASE


def test_boot_sectors_of_other_things() -> None:
    sector = bytearray(512)
    sector[510:] = b"\x55\xaa"
    struct.pack_into("<B3sB3s2I", sector, 446, 0, b"", 0x83, b"", 1 << 20, 8)
    assert chosen(bytes(sector) + bytes(512)) is None
