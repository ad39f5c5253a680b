"""The xz reader on what xz writes, and on the packages themselves."""

from __future__ import annotations

import hashlib
import io
from typing import TYPE_CHECKING

import pytest

from rdcompose.formats import ar, xz
from tests.support.kernels import package
from tests.support.tools import run, run_bytes, tool

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.reference

PLAIN = b"".join(hashlib.sha256(b"%d" % n).digest() + bytes(n % 99) for n in range(40_000))


@pytest.mark.parametrize(
    "options",
    [
        ["-T2", "--block-size=100KiB"],
        ["-T1", "--block-size=100KiB"],
        ["-T1"],
        ["-T2", "--block-size=64KiB", "--check=crc32"],
        ["-T2", "--block-size=64KiB", "--check=sha256"],
        ["-T2", "--block-size=64KiB", "--check=none"],
        ["-T2", "--block-size=100KiB", "--x86", "--lzma2=preset=0"],
        ["-T2", "--block-size=100KiB", "--delta=dist=2", "--lzma2=preset=0"],
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("threads", [1, 2])
def test_files_of_xz(options: list[str], threads: int) -> None:
    data = run_bytes(tool("xz"), "-0", "-c", *options, stdin=PLAIN)
    assert b"".join(xz.decode(io.BytesIO(data), 0, len(data), threads=threads)) == PLAIN


def test_the_index_of_a_kernel_package(tmp_path: Path) -> None:
    path = package("bookworm", "amd64", "linux-image-cloud-amd64")
    with path.open("rb") as stream:
        data = next(m for m in ar.iter_members(stream) if m.name == "data.tar.xz")
        blocks = xz.read_index(stream, data.offset, data.size)
        stream.seek(data.offset)
        (tmp_path / "data.tar.xz").write_bytes(stream.read(data.size))
        digests = {
            threads: hashlib.sha256(
                b"".join(xz.decode(stream, data.offset, data.size, threads=threads))
            ).hexdigest()
            for threads in (1, 3)
        }
    options = ["--list", "-vv", "--robot", str(tmp_path / "data.tar.xz")]
    table = run(tool("xz"), *options).splitlines()
    rows = [line.split("\t") for line in table if line.startswith("block\t")]
    # block, stream, block in stream, in file, start, start unpacked, total, unpacked size
    assert [(int(row[4]), int(row[6]), int(row[7])) for row in rows] == [
        (block.offset - data.offset, block.padded_size, block.size) for block in blocks
    ]
    assert len(blocks) > 1
    plain = run_bytes(tool("xz"), "-dc", tmp_path / "data.tar.xz")
    assert set(digests.values()) == {hashlib.sha256(plain).hexdigest()}
