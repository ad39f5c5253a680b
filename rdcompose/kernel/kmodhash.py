"""The order in which kmod's hash tables give their keys back.

depmod writes ``modules.symbols`` in this order, and puts modules that
``modules.order`` does not list into it. A table has a power of two of buckets, keys
stand sorted in each, and the hash is Paul Hsieh's SuperFastHash, described at
http://www.azillionmonkeys.com/qed/hash.html; kmod reads its 16-bit words in the byte
order of the machine, here always little-endian.

Kernels export tens of thousands of symbols, so keys of one length are hashed together: each has
64 bits of one large number, of which the hash takes 32. The others take what overflows until it
is cut off, and what a shift brings down from the key above, so that keys do not disturb each other.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from rdcompose.tree import decode_name, encode_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_LANE: Final = 8
_MASK: Final = 0xFFFFFFFF


def hash_order(names: Iterable[str], buckets: int) -> list[str]:
    """Return the names as a kmod hash of that many buckets iterates over them."""
    keys = sorted(map(encode_name, names))
    by_size: dict[int, list[bytes]] = {}
    for key in keys:
        by_size.setdefault(len(key), []).append(key)
    bucket: dict[bytes, int] = {}
    for group in by_size.values():
        bucket.update(zip(group, superfast(group, buckets - 1), strict=True))
    return [decode_name(key) for key in sorted(keys, key=bucket.__getitem__)]


def superfast(keys: Sequence[bytes], mask: int = _MASK) -> tuple[int, ...]:
    """Return the 32-bit hashes of keys of one length, as far as ``mask`` keeps them."""
    size = len(keys[0])
    text = b"".join(keys)
    one = int.from_bytes(b"\1".ljust(_LANE, b"\0") * len(keys), "little")
    every = one * _MASK

    def column(at: int, count: int) -> int:
        """Return a number of each key: ``count`` of its bytes, from ``at`` on."""
        lanes = bytearray(_LANE * len(keys))
        for number in range(count):
            lanes[number::_LANE] = text[at + number :: size]
        return int.from_bytes(lanes, "little")

    value = one * size
    for at in range(0, size - 3, 4):
        value = (value + column(at, 2)) & every
        value ^= (value << 16 & every) ^ column(at + 2, 2) << 11
        value = (value + (value >> 11)) & every
    at, rest = size & ~3, size & 3
    if rest == 3:
        value = (value + column(at, 2)) & every
        value ^= (value << 16 & every) ^ column(at + 2, 1) << 18
        value = (value + (value >> 11)) & every
    elif rest == 2:
        value = (value + column(at, 2)) & every
        value ^= value << 11 & every
        value = (value + (value >> 17)) & every
    elif rest == 1:
        value = (value + column(at, 1)) & every
        value ^= value << 10 & every
        value = (value + (value >> 1)) & every
    for left, right in ((3, 5), (4, 17), (25, 6)):
        value ^= value << left & every
        value = (value + (value >> right)) & every
    raw = (value & one * mask).to_bytes(_LANE * len(keys), "little")
    return struct.unpack(f"<{len(keys)}Q", raw)
