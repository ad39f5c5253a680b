"""kmod's binary index, as in ``modules.alias.bin``: a trie from patterns to values.

Layout: the comment at the start of kmod's ``libkmod/libkmod-index.c``; all numbers are
big-endian.

.. code-block:: text

    file    magic, version, offset of the root node
    node    [prefix NUL] [first u8, last u8, offset u32 for each of first..last]
            [count u32, then (priority u32, value NUL) count times]

An offset carries in its high bits which of the three parts its node has; 0 is no node.
The key of a node is its parent's key, the character that leads to it, and its prefix.
Values are ordered by priority, the lower first. Keys should be 7-bit, and newer versions of
kmod say so, but are written all the same: some modules of Linux 5.10 have an alias that ends in
bytes of what lay behind it. Such bytes are surrogates in keys that are read.

The writer puts children before their parents, as kmod does up to version 30, and its
bytes are the same as kmod's; later versions order the nodes differently. The reader
takes any order.
"""

from __future__ import annotations

import dataclasses
import functools
import re
import struct
from typing import TYPE_CHECKING, Final

from rdcompose.errors import FormatError, UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

MAGIC: Final = 0xB007F457
VERSION_MAJOR: Final = 2
VERSION_MINOR: Final = 1

NODE_PREFIX: Final = 0x80000000
NODE_VALUES: Final = 0x40000000
NODE_CHILDS: Final = 0x20000000
NODE_MASK: Final = 0x0FFFFFFF

HEADER: Final = struct.Struct(">IHHI")  # magic, version major and minor, root
_NUMBER: Final = struct.Struct(">I")
_WILD: Final = re.compile(r"[*?\[]")


@dataclasses.dataclass(frozen=True, slots=True, order=True)
class IndexValue:
    """One value of a key."""

    priority: int
    value: str


# --- writing


@dataclasses.dataclass(slots=True)
class _Open:
    """A node whose subtree is not complete; its prefix is ``key[start:end]``."""

    start: int
    end: int
    values: list[tuple[int, bytes]]
    children: list[tuple[int, int]]  # character, offset


def write_index(entries: Iterable[tuple[str, str, int]]) -> bytes:
    """Return the index file of ``(key, value, priority)`` entries.

    Of values with one key and priority, the entry that comes later stands first, and
    equal ones are all kept: both as kmod does it.

    :raises FormatError: a key or value holds a NUL, or a priority is no unsigned 32-bit
        number.
    """
    table: dict[bytes, list[tuple[int, bytes]]] = {}
    for key, value, priority in entries:
        if "\0" in key or "\0" in value or not 0 <= priority < 1 << 32:
            raise FormatError(f"{key!r} with {value!r}, {priority} cannot stand in a module index")
        raw = value.encode("utf-8", "surrogateescape")
        table.setdefault(key.encode("utf-8", "surrogateescape"), []).append((priority, raw))
    out = bytearray(HEADER.size)
    root = _write_nodes(out, table)
    HEADER.pack_into(out, 0, MAGIC, VERSION_MAJOR, VERSION_MINOR, root)
    return bytes(out)


def _write_nodes(out: bytearray, table: dict[bytes, list[tuple[int, bytes]]]) -> int:
    """Append all nodes, children first; return the root's offset.

    Going through the keys in order, a node is complete when a key comes that is not
    below it; the open nodes are always those on the way to the last key.
    """
    stack = [_Open(0, 0, table.pop(b"", []), [])]
    last = b""
    for key, values in sorted(table.items()):
        common = _common_prefix(last, key)
        _close(out, stack, last, common)
        stack.append(_Open(common + 1, len(key), values, []))
        last = key
    _close(out, stack, last, 0)
    return _write_node(out, b"", stack[0])


def _close(out: bytearray, stack: list[_Open], key: bytes, length: int) -> None:
    """Write the open nodes on the way to ``key`` that are deeper than ``length``."""
    while (node := stack[-1]).end > length:
        if stack[-2].end >= length:
            stack.pop()
            offset = _write_node(out, key[node.start : node.end], node)
            stack[-1].children.append((key[node.start - 1], offset))
        else:
            # Keys part inside the prefix: its front becomes a node of its own.
            offset = _write_node(out, key[length + 1 : node.end], node)
            stack[-1] = _Open(node.start, length, [], [(key[length], offset)])


