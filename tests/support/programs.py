"""Builders of ELF programs and of a busybox that holds nothing but its tables."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_BASE = 0x400000
# Dynamic tags of the gABI.
_NEEDED, _SONAME, _RPATH, _RUNPATH = 1, 14, 15, 29
_DIRECTORIES = ("", "bin", "sbin", "usr/bin", "usr/sbin")

# Enough for an init script; in busybox's order, with the places where it installs them.
APPLETS: Mapping[str, str] = {
    "[": "usr/bin",
    "ash": "bin",
    "awk": "usr/bin",
    "busybox": "bin",
    "cat": "bin",
    "chroot": "usr/sbin",
    "init": "sbin",
    "insmod": "sbin",
    "linuxrc": "",
    "ls": "bin",
    "mkdir": "bin",
    "modprobe": "sbin",
    "mount": "bin",
    "sed": "bin",
    "sh": "bin",
    "switch_root": "sbin",
    "umount": "bin",
}


def make_program(
    body: bytes = b"",
    *,
    machine: int = 62,
    bits: int = 64,
    byteorder: str = "little",
    kind: int = 2,
    entry: int = _BASE,
    interpreter: str | None = None,
    needed: Sequence[str] | None = None,
    soname: str | None = None,
    rpath: str | None = None,
    runpath: str | None = None,
    loadable: bool = True,
) -> bytes:
    """Return a program of program headers and ``body``; it crashes when it is run.

    ``needed`` adds a dynamic segment with these libraries; an empty one makes a
    static-pie of it. The other names go into that segment.
    """
    order = "<" if byteorder == "little" else ">"
    header, row = (64, 56) if bits == 64 else (52, 32)
    count = loadable + (interpreter is not None) + (needed is not None)
    blob = bytearray(header + row * count)
    rows: list[tuple[int, int, int]] = []
    if interpreter is not None:
        rows.append((3, len(blob), len(interpreter) + 1))
        blob += interpreter.encode() + b"\0"
    if needed is not None:
        texts = [(_NEEDED, name) for name in needed]
        others = ((_SONAME, soname), (_RPATH, rpath), (_RUNPATH, runpath))
        texts += [(tag, text) for tag, text in others if text is not None]
        table = _dynamic(texts, _BASE, len(blob), order, bits)
        rows.append((2, len(blob), table[1]))
        blob += table[0]
    blob += body
    if loadable:
        rows.insert(0, (1, 0, len(blob)))
    word = "Q" if bits == 64 else "I"
    ident = b"\x7fELF" + bytes([bits // 32, 1 if order == "<" else 2, 1]) + bytes(9)
    fields = (kind, machine, 1, entry, header, 0, 0, header, row, count, 0, 0, 0)
    blob[:header] = ident + struct.pack(f"{order}HHI{word * 3}I6H", *fields)
    for number, (p_type, offset, size) in enumerate(rows):
        at = _BASE + offset
        if bits == 64:
            packed = struct.pack(order + "IIQQQQQQ", p_type, 5, offset, at, at, size, size, 8)
        else:
            packed = struct.pack(order + "IIIIIIII", p_type, offset, at, at, size, size, 5, 4)
        start = header + row * number
        blob[start : start + row] = packed
    return bytes(blob)


def _dynamic(
    texts: Sequence[tuple[int, str]], base: int, offset: int, order: str, bits: int
) -> tuple[bytes, int]:
    """Return a dynamic table followed by its strings, and the table's length."""
    pair = order + ("QQ" if bits == 64 else "II")
    strings = b"\0" + b"".join(text.encode() + b"\0" for _, text in texts)
    tags: list[tuple[int, int]] = []
    position = 1
    for tag, text in texts:
        tags.append((tag, position))
        position += len(text.encode()) + 1
    size = (len(tags) + 2) * struct.calcsize(pair)
    tags += [(5, base + offset + size), (0, 0)]
    return b"".join(struct.pack(pair, *tag) for tag in tags) + strings, size


def make_library(
    soname: str, needed: Sequence[str] = (), *, machine: int = 62, runpath: str | None = None
) -> bytes:
    """Return a shared library of this name."""
    return make_program(
        soname.encode(),
        machine=machine,
        kind=3,
        entry=0,
        needed=needed,
        soname=soname,
        runpath=runpath,
    )


def applet_tables(applets: Mapping[str, str] = APPLETS, *, places: bool = True) -> bytes:
    """Return busybox's tables of places and names, with other bytes around them."""
    codes = [_DIRECTORIES.index(directory) for directory in applets.values()]
    codes += [0] * (len(codes) % 2)
    packed = bytes(low | high << 4 for low, high in zip(codes[::2], codes[1::2], strict=True))
    names = b"".join(name.encode() + b"\0" for name in applets) + b"\0"
    return b"\xff\xee" + (packed if places else b"") + b"\xff" * 7 + names + b"/bin/sh\0"


def make_busybox(
    applets: Mapping[str, str] = APPLETS,
    *,
    places: bool = True,
    machine: int = 62,
    bits: int = 64,
    byteorder: str = "little",
) -> bytes:
    """Return a static program that holds the tables of a busybox with these applets."""
    body = b"BusyBox v1.37.0\0" + applet_tables(applets, places=places)
    return make_program(body, machine=machine, bits=bits, byteorder=byteorder)


def make_e2fsck(*, machine: int = 62, bits: int = 64, byteorder: str = "little") -> bytes:
    """Return a static program that calls itself e2fsck."""
    return make_program(b"Usage: e2fsck\0", machine=machine, bits=bits, byteorder=byteorder)
