"""Images of qemu-img, read as it reads them."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Final

import pytest

from rdcompose.errors import UnsupportedError
from rdcompose.formats.qcow2_reader import open_qcow2, read_header
from tests.support.tools import run, tool

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.reference

SECTOR: Final = 512


def payload() -> bytes:
    """What compresses, what does not, holes, and an end within a cluster."""
    noise = random.Random(7)
    pieces = [noise.randbytes(100_000), bytes(400_000), b"text of a file\n" * 20_000, b"\0" * 777]
    data = b"".join(pieces * 3)
    return data.ljust(-(-len(data) // SECTOR) * SECTOR, b"e")


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("-c",),
        ("-c", "-o", "compat=0.10"),
        ("-o", "compat=0.10,cluster_size=4096"),
        ("-c", "-o", "compression_type=zstd"),
        ("-c", "-o", "compression_type=zstd,cluster_size=2M"),
        ("-c", "-o", "cluster_size=512"),
        ("-o", "preallocation=metadata"),
        ("-o", "lazy_refcounts=on,refcount_bits=64"),
    ],
    ids=" ".join,
)
def test_converted(tmp_path: Path, options: tuple[str, ...]) -> None:
    raw, image = tmp_path / "raw", tmp_path / "image"
    data = payload()
    raw.write_bytes(data)
    run(tool("qemu-img"), "convert", "-f", "raw", "-O", "qcow2", *options, raw, image)
    with image.open("rb") as source:
        assert open_qcow2(source).read() == data
        guest = open_qcow2(source)
        places = random.Random(3)
        for _ in range(200):
            start = places.randrange(len(data))
            guest.seek(start)
            assert guest.read(5000) == data[start : start + 5000]


def test_written_to_by_a_machine(tmp_path: Path) -> None:
    image = tmp_path / "image"
    run(tool("qemu-img"), "create", "-q", "-f", "qcow2", image, "64M")
    commands = ("write -P 0x61 1M 100k", "write -z 1M 4k", "write -P 0x62 40M 1", "discard 1M 64k")
    for command in commands:
        run(tool("qemu-io"), "-f", "qcow2", "-c", command, image)
    raw = tmp_path / "raw"
    run(tool("qemu-img"), "convert", "-O", "raw", image, raw)
    with image.open("rb") as source:
        assert open_qcow2(source).read() == raw.read_bytes()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("-o", "extended_l2=on"), "subclusters"),
        (("-o", "data_file={}/data"), "another file"),
        (("-b", "{}/base", "-F", "raw"), "backing file"),
    ],
    ids=["subclusters", "data", "backing"],
)
def test_refused(tmp_path: Path, options: tuple[str, ...], message: str) -> None:
    (tmp_path / "base").write_bytes(bytes(65536))
    image = tmp_path / "image"
    given = [option.format(tmp_path) for option in options]
    run(tool("qemu-img"), "create", "-q", "-f", "qcow2", *given, image, "64k")
    with image.open("rb") as source, pytest.raises(UnsupportedError, match=message):
        read_header(source)
