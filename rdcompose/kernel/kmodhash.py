"""The order in which kmod's hash tables give their keys back.

depmod writes ``modules.symbols`` in this order, and puts modules that
``modules.order`` does not list into it. A table has a power of two of buckets, keys
stand sorted in each, and the hash is Paul Hsieh's SuperFastHash, described at
http://www.azillionmonkeys.com/qed/hash.html; kmod reads its 16-bit words in the byte
order of the machine, here always little-endian.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

_MASK: Final = 0xFFFFFFFF


def hash_order(names: Iterable[str], buckets: int) -> list[str]:
    """Return the names as a kmod hash of that many buckets iterates over them."""
    keyed: list[tuple[int, bytes, str]] = []
    for name in names:
        raw = name.encode("utf-8", "surrogateescape")
        keyed.append((superfast(raw) & (buckets - 1), raw, name))
    return [name for _, _, name in sorted(keyed)]


def superfast(key: bytes) -> int:
    """Return the 32-bit hash of a key."""
    size = len(key)
    words = struct.unpack_from(f"<{size // 2}H", key)
    value = size
    for low, high in zip(words[: size // 4 * 2 : 2], words[1::2], strict=False):
        value = (value + low) & _MASK
        value = (value << 16 & _MASK) ^ high << 11 ^ value
        value = (value + (value >> 11)) & _MASK
    return _avalanche(_rest(value, key, words))


def _rest(value: int, key: bytes, words: tuple[int, ...]) -> int:
    rest = len(key) & 3
    if rest == 3:
        value = (value + words[-1]) & _MASK
        value ^= value << 16 & _MASK
        value ^= key[-1] << 18
        value += value >> 11
    elif rest == 2:
        value = (value + words[-1]) & _MASK
        value ^= value << 11 & _MASK
        value += value >> 17
    elif rest == 1:
        value = (value + key[-1]) & _MASK
        value ^= value << 10 & _MASK
        value += value >> 1
    return value & _MASK


def _avalanche(value: int) -> int:
    for left, right in ((3, 5), (4, 17), (25, 6)):
        value ^= value << left & _MASK
        value = (value + (value >> right)) & _MASK
    return value
