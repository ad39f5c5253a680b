from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Final

import pytest

from rdcompose.formats.qcow2 import DATA_OFFSET, Qcow2Writer
from tests.support.tools import run, tool

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.reference

CLUSTER: Final = 65536
MIB: Final = 1 << 20


def check(image: Path, raw: Path, size: int) -> None:
    """Let qemu-img judge the structure and compare the content with a raw file."""
    qemu_img = tool("qemu-img")
    report = json.loads(run(qemu_img, "check", "-f", "qcow2", "--output=json", image))
    assert report["check-errors"] == 0
    # qemu-img leaves out what is zero.
    assert not {"leaks", "corruptions", "fragmented-clusters"} & report.keys()
    assert report["image-end-offset"] == image.stat().st_size
    assert report["allocated-clusters"] == report["total-clusters"] == -(-size // CLUSTER)
    run(qemu_img, "compare", "-f", "qcow2", "-F", "raw", image, raw)
    info = json.loads(run(qemu_img, "info", "--output=json", image))
    assert info["virtual-size"] == raw.stat().st_size == -(-size // 512) * 512
    assert info["cluster-size"] == CLUSTER
    data = info["format-specific"]["data"]
    assert (data["compat"], data["corrupt"], data["refcount-bits"]) == ("1.1", False, 16)


@pytest.mark.parametrize(
    "size",
    [1, 512, 513, CLUSTER - 1, CLUSTER, CLUSTER + 1, 10 * MIB + 5],
)
def test_payload(tmp_path: Path, size: int) -> None:
    payload = random.Random(size).randbytes(size)
    image, raw = tmp_path / "image.qcow2", tmp_path / "image.raw"
    with image.open("wb") as out:
        writer = Qcow2Writer(out)
        for start in range(0, size, 100_000):
            writer.write(payload[start : start + 100_000])
        writer.finish()
    raw.write_bytes(payload.ljust(-(-size // 512) * 512, b"\0"))
    check(image, raw, size)


@pytest.mark.parametrize(
    "size",
    [
        512 * MIB,
        512 * MIB + 70_000,
        (2 << 30) - 8 * CLUSTER,
        (2 << 30) - 8 * CLUSTER + 1,
        (4 << 30) + 1,
    ],
)
def test_large_payload(tmp_path: Path, size: int) -> None:
    # Both files are sparse, so that neither the test nor qemu-img reads gigabytes.
    image, raw = tmp_path / "image.qcow2", tmp_path / "image.raw"
    places = [size // 3, size // 2, size - 4]
    with image.open("wb") as out, raw.open("wb") as plain:
        writer = Qcow2Writer(out)
        for place in places:
            writer.seek(place)
            writer.write(b"data")
            plain.seek(place)
            plain.write(b"data")
        writer.finish()
        plain.truncate(-(-size // 512) * 512)
    check(image, raw, size)
    with image.open("rb") as stream:
        stream.seek(DATA_OFFSET + places[1])
        assert stream.read(4) == b"data"


def test_image_can_be_written_to(tmp_path: Path) -> None:
    # QEMU trusts the copied flags and refcounts when it writes.
    image = tmp_path / "image.qcow2"
    with image.open("wb") as out:
        writer = Qcow2Writer(out)
        writer.write(b"a" * (3 * CLUSTER))
        writer.finish()
    qemu_io = tool("qemu-io")
    run(qemu_io, "-f", "qcow2", "-c", "write -P 0x62 1000 70000", image)
    run(tool("qemu-img"), "resize", "-f", "qcow2", image, "2G")
    run(qemu_io, "-f", "qcow2", "-c", "write -P 0x63 1G 64k", image)
    report = json.loads(run(tool("qemu-img"), "check", "-f", "qcow2", "--output=json", image))
    assert report["check-errors"] == 0
    assert not {"leaks", "corruptions"} & report.keys()
    found = run(qemu_io, "-f", "qcow2", "-c", "read -P 0x62 1000 70000", "-r", image)
    assert "Pattern verification failed" not in found
