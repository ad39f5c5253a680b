"""Flattened device trees of nothing but a root node."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


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