def _write_node(out: bytearray, prefix: bytes, node: _Open) -> int:
    offset = len(out)
    if offset > NODE_MASK:
        raise UnsupportedError(f"a module index of over {NODE_MASK} bytes")
    if prefix:
        out += prefix + b"\0"
        offset |= NODE_PREFIX
    if node.children:
        first, last = node.children[0][0], node.children[-1][0]
        offsets = [0] * (last - first + 1)
        for char, child in node.children:
            offsets[char - first] = child
        out += struct.pack(f">BB{len(offsets)}I", first, last, *offsets)
        offset |= NODE_CHILDS
    if node.values:
        out += _NUMBER.pack(len(node.values))
        latest_first = node.values[::-1]
        for priority, value in sorted(latest_first, key=lambda item: item[0]):
            out += _NUMBER.pack(priority) + value + b"\0"
        offset |= NODE_VALUES
    return offset


def _common_prefix(one: bytes, two: bytes) -> int:
    size = min(len(one), len(two))
    # As numbers: the highest bit that differs tells where, without a loop in Python.
    differ = int.from_bytes(one[:size], "big") ^ int.from_bytes(two[:size], "big")
    return size - (differ.bit_length() + 7) // 8


# --- reading


@dataclasses.dataclass(frozen=True, slots=True)
class _Node:
    key: str
    values: tuple[IndexValue, ...]
    children: tuple[tuple[int, int], ...]  # character, offset


@dataclasses.dataclass(frozen=True, slots=True)
class Index:
    """An index file in memory; nodes are read when a question needs them.

    Every question raises :class:`FormatError` where it meets damage.
    """

    data: bytes
    root: int

    def lookup(self, key: str) -> tuple[IndexValue, ...]:
        """Return the values of exactly this key, which is not taken as a pattern."""
        for node in self._walk(key.startswith):
            if node.key == key:
                return node.values
        return ()

    def search_wild(self, key: str) -> tuple[IndexValue, ...]:
        """Return the values of all keys that match, as patterns, this text; by priority."""
        found: list[IndexValue] = []
        for node in self._walk(functools.partial(_may_match, key)):
            if node.values and matches(node.key, key):
                found += node.values
        return tuple(sorted(found, key=lambda value: value.priority))

    def items(self) -> Iterator[tuple[str, IndexValue]]:
        """Yield all keys in byte order, each with each of its values."""
        for node in self._walk(lambda _: True):
            for value in node.values:
                yield node.key, value

    def _walk(self, enter: Callable[[str], bool]) -> Iterator[_Node]:
        """Yield nodes in key order, leaving out those below a refused start of a key."""
        # Nodes do not overlap, so all together they cannot be longer than the file. That
        # ends loops and bounds what a file with shared nodes could cost.
        budget = len(self.data)
        stack = [("", self.root)]
        while stack:
            start, offset = stack.pop()
            node, size = _read_node(self.data, start, offset)
            budget -= size
            if budget < 0:
                raise FormatError(f"module index: nodes overlap at {offset & NODE_MASK}")
            if enter(node.key):
                yield node
                for char, child in reversed(node.children):
                    key = node.key + _key(bytes([char]))
                    if child and enter(key):
                        stack.append((key, child))


def read_index(data: bytes) -> Index:
    """Check the header of an index file.

    :raises FormatError: it is not one.
    :raises UnsupportedError: it is of another major version.
    """
    if len(data) < HEADER.size:
        raise FormatError(f"module index: cut off after {len(data)} bytes")
    magic, major, _, root = HEADER.unpack_from(data)
    if magic != MAGIC:
        raise FormatError(f"not a module index: it starts with {data[:4]!r}")
    if major != VERSION_MAJOR:
        raise UnsupportedError(f"module index of version {major}, not {VERSION_MAJOR}")
    return Index(data, root)


def _may_match(text: str, start: str) -> bool:
    """Whether a pattern that starts so can match the text."""
    wild = _WILD.search(start)
    return text.startswith(start if wild is None else start[: wild.start()])


