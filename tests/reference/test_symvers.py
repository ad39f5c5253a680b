"""Module.symvers against what kmod reads in the modules that it is about."""

from __future__ import annotations

import pytest

from rdcompose.formats.symvers import parse_symvers
from tests.support.kernels import unpacked
from tests.support.tools import run, tool

pytestmark = pytest.mark.reference


def test_exports_of_modules() -> None:
    package = unpacked("bookworm", "amd64", "linux-image-cloud-amd64")
    (modules,) = package.glob("lib/modules/*")
    headers = unpacked("bookworm", "amd64", f"linux-headers-{modules.name}")
    symvers = parse_symvers(next(headers.rglob("Module.symvers")).read_bytes())
    owners = sorted({row.owner for row in symvers.values()} - {"vmlinux"})
    for owner in owners[::40]:
        path = modules / "kernel" / f"{owner}.ko"
        rows = [
            line.split("\t") for line in run(tool("modprobe"), "--show-exports", path).splitlines()
        ]
        theirs = {symbol: int(crc, 16) for crc, symbol in rows}
        own = {symbol: row.crc for symbol, row in symvers.items() if row.owner == owner}
        assert own == theirs, owner
