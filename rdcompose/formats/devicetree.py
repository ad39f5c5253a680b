"""Flattened device trees: whether a file is one, whole, and what it is for.

Reference: Devicetree Specification v0.4, chapter 5. Only the header and the properties of the
root node are read.
"""

from __future__ import annotations

import dataclasses
import struct
from typing import Final

from rdcompose.errors import FormatError

MAGIC: Final = b"\xd0\x0d\xfe\xed"
# magic, total size, offsets of structure, strings and memory reservations, version, oldest
# compatible version, boot processor, sizes of strings and structure
_HEADER: Final = struct.Struct(">10I")
_WORD: Final = struct.Struct(">I")
_PROPERTY: Final = struct.Struct(">2I")
_VERSION: Final = 17
_BEGIN_NODE: Final = 1
_END_NODE: Final = 2
_PROP: Final = 3
_NOP: Final = 4
# Of real root nodes, none comes near.
_MAX_PROPERTIES: Final = 256


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DeviceTree:
    """What the root node says. An overlay has no model."""

    model: str | None
    compatible: tuple[str, ...]


def read_device_tree(data: bytes) -> DeviceTree:
    """Read the header and the root node of a ``.dtb`` or ``.dtbo``.

    :raises FormatError: it is no device tree, cut, or damaged.
    """
    if not data.startswith(MAGIC):
        raise FormatError("no device tree: it starts with " + (data[:4].hex(" ") or "nothing"))
    if len(data) < _HEADER.size:
        raise FormatError("the device tree is cut off in its header")
    _, total, nodes, strings, _, version, oldest, _, strings_size, size = _HEADER.unpack_from(data)
    if total > len(data):
        raise FormatError(f"the device tree is cut: {total} bytes announced, {len(data)} there")
    if not oldest <= _VERSION <= version:
        raise FormatError(f"the device tree is of version {version}, not {_VERSION}")
    if max(nodes + size, strings + strings_size) > total:
        raise FormatError("the parts of the device tree lie outside of it")
    found = _root(data[nodes : nodes + size], data[strings : strings + strings_size])
    model = found.get(b"model", b"")
    return DeviceTree(
        model=next(iter(_texts(model)), None),
        compatible=_texts(found.get(b"compatible", b"")),
    )


def _root(nodes: bytes, strings: bytes) -> dict[bytes, bytes]:
    found: dict[bytes, bytes] = {}
    position = 8  # behind the token and the empty name of the root
    try:
        if _WORD.unpack_from(nodes)[0] != _BEGIN_NODE:
            raise FormatError("the device tree does not start with its root")
        while len(found) < _MAX_PROPERTIES:
            (token,) = _WORD.unpack_from(nodes, position)
            position += _WORD.size
            if token in {_BEGIN_NODE, _END_NODE}:
                return found
            if token == _PROP:
                size, name = _PROPERTY.unpack_from(nodes, position)
                position += _PROPERTY.size
                found[strings[name:].partition(b"\0")[0]] = nodes[position : position + size]
                position += -(-size // 4) * 4
            elif token != _NOP:
                raise FormatError(f"the device tree has the token {token:#x} in its root")
    except struct.error as error:
        raise FormatError("the device tree ends within its root") from error
    raise FormatError(f"the root of the device tree has over {_MAX_PROPERTIES} properties")


def _texts(value: bytes) -> tuple[str, ...]:
    return tuple(part.decode("utf-8", "replace") for part in value.split(b"\0") if part)
