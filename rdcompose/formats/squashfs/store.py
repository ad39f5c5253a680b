"""Blocks that were compressed before: how they are named, kept and taken up again.

A block is named by everything that its bytes follow from: the compressor, its level, the
version of its library, the size of blocks, and the contents in it. So a store may be shared
by images, by runs and by versions of rdcompose, and an image is the same with one and
without.
"""

from __future__ import annotations

import dataclasses
import hashlib
import struct
import threading
from typing import TYPE_CHECKING, Final, Protocol

from rdcompose.tree import DIGEST_SIZE, known_digest

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rdcompose.tree import Content

# Whatever else changes how a block comes out of its contents goes here, as a new number.
_VERSION: Final = b"rdcompose squashfs blocks 1"
_KEY_SIZE: Final = 32
# size as stored, length when unpacked
_HEADER: Final = struct.Struct("<II")
_COUNT: Final = struct.Struct("<H")
MAX_VALUE: Final = 1 << 20
_HASH_PIECE: Final = 1 << 20


class BlockStore(Protocol):
    """What keeps blocks; any thread may ask it, at any time.

    Keys have 32 bytes, values at most :data:`MAX_VALUE`. A store may forget whatever it
    likes, but gives back what was put or nothing.
    """

    def get(self, key: bytes, /) -> bytes | None:
        """Return the value of a key, or ``None``."""
        ...

    def put(self, key: bytes, value: bytes, /) -> None:
        """Keep a value, if there is room for it."""
        ...


class MemoryBlocks:
    """A :class:`BlockStore` in memory, for images of one run; full at ``limit`` bytes."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._size = 0
        self._values: dict[bytes, bytes] = {}
        self._lock = threading.Lock()

    @property
    def size(self) -> int:
        """Bytes in the values."""
        return self._size

    def get(self, key: bytes, /) -> bytes | None:
        """Return the value of a key, or ``None``."""
        return self._values.get(key)

    def put(self, key: bytes, value: bytes, /) -> None:
        """Keep a value, if there is room for it."""
        with self._lock:
            if key not in self._values and self._size + len(value) <= self._limit:
                self._values[key] = value
                self._size += len(value)


class BothBlocks:
    """Two stores as one, the faster one first."""

    def __init__(self, first: BlockStore, second: BlockStore) -> None:
        self._stores = (first, second)

    def get(self, key: bytes, /) -> bytes | None:
        """Return the value that one of them has of a key, or ``None``."""
        found = (store.get(key) for store in self._stores)
        return next((value for value in found if value is not None), None)

    def put(self, key: bytes, value: bytes, /) -> None:
        """Keep a value in both."""
        for store in self._stores:
            store.put(key, value)


@dataclasses.dataclass(frozen=True, slots=True)
class Block:
    """A block as it goes into the image; no data and size 0 is a hole of ``length`` bytes."""

    data: bytes
    stored_size: int
    length: int


class KnownBlocks:
    """The blocks of a store that one compressor has made of known contents."""

    def __init__(self, store: BlockStore, compressor: bytes) -> None:
        self._store = store
        self._compressor = compressor

    def key(self, kind: bytes, digests: Iterable[bytes], number: int = 0) -> bytes:
        """Name what is made of some contents; of ``number`` the part, where it is one."""
        name = hashlib.blake2b(digest_size=_KEY_SIZE)
        for word in (_VERSION, self._compressor, kind, str(number).encode()):
            name.update(len(word).to_bytes(4, "little") + word)
        for digest in digests:
            name.update(digest)
        return name.digest()

    def get(self, key: bytes, length: int) -> list[Block] | None:
        """Return the blocks of a name if they are there and ``length`` bytes unpacked."""
        value = self._store.get(key)
        blocks = None if value is None else decode_blocks(value)
        if blocks is None or sum(block.length for block in blocks) != length:
            return None
        return blocks

    def put(self, key: bytes, blocks: Sequence[Block]) -> None:
        """Keep blocks that are worth it."""
        value = b"".join(
            (
                _COUNT.pack(len(blocks)),
                *(_HEADER.pack(block.stored_size, block.length) for block in blocks),
                *(block.data for block in blocks),
            )
        )
        if len(value) <= MAX_VALUE:
            self._store.put(key, value)


def decode_blocks(value: bytes) -> list[Block] | None:
    """Return the blocks in a value of a store, or ``None`` if it is none."""
    if len(value) < _COUNT.size:
        return None
    (count,) = _COUNT.unpack_from(value)
    position = _COUNT.size + count * _HEADER.size
    if position > len(value):
        return None
    blocks = []
    for number in range(count):
        stored_size, unpacked = _HEADER.unpack_from(value, _COUNT.size + number * _HEADER.size)
        size = stored_size & 0xFFFFFF
        blocks.append(Block(value[position : position + size], stored_size, unpacked))
        position += size
    return blocks if position == len(value) else None


def content_digest(content: Content) -> bytes:
    """Return the digest that a content brings along, or work it out."""
    known = known_digest(content)
    if known is not None:
        return known
    digest = hashlib.sha256(usedforsecurity=False)
    for piece in content.chunks(_HASH_PIECE):
        digest.update(piece)
    return digest.digest()[:DIGEST_SIZE]


def data_digest(data: bytes) -> bytes:
    """Return the digest of bytes as :func:`content_digest` does."""
    return hashlib.sha256(data, usedforsecurity=False).digest()[:DIGEST_SIZE]
