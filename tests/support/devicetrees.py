"""Flattened device trees: of nothing but a root node, and the devices of real ones."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def make_dtb(
    properties: Mapping[str, bytes],
    *,
    version: int = 17,
    oldest: int = 16,
    nodes: int = 56,
    body: bytes | None = None,
) -> bytes:
    """Return a device tree; ``nodes`` is where its structure is said to start."""
    strings = b""
    structure = struct.pack(">2I", 1, 0)
    for name, value in properties.items():
        padded = value + bytes(-len(value) % 4)
        structure += struct.pack(">3I", 3, len(value), len(strings)) + padded
        strings += name.encode() + b"\0"
    structure += struct.pack(">3I", 4, 2, 9)
    if body is not None:
        structure = body
    end = 56 + len(structure)
    total = end + len(strings)
    fields = (total, nodes, end, 40, version, oldest, 0, len(strings), len(structure))
    return struct.pack(">10I", 0xD00DFEED, *fields) + bytes(16) + structure + strings


def nodes(data: bytes) -> list[tuple[str, dict[str, bytes]]]:
    """Return path and properties of each node of a sound device tree."""
    position, strings = struct.unpack_from(">2I", data, 8)
    found: list[tuple[str, dict[str, bytes]]] = []
    inside: list[tuple[str, dict[str, bytes]]] = []
    while True:
        (token,) = struct.unpack_from(">I", data, position)
        position += 4
        if token == 1:
            name = _text(data, position)
            position += (len(name) + 4) // 4 * 4
            inside.append((f"{inside[-1][0]}/{name}" if inside else name, {}))
            found.append(inside[-1])
        elif token == 2:
            inside.pop()
        elif token == 3:
            size, name_at = struct.unpack_from(">2I", data, position)
            position += 8
            key = _text(data, strings + name_at)
            inside[-1][1][key] = data[position : position + size]
            position += (size + 3) // 4 * 4
        elif token == 9:
            return found


def devices(data: bytes) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield alias and ``compatible`` of each device that is switched on, as the kernel has them.

    Source: ``of_device_modalias`` in ``drivers/of/module.c``.
    """
    off: list[str] = []
    for path, properties in nodes(data):
        if any(path.startswith(f"{one}/") for one in off):
            continue
        if properties.get("status", b"okay\0") not in {b"okay\0", b"ok\0"}:
            off.append(path)
        elif compatible := _texts(properties.get("compatible", b"")):
            name = path.rpartition("/")[2].partition("@")[0]
            (kind,) = _texts(properties.get("device_type", b"")) or ("(null)",)
            yield f"of:N{name}T{kind}C{'C'.join(compatible)}", compatible


def _text(data: bytes, start: int) -> str:
    return data[start : data.index(b"\0", start)].decode()


def _texts(value: bytes) -> tuple[str, ...]:
    return tuple(part.decode() for part in value.split(b"\0") if part)
