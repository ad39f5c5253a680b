"""File contents held in memory: as they are while there is room, lightly compressed beyond.

Which disk a module goes to is known only when all have been seen, and the modules of
a generic kernel are 400 MB. Those of a small one are kept plain. Beyond that all are
compressed at zstd's fastest level, which costs a quarter of a second per 100 MB and leaves
a third of the memory; nothing is unpacked to a disk.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import mmap
import threading
from typing import TYPE_CHECKING, Final

from rdcompose.tree import DIGEST_SIZE

if TYPE_CHECKING:
    from collections.abc import Iterator

    import zstandard

LEVEL: Final = 1
# Contents lie in memory of their own: thousands of them among what comes and goes while a
# kernel is read would leave the heap full of holes. Small ones share a piece of this size; it
# is not larger, because of most kernels only a few modules are kept until the end.
SLAB: Final = 1 << 16

_ARENA_MAX: Final = -8  # M_ARENA_MAX of glibc's malloc.h

# A lock for every object would be as large as the object: some are shared.
_hashing: Final = tuple(threading.Lock() for _ in range(31))
_STEP: Final = 16

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


def content_digest(data: bytes | memoryview) -> bytes:
    """Return the digest that a held content has: the first 16 bytes of the SHA-256."""
    # Processors have instructions for SHA-256, which make it twice as fast as BLAKE2.
    return hashlib.sha256(data, usedforsecurity=False).digest()[:DIGEST_SIZE]


class Held:
    """A :class:`rdcompose.tree.Content` in memory, which knows its digest."""

    __slots__ = ("_digest", "_size", "_stored")

    def __init__(self, data: bytes | memoryview) -> None:
        self._size = len(data)
        self._digest: bytes | None = None
        # In one, so that a thread that reads sees both or none.
        self._stored: tuple[bytes | memoryview, bool] = (data, False)

    @property
    def size(self) -> int:
        """Length in bytes, as given."""
        return self._size

    @property
    def digest(self) -> bytes:
        """The first 16 bytes of the SHA-256 of the content."""
        found = self._digest
        if found is None:
            # The disk and the cache ask at about the same time: one works it out for both.
            with _hashing[id(self) // _STEP % len(_hashing)]:
                found = self._digest
                if found is None:
                    found = self._digest = content_digest(self._plain())
        return found

    def stored(self) -> tuple[bytes | memoryview, bool]:
        """Return the bytes that are held, and whether they are compressed."""
        return self._stored

    def pack(self, slabs: Slabs) -> None:
        """Hold the content compressed from now on."""
        data, packed = self._stored
        if not packed:
            # While the content is at hand.
            self._digest = content_digest(data)
            self._stored = slabs.put(_compressor().compress(data)), True

    def chunks(self, size: int) -> Iterator[bytes]:
        """Yield the content in pieces of ``size`` bytes."""
        data = self._plain()
        if len(data) <= size:
            if data:
                yield bytes(data)
            return
        for start in range(0, len(data), size):
            yield bytes(data[start : start + size])

    def _plain(self) -> bytes | memoryview:
        data, packed = self._stored
        return _decompressor().decompress(data) if packed else data


class Store:
    """Makes contents held, for any number of threads; holds ``plain`` bytes of them plain.

    Where they come to more, the plain ones are compressed as more come.
    """

    def __init__(self, *, plain: int) -> None:
        self._lock = threading.Lock()
        self._room = plain
        self._plain: list[Held] = []
        self._slabs = Slabs()

    def hold(self, data: bytes) -> Held:
        """Return a content that holds the bytes."""
        if self._takes(len(data)):
            held = Held(self._slabs.put(data))
            with self._lock:
                self._plain.append(held)
            return held
        held = Held(data)
        for each in (held, *self._next()):
            each.pack(self._slabs)
        return held

    def _takes(self, size: int) -> bool:
        with self._lock:
            self._room -= size
            return self._room >= 0

    def _next(self) -> list[Held]:
        """Return a few to pack, so that no thread has to do all at once."""
        with self._lock:
            found = self._plain[-2:]
            del self._plain[-2:]
            return found


class Slabs:
    """Memory for bytes that stay, outside of the heap, given back as they are done with."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rest = memoryview(bytearray())

    def put(self, data: bytes) -> memoryview:
        """Return a copy of the data that nobody can change."""
        size = len(data)
        with self._lock:
            if size > SLAB // 8:
                place = _memory(size)
            else:
                if size > len(self._rest):
                    self._rest = _memory(SLAB)
                place, self._rest = self._rest[:size], self._rest[size:]
        place[:] = data
        return place.toreadonly()


def _memory(size: int) -> memoryview:
    try:
        return memoryview(mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS))
    except OSError:
        # A process may have 65 530 mappings, which is a dozen of the largest kernels.
        return memoryview(bytearray(size))


def share_heap() -> None:
    """Let all threads take memory from one heap.

    In the GNU C library each has its own by default, and what one has freed no other one gets:
    a hundred megabytes while a large kernel is read.
    """
    with contextlib.suppress(AttributeError):
        ctypes.CDLL(None).mallopt(_ARENA_MAX, 1)


def give_back() -> None:
    """Return to the system what is free; the GNU C library keeps most of it otherwise."""
    # Other libraries have no such function.
    with contextlib.suppress(AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def unpacked(packed: bytes | memoryview, size: int) -> bytes | None:
    """Return what :meth:`Held.stored` has compressed; ``None`` if it is damaged."""
    import zstandard

    try:
        if zstandard.frame_content_size(packed) != size:
            return None
        return _decompressor().decompress(packed)
    except zstandard.ZstdError:
        return None
