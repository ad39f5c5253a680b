"""rdcompose.formats.image_payload against the programs that the kernel's build uses."""

from __future__ import annotations

import pytest

from rdcompose.formats.image_payload import compression_at, unpack
from tests.support.tools import run_bytes, tool

pytestmark = pytest.mark.reference

# Over the size of the pieces that are read and given.
PLAIN = b"".join(b"Linux version %d\n" % (number * number) for number in range(80_000))

# As in the kernel's scripts/Makefile.lib and scripts/xz_wrap.sh.
COMMANDS = {
    "gzip": ("gzip", "-n", "-9"),
    "bzip2": ("bzip2", "-9"),
    "lzma": ("xz", "--format=lzma", "-9"),
    "xz": ("xz", "--check=crc32", "--arm", "--lzma2=,dict=128MiB"),
    "lz4": ("lz4", "-l", "-9", "-c"),
    "zstd": ("zstd", "-22", "--ultra", "-c"),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_unpack(name: str) -> None:
    program, *arguments = COMMANDS[name]
    packed = run_bytes(tool(program), *arguments, stdin=PLAIN)
    # The build appends the unpacked size; what follows that is the loader's.
    data = b"loader" + packed + len(PLAIN).to_bytes(4, "little") + b"more"
    assert compression_at(data, 6) == name
    assert b"".join(unpack(data, 6, name)) == PLAIN
