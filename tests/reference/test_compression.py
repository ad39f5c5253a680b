"""What compress() makes, unpacked by the real programs, and the other way round."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from rdcompose.formats.compression import BY_NAME, compress, decompress
from tests.support.tools import run, run_bytes, tool

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.reference

PLAIN = b"".join(hashlib.sha256(b"%d" % n).digest() + bytes(n % 99) for n in range(40_000))
PROGRAMS = {"zstd": "zstd", "gzip": "gzip", "xz": "xz", "lz4": "lz4"}
EACH = pytest.mark.parametrize("name", PROGRAMS)


@EACH
@pytest.mark.parametrize("which", ["lowest", "default"])
def test_the_program_unpacks(name: str, which: str) -> None:
    level = BY_NAME[name].levels[0] if which == "lowest" else None
    packed = compress(name, PLAIN, level)
    assert run_bytes(tool(PROGRAMS[name]), "-dc", stdin=packed) == PLAIN


@EACH
@pytest.mark.parametrize("plain", [b"", b"x"])
def test_the_program_unpacks_little(name: str, plain: bytes) -> None:
    assert run_bytes(tool(PROGRAMS[name]), "-dc", stdin=compress(name, plain)) == plain


@pytest.mark.parametrize(
    "argv",
    [
        ["zstd", "-q", "-3"],
        ["gzip", "-9"],
        ["gzip", "-1", "-n"],
        ["xz", "-1"],
        ["xz", "-1", "--check=crc32", "-T2", "--block-size=1MiB"],
        ["xz", "--format=lzma", "-1"],
        ["bzip2", "-1"],
        ["lz4", "-l", "-1"],
        ["lz4", "-l", "-9"],
    ],
    ids=" ".join,
)
def test_what_programs_pack(argv: list[str]) -> None:
    packed = run_bytes(tool(argv[0]), *argv[1:], "-c", stdin=PLAIN)
    assert decompress(packed, limit=len(PLAIN)) == PLAIN
    assert decompress(packed * 2, limit=2 * len(PLAIN)) == PLAIN * 2


def test_xz_is_what_the_kernel_takes(tmp_path: Path) -> None:
    path = tmp_path / "a.xz"
    path.write_bytes(compress("xz", PLAIN))
    table = run(tool("xz"), "--list", "-vv", "--robot", path)
    summary = next(line for line in table.splitlines() if line.startswith("file\t")).split("\t")
    # file, streams, blocks, packed, unpacked, ratio, checks, …
    assert (summary[1:3], summary[4], summary[6]) == (["1", "1"], str(len(PLAIN)), "CRC32")


def test_gzip_as_the_program_sees_it() -> None:
    # Method, CRC, date, time, …: no time is stored.
    fields = run(tool("gzip"), "-lv", stdin=compress("gzip", PLAIN)).splitlines()[1].split()
    assert fields[0] == "defla"
