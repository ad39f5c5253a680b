"""The hash by which ext4 sorts the names of a large directory: half an MD4.

Reference: fs/ext4/hash.c of Linux, ``DX_HASH_HALF_MD4_UNSIGNED``.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_MASK: Final = 0xFFFF_FFFF
_CHUNK: Final = 32
_WORDS: Final = _CHUNK // 4
# The kernel keeps the last one for the end of a directory.
_END: Final = 0xFFFF_FFFE


class NameHash(NamedTuple):
    """A hash as it is sorted by: names of the same ``major`` are told apart by ``minor``."""

    major: int
    minor: int


def _select(x: int, y: int, z: int) -> int:
    return z ^ (x & (y ^ z))


def _majority(x: int, y: int, z: int) -> int:
    return (x & y) + ((x ^ y) & z)


def _parity(x: int, y: int, z: int) -> int:
    return x ^ y ^ z


class _Round(NamedTuple):
    mix: Callable[[int, int, int], int]
    constant: int
    order: tuple[int, ...]
    shifts: tuple[int, int, int, int]


_ROUNDS: Final = (
    _Round(_select, 0, (0, 1, 2, 3, 4, 5, 6, 7), (3, 7, 11, 19)),
    _Round(_majority, 0x5A82_7999, (1, 3, 5, 7, 0, 2, 4, 6), (3, 5, 9, 13)),
    _Round(_parity, 0x6ED9_EBA1, (3, 7, 2, 6, 1, 5, 0, 4), (3, 9, 11, 15)),
)


def name_hash(name: bytes, seed: Sequence[int]) -> NameHash:
    """Return the hash of a name; ``seed`` is four words of the superblock."""
    state = list(seed)
    for start in range(0, len(name), _CHUNK):
        _transform(state, _words(name[start:]))
    major = state[1] & ~1
    return NameHash(major if major != _END else _END - 2, state[2])


def _words(name: bytes) -> tuple[int, ...]:
    """Return the first 32 bytes as words; what is missing is made up from the length."""
    length = len(name) & 0xFF
    pad = bytes([length]) * 4
    part = name[:_CHUNK]
    whole, rest = divmod(len(part), 4)
    # What is left over stands at the end of its word.
    last = pad[: 4 - rest] + part[4 * whole :] if rest else b""
    data = (part[: 4 * whole] + last).ljust(_CHUNK, pad[:1])
    return struct.unpack(f">{_WORDS}I", data)


def _transform(state: list[int], words: Sequence[int]) -> None:
    a, b, c, d = state
    for mix, constant, order, shifts in _ROUNDS:
        for step, index in enumerate(order):
            shift = shifts[step % 4]
            total = (a + mix(b, c, d) + words[index] + constant) & _MASK
            a, b, c, d = d, (total << shift | total >> (32 - shift)) & _MASK, b, c
    for index, value in enumerate((a, b, c, d)):
        state[index] = (state[index] + value) & _MASK
