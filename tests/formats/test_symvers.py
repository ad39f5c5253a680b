from __future__ import annotations

import pytest

from rdcompose.errors import FormatError
from rdcompose.formats.symvers import SymbolVersion, parse_symvers

NEW = b"""\
0x4c9d28b0\tphys_base\tvmlinux\tEXPORT_SYMBOL\t
0x7140de40\tcxl_get\tdrivers/cxl/core/cxl_core\tEXPORT_SYMBOL_GPL\tCXL
"""
OLD = b"0x4c9d28b0\tphys_base\tvmlinux\tEXPORT_SYMBOL\n"
BETWEEN = b"""\
0x4c9d28b0\tphys_base\t\tvmlinux\tEXPORT_SYMBOL
0x7140de40\tcxl_get\tCXL\tdrivers/cxl/core/cxl_core\tEXPORT_SYMBOL_GPL
"""
PHYS_BASE = SymbolVersion(0x4C9D28B0, "vmlinux", gpl=False, namespace="")
CXL_GET = SymbolVersion(0x7140DE40, "drivers/cxl/core/cxl_core", gpl=True, namespace="CXL")


@pytest.mark.parametrize("data", [NEW, BETWEEN], ids=["new", "between"])
def test_with_namespaces(data: bytes) -> None:
    assert parse_symvers(data) == {"phys_base": PHYS_BASE, "cxl_get": CXL_GET}


def test_without_namespaces() -> None:
    assert parse_symvers(OLD) == {"phys_base": PHYS_BASE}


BAD = {
    "text": b"hello\n",
    "crc": NEW + b"4c9d28b0\tx\tvmlinux\tEXPORT_SYMBOL\t\n",
    "symbol": NEW + b"0x4c9d28b0\t\tvmlinux\tEXPORT_SYMBOL\t\n",
    "type": NEW + b"0x4c9d28b0\tx\tvmlinux\tSYMBOL\t\n",
    "cut": NEW + b"0x4c9d28b0\tx\n",
}


@pytest.mark.parametrize("data", BAD.values(), ids=BAD.keys())
def test_other_files(data: bytes) -> None:
    number = data.count(b"\n")
    with pytest.raises(FormatError, match=rf"line {number} is none of Module\.symvers"):
        parse_symvers(data)


def test_an_empty_file() -> None:
    with pytest.raises(FormatError, match="it is empty"):
        parse_symvers(b"")
