"""Blocks that were compressed before, in one file of the cache; see ``cache_prepared``.

After the line with the name the file holds one record behind the other::

    32 bytes   the key
    4 bytes    length of the block, little-endian
    16 bytes   beginning of the block's SHA-256
    the block

A file that has grown is written anew, with the new blocks at its end, and takes the place of the
old one in one step.
"""

from __future__ import annotations

import contextlib
import hashlib
import struct
import threading
from typing import TYPE_CHECKING, Final, NamedTuple, Self

if TYPE_CHECKING:
    from types import TracebackType

    from rdcompose.archive.cache_prepared import NewFile, PreparedFiles, StoredFile

_RECORD: Final = struct.Struct("<32sI16s")
# A block of squashfs is 1 MiB at most.
_MAX_BLOCK: Final = 1 << 20
# Each compressor and level has blocks of its own: from here on the file begins again.
MAX_SIZE: Final = 300_000_000


class _Place(NamedTuple):
    file: StoredFile | NewFile
    offset: int
    length: int
    digest: bytes


class CachedBlocks:
    """Blocks by their keys, which have 32 bytes, for any number of threads.

    A context manager: what was put is there for others once it was left without an error.
    """

    def __init__(self, files: PreparedFiles, key: str, name: str) -> None:
        self._files = files
        self._key = key
        self._name = name
        self._old = files.find(key)
        self._places, self._end = ({}, 0) if self._old is None else _records(self._old)
        self._new: NewFile | None = None
        self._begun = False
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._lock:
            new, self._new = self._new, None
            self._places.clear()
            if self._old is not None:
                self._old.close()
            if new is None:
                return
            with new, contextlib.suppress(OSError):
                if kind is None:
                    new.publish()
        self._files.trim()

    def get(self, key: bytes) -> bytes | None:
        """Return a block; ``None`` if it is not there, or damaged."""
        with self._lock:
            place = self._places.get(key)
            if place is None:
                return None
            block = place.file.read(place.offset, place.length)
        if _digest(block) == place.digest:
            return block
        with self._lock:
            self._places.pop(key, None)
        return None

    def put(self, key: bytes, block: bytes) -> None:
        """Keep a block, if it can be kept."""
        digest = _digest(block)
        with self._lock:
            if key in self._places or (new := self._file()) is None:
                return
            offset = new.size + _RECORD.size
            try:
                new.write(_RECORD.pack(key, len(block), digest), block)
            except OSError:
                # What is not complete is as good as nothing.
                self._places = {k: p for k, p in self._places.items() if p.file is not new}
                self._new = None
                new.abandon()
            else:
                self._places[key] = _Place(new, offset, len(block), digest)

    def _file(self) -> NewFile | None:
        """Return the file that is written, begun with what there was."""
        if not self._begun:
            self._begun = True
            new = self._files.begin(self._key, self._name)
            try:
                if new is not None and self._old is not None and self._end < MAX_SIZE:
                    new.append(self._old, self._end)
            except OSError:
                # Let go of, it is removed.
                new = None
            self._new = new
        return self._new


def _records(file: StoredFile) -> tuple[dict[bytes, _Place], int]:
    """Return where the blocks are, and where the first record is that is none."""
    found: dict[bytes, _Place] = {}
    end = 0
    while len(head := file.read(end, _RECORD.size)) == _RECORD.size:
        key, length, digest = _RECORD.unpack(head)
        start = end + _RECORD.size
        if not 0 < length <= _MAX_BLOCK or start + length > file.size:
            break
        found[key] = _Place(file, start, length, digest)
        end = start + length
    return found, end


def _digest(block: bytes) -> bytes:
    return hashlib.sha256(block, usedforsecurity=False).digest()[:16]