def _read_node(data: bytes, start: str, offset: int) -> tuple[_Node, int]:
    """Return a node and its length in the file."""
    at = begin = offset & NODE_MASK
    try:
        prefix = ""
        if offset & NODE_PREFIX:
            end = data.index(0, at)
            prefix, at = _key(data[at:end]), end + 1
        children: tuple[tuple[int, int], ...] = ()
        if offset & NODE_CHILDS:
            first, last = data[at], data[at + 1]
            offsets = struct.unpack_from(f">{max(last - first + 1, 0)}I", data, at + 2)
            children = tuple(enumerate(offsets, first))
            at += 2 + 4 * len(offsets)
        values: list[IndexValue] = []
        if offset & NODE_VALUES:
            (count,) = _NUMBER.unpack_from(data, at)
            at += 4
            for _ in range(count):
                (priority,) = _NUMBER.unpack_from(data, at)
                value, at = _read_text(data, at + 4)
                values.append(IndexValue(priority, value))
    except (struct.error, IndexError, ValueError) as error:
        raise FormatError(f"module index: the node at {begin} is damaged or cut off") from error
    # A node of nothing is legal only as the root of an empty index.
    return _Node(start + prefix, tuple(values), children), max(at - begin, 1)


def _key(raw: bytes) -> str:
    return raw.decode("ascii", "surrogateescape")


def _read_text(data: bytes, at: int) -> tuple[str, int]:
    end = data.index(0, at)
    return data[at:end].decode("utf-8", "surrogateescape"), end + 1


# --- patterns


def matches(pattern: str, text: str) -> bool:
    """Whether an alias pattern matches, by the rules of fnmatch(3) without flags.

    ``*`` and ``?`` match ``/`` and a leading dot, too; ``[!…]`` and ``[^…]`` negate, and
    a backslash takes the next character as it is. Classes such as ``[:digit:]``, which
    no alias uses, are not known. Time grows with the product of the lengths at most.
    """
    if _SPECIAL.search(pattern) is None:
        return _match_stars(pattern.split("*"), text)
    return _compiled(pattern).fullmatch(text) is not None


_SPECIAL: Final = re.compile(r"[?\[\\]")
_TOKEN: Final = re.compile(
    r"(?P<star>\*+)|(?P<any>\?)|\[(?P<set>[!^]?+(?:\\.|[^\\])(?:\\.|[^]\\])*)\]|\\?(?P<char>.)",
    re.DOTALL,
)
_MEMBER: Final = re.compile(r"\\?(.)(?:-\\?([^]]))?", re.DOTALL)


def _match_stars(parts: list[str], text: str) -> bool:
    """Match literal parts with anything between them."""
    if len(parts) == 1:
        return text == parts[0]
    first, last = parts[0], parts[-1]
    if not text.startswith(first) or not text.endswith(last):
        return False
    at, end = len(first), len(text) - len(last)
    for part in parts[1:-1]:
        at = text.find(part, at, end)
        if at < 0:
            return False
        at += len(part)
    return at <= end


@functools.lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    parts = [""]
    for token in _TOKEN.finditer(pattern):
        if token["star"]:
            parts.append("")
        elif token["any"]:
            parts[-1] += "."
        elif token["set"]:
            parts[-1] += _set(token["set"])
        else:
            parts[-1] += re.escape(token["char"])
    if len(parts) == 1:
        return re.compile(parts[0], re.DOTALL)
    # The first fit of each part is as good as any later one; without atomic groups, a
    # pattern with many stars would try all combinations.
    middle = "".join(f"(?>.*?{part})" for part in parts[1:-1])
    return re.compile(f"{parts[0]}{middle}.*{parts[-1]}", re.DOTALL)


def _set(text: str) -> str:
    negated = text[0] in "!^"
    members = ""
    for low, high in _MEMBER.findall(text[negated:]):
        if not high:
            members += re.escape(low)
        elif low <= high:
            members += f"{re.escape(low)}-{re.escape(high)}"
    if not members:  # only ranges that run backwards
        return "." if negated else "(?!)"
    return f"[{'^' if negated else ''}{members}]"
