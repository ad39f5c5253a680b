"""Small results of work in the cache, each in a file of its own; see ``cache_prepared``.

After the line with the name stand the SHA-256 of the value, and the value.
"""

from __future__ import annotations

import contextlib
import hashlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from rdcompose.archive.cache_prepared import PreparedFiles

_DIGEST_SIZE: Final = 32


class CachedValues:
    """Values by keys, which are any text; ``kind`` tells those of one use from others."""

    def __init__(self, files: PreparedFiles, kind: str) -> None:
        self._files = files
        self._kind = kind

    def get(self, key: str) -> bytes | None:
        """Return a value; ``None`` if it is not there, or damaged."""
        file = self._files.find(self._name(key))
        if file is None:
            return None
        data = file.read(0, file.size)
        value = data[_DIGEST_SIZE:]
        return value if hashlib.sha256(value).digest() == data[:_DIGEST_SIZE] else None

    def put(self, key: str, value: bytes) -> None:
        """Keep a value, if it can be kept."""
        new = self._files.begin(self._name(key), key)
        if new is None:
            return
        with new, contextlib.suppress(OSError):
            new.write(hashlib.sha256(value).digest(), value)
            new.publish()

    def _name(self, key: str) -> str:
        return hashlib.sha256(f"{self._kind}\n{key}".encode()).hexdigest()
