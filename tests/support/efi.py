"""Builders of EFI programs: stubs, and kernels with a PE header."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from tests.support.images import RELEASE, make_bzimage

if TYPE_CHECKING:
    from collections.abc import Mapping

AMD64 = 0x8664
ARM64 = 0xAA64
MAGIC = b"#### LoaderInfo: systemd-stub 257.13-1~deb13u1 ####\0"
SBAT = (
    b"sbat,1,SBAT Version,sbat,1,https://github.com/rhboot/shim/blob/main/SBAT.md\n"
    b"systemd-stub,1,The systemd Developers,systemd,257,https://systemd.io/\n"
)
SECTIONS: Mapping[str, bytes] = {".text": b"\xc3" * 700, ".sbat": SBAT, ".sdmagic": MAGIC}


def make_pe(
    sections: Mapping[str, bytes] = SECTIONS,
    *,
    machine: int = AMD64,
    wide: bool = True,
    subsystem: int = 10,
    characteristics: int = 0x160,
    headers: int = 0x600,
    alignment: int = 0x1000,
    symbols: int = 0,
    signature: bytes = b"",
) -> bytes:
    """Return an EFI program; with ``symbols`` one that was not stripped."""
    size = 240 if wide else 224
    placed = headers
    address = alignment
    rows, body = b"", b""
    for name, content in sections.items():
        kept = -(-len(content) // 512) * 512
        rows += struct.pack(
            *("<8s6I2HI", name.encode(), len(content), address, kept, placed),
            *(0, 0, 0, 0, 0x40000040),
        )
        body += content.ljust(kept, b"\0")
        placed += kept
        address += -(-len(content) // alignment) * alignment
    table = b""
    if symbols:
        table = bytes(18 * symbols) + struct.pack("<I", 9) + b"name\0"
    start = placed if symbols else 0
    coff = struct.pack("<HHIIIHH", machine, len(sections), 7, start, symbols, size, 0x22E)
    head = bytearray(size)
    struct.pack_into("<H", head, 0, 0x20B if wide else 0x10B)
    struct.pack_into("<I", head, 8, 0x1000)
    struct.pack_into("<II", head, 32, alignment, 512)
    struct.pack_into("<II", head, 56, address, headers)
    struct.pack_into("<HH", head, 68, subsystem, characteristics)
    directories = 112 if wide else 96
    struct.pack_into("<I", head, directories - 4, 16)
    if signature:
        struct.pack_into("<II", head, directories + 32, placed, len(signature))
    dos = b"MZ".ljust(0x3C, b"\0") + struct.pack("<I", 0x40)
    out = (dos + b"PE\0\0" + coff + bytes(head) + rows).ljust(headers, b"\0")
    return out + body + table + signature


def make_efi_kernel(
    release: str = RELEASE,
    *,
    machine: int = AMD64,
    characteristics: int = 0x100,
) -> bytes:
    """Return a bzImage that is an EFI program, too: the PE header lies in its setup code."""
    head = make_pe({}, machine=machine, characteristics=characteristics)[: 0x40 + 24 + 240]
    # The fields of the boot protocol begin at 0x1f1.
    return head.ljust(0x1F0, b"\0") + make_bzimage(release)[0x1F0:]
