"""File contents held in memory, lightly compressed.

Which disk a module goes to is known only when all have been seen, and the modules of
a generic kernel are 400 MB. Holding them at zstd's fastest level costs a few
hundredths of a second per 100 MB and a third of the memory; nothing is unpacked to
a disk.
"""

from __future__ import annotations

import hashlib
import threading
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    import zstandard

LEVEL: Final = 1
DIGEST_SIZE: Final = 16

# A zstandard context may not be used by two threads at once.
_contexts = threading.local()


def _compressor() -> zstandard.ZstdCompressor:
    found: zstandard.ZstdCompressor | None = getattr(_contexts, "compressor", None)
    if found is None:
        import zstandard

        found = _contexts.compressor = zstandard.ZstdCompressor(level=LEVEL)
    return found


def _decompressor() -> zstandard.ZstdDecompressor:
    found: zstandard.ZstdDecompressor | None = getattr(_contexts, "decompressor", None)
    if found is None:
        import zstandard

        found = _contexts.decompressor = zstandard.ZstdDecompressor()
    return found


def content_digest(data: bytes) -> bytes:
    """Return the digest that a held content has: the first 16 bytes of the SHA-256."""
    # Processors have instructions for SHA-256, which make it twice as fast as BLAKE2.
    return hashlib.sha256(data, usedforsecurity=False).digest()[:DIGEST_SIZE]


class Held:
    """A :class:`rdcompose.tree.Content` that keeps its bytes compressed, and knows their digest."""

    __slots__ = ("_digest", "_packed", "_size")

    def __init__(self, data: bytes) -> None:
        self._size = len(data)
        self._digest = content_digest(data)
        # A copy of its exact size: the compressor returns a shrunk buffer of the size of the
        # content, and thousands of those would leave the heap full of holes.
        self._packed = bytes(memoryview(_compressor().compress(data)))

    @property
    def size(self) -> int:
        """Length in bytes, as given."""
        return self._size

    @property
    def digest(self) -> bytes:
        """The first 16 bytes of the SHA-256 of the content."""
        return self._digest

    def stored(self) -> tuple[bytes, bool]:
        """Return the bytes that are held, and whether they are compressed."""
        return self._packed, True

    def chunks(self, size: int) -> Iterator[bytes]:
        """Yield the content in pieces of ``size`` bytes."""
        data = _decompressor().decompress(self._packed)
        if len(data) <= size:
            if data:
                yield data
            return
        for start in range(0, len(data), size):
            yield data[start : start + size]


def unpacked(packed: bytes, size: int) -> bytes | None:
    """Return what :meth:`Held.stored` has compressed; ``None`` if it is damaged."""
    import zstandard

    try:
        if zstandard.frame_content_size(packed) != size:
            return None
        return _decompressor().decompress(packed)
    except zstandard.ZstdError:
        return None
