"""rdcompose.formats.executable against readelf, on the programs of this machine."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from rdcompose.formats.executable import is_elf, read_executable
from tests.support.kernels import unpacked
from tests.support.tools import run, tool

pytestmark = pytest.mark.reference


def programs() -> list[Path]:
    """Programs of the system, some libraries, and static ones of two architectures."""
    found = [path for path in sorted(Path("/usr/bin").iterdir()) if path.is_file()]
    libraries = sorted(Path("/usr/lib").glob("*-linux-gnu/lib*.so*"))
    packaged = [
        path
        for architecture in ("amd64", "arm64")
        for name in ("busybox-static", "e2fsck-static")
        for path in unpacked("trixie", architecture, name).glob("usr/*bin/*")
    ]
    return [*packaged, Path(sys.executable), *found[::12], *libraries[::20]]


def test_against_readelf() -> None:
    compared = 0
    for path in programs():
        data = path.read_bytes()
        if not is_elf(data):
            continue
        said = run(tool("readelf"), "-hlW", path)
        dynamic = run(tool("readelf"), "-dW", path)
        ours = read_executable(data)
        assert f"ELF{ours.bits}" in said
        assert f"{ours.byteorder} endian" in said
        interpreter = re.search(r"interpreter: (\S+)\]", said)
        assert ours.interpreter == (interpreter[1] if interpreter else None), path
        assert list(ours.needed) == re.findall(r"\(NEEDED\).*\[(\S+)\]", dynamic), path
        entry = re.search(r"Entry point address: +0x([0-9a-f]+)", said)
        assert entry is not None
        assert ours.runnable == (int(entry[1], 16) != 0), path
        compared += 1
    assert compared > 20
