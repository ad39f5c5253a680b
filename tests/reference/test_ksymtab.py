"""Symbols in real kernel images, against the Module.symvers of the same build."""

from __future__ import annotations

from typing import Final, Literal

import pytest

from rdcompose.formats.image_payload import layers
from rdcompose.formats.ksymtab import read_kernel_symbols
from rdcompose.formats.symvers import KERNEL, parse_symvers
from rdcompose.kernel.release import architecture_by_name
from tests.support.kernels import unpacked

pytestmark = pytest.mark.reference

# Packed by LZ4, zstd and not at all; addresses instead of distances; big-endian.
KERNELS: Final = (
    ("bookworm", "amd64", "linux-image-cloud-amd64"),
    ("trixie", "amd64", "linux-image-cloud-amd64"),
    ("trixie", "arm64", "linux-image-arm64"),
    ("bookworm", "armhf", "linux-image-armmp"),
    ("bookworm", "s390x", "linux-image-s390x"),
)


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: f"{kernel[0]}-{kernel[1]}")
def test_all_that_the_kernel_exports(kernel: tuple[str, str, str]) -> None:
    suite, name, _ = kernel
    image = next(unpacked(*kernel).glob("boot/vmlinuz-*"))
    release = image.name.removeprefix("vmlinuz-")
    architecture = architecture_by_name(name)
    bits: Literal[32, 64] = 32 if architecture.bits == 32 else 64
    tables = (
        read_kernel_symbols(data, bits=bits, byteorder=architecture.byteorder)
        for data in layers(image.read_bytes())
    )
    table = next(table for table in tables if table is not None)
    headers = unpacked(suite, name, f"linux-headers-{release}")
    symvers = parse_symvers(next(headers.rglob("Module.symvers")).read_bytes())
    own = {symbol: row for symbol, row in symvers.items() if row.owner == KERNEL}
    assert len(own) > 5000
    assert {symbol: (row.crc, row.gpl, row.namespace) for symbol, row in own.items()} == {
        symbol: (found.crc, found.gpl, found.namespace) for symbol, found in table.items()
    }
