"""The zstd reader on what zstd writes."""

from __future__ import annotations

import hashlib
import io

import pytest

from rdcompose.errors import FormatError
from rdcompose.formats import zstd
from tests.support.tools import run_bytes, tool

pytestmark = pytest.mark.reference

PLAIN = b"".join(hashlib.sha256(b"%d" % n).digest() + bytes(n % 99) for n in range(40_000))


@pytest.mark.parametrize(
    "options",
    [
        ["-1"],
        ["-19"],
        ["--ultra", "-22"],
        ["-T2", "-B200000"],
        ["--no-check"],
        ["--no-content-size"],
        ["--long=27"],
        ["--fast=5"],
        ["--sparse", "--stream-size=10000000"],
    ],
    ids=" ".join,
)
def test_files_of_zstd(options: list[str]) -> None:
    options = [option for option in options if "size=1" not in option]
    data = run_bytes(tool("zstd"), "-q", "-c", *options, stdin=PLAIN)
    assert b"".join(zstd.decode(io.BytesIO(data), 0, len(data))) == PLAIN
    assert zstd.decode_first(data, limit=len(PLAIN)) == (PLAIN, len(data))


def test_a_window_that_the_kernel_refuses() -> None:
    data = run_bytes(tool("zstd"), "-q", "-c", "-1", "--long=30", stdin=PLAIN)
    with pytest.raises(FormatError, match="too much memory"):
        list(zstd.decode(io.BytesIO(data), 0, len(data)))
