"""The table of exported symbols of a made-up kernel, as it lies in an unpacked one."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

# As a kernel's: the addresses of its parts end as their places in the file do.
ADDRESS = {32: 0xC030_8000, 64: 0xFFFF_FFFF_8100_0000}


def make_ksymtab(
    symbols: Mapping[str, int],
    gpl: Mapping[str, int],
    *,
    namespaces: Mapping[str, str] | None = None,
    bits: int = 64,
    byteorder: Literal["little", "big"] = "little",
    relative: bool = True,
    versioned: bool = True,
    flags: bool = False,
    start: int = 0x40,
) -> bytes:
    """Return a kernel with these symbols and their CRCs, of which ``gpl`` are for the GPL.

    With ``flags``, all are in one table, as in Linux 7.
    """
    order = "<" if byteorder == "little" else ">"
    spaces = namespaces or {}
    rows = [*sorted(symbols.items()), *sorted(gpl.items())]
    if flags:
        rows.sort()
    behind = struct.pack(f"{order}{len(rows)}I", *(crc for _, crc in rows)) if versioned else b""
    if flags:
        behind += bytes(name in gpl for name, _ in rows)
    width = 4 if relative or bits == 32 else 8
    table = 3 * width * len(rows)
    strings = bytearray(b"\0")
    places: dict[str, int] = {}
    names_at = start + table + len(behind)
    for text in [*dict(rows), *spaces.values()]:
        if text not in places:
            places[text] = names_at + len(strings)
            strings += text.encode() + b"\0"
    out = bytearray(start)
    for name, _ in rows:
        for target in (start, places[name], places.get(spaces.get(name, ""), names_at)):
            if relative:
                out += struct.pack(order + "i", target - len(out))
            else:
                letter = "I" if width == 4 else "Q"
                out += struct.pack(order + letter, ADDRESS[bits] + target)
    return bytes(out + behind + strings + bytes(16))
