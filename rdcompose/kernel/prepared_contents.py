"""Contents of a kernel that was read before: where each is in a file, read when it is wanted.

What cannot be read, or is not what it was, is read anew from where the kernel came from.
"""

from __future__ import annotations

import struct
import threading
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from rdcompose.errors import FormatError
from rdcompose.kernel.held import content_digest, unpacked
from rdcompose.tree import DIGEST_SIZE, read_all

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rdcompose.kernel.package import KernelPackage
    from rdcompose.tree import Content

# Offset, length as stored, length, whether it is packed, digest
_RECORD: Final = struct.Struct(f"=QQQ?{DIGEST_SIZE}s")


class Readable(Protocol):
    """A file of which any thread may read any part."""

    @property
    def size(self) -> int:
        """Length in bytes."""

    def read(self, offset: int, size: int) -> bytes:
        """Return a part; less of it, or nothing, where that cannot be read."""


class Stored(NamedTuple):
    """A content as it is in the file."""

    offset: int
    stored: int
    size: int
    packed: bool
    digest: bytes

    def plain(self, data: bytes) -> bytes | None:
        """Return the content that stored bytes are of; ``None`` if they are damaged."""
        if len(data) != self.stored:
            return None
        plain = unpacked(data, self.size) if self.packed else data
        return plain if plain is not None and content_digest(plain) == self.digest else None


def write_contents(contents: Sequence[Stored]) -> bytes:
    """Return the table of contents."""
    return b"".join([_RECORD.pack(*content) for content in contents])


def read_contents(data: bytes) -> list[Stored]:
    """Return the contents that a table tells.

    :raises struct.error: it is none.
    """
    return [Stored(*fields) for fields in _RECORD.iter_unpack(data)]


class Again:
    """The same kernels, read anew when first asked for, once for all threads."""

    def __init__(self, read: Callable[[], Sequence[KernelPackage]]) -> None:
        self._read = read
        self._lock = threading.Lock()
        self._found: dict[tuple[str, str], Content] | None = None

    def content(self, release: str, path: str, digest: bytes) -> bytes:
        """Return a module.

        :raises FormatError: it is not what it was before.
        :raises RdcomposeError: the kernel cannot be read any more.
        """
        with self._lock:
            if self._found is None:
                self._found = {
                    (package.release, module.path): module.content
                    for package in self._read()
                    for module in package.tree.modules
                }
            found = self._found.get((release, path))
        data = b"" if found is None else read_all(found)
        if content_digest(data) != digest:
            raise FormatError(
                f"the module {path} of {release} changed while it was used", hint="try again"
            )
        return data


class StoredModule:
    """A :class:`rdcompose.tree.Content` in a file; ``digest`` is that of the plain module."""

    __slots__ = ("_again", "_file", "_path", "_release", "_stored", "digest", "size")

    def __init__(
        self, file: Readable, stored: Stored, *, release: str, path: str, again: Again
    ) -> None:
        self._file = file
        self._stored = stored
        self._release = release
        self._path = path
        self._again = again
        self.size = stored.size
        self.digest = stored.digest

    def chunks(self, size: int) -> Iterator[bytes]:
        """Yield the content in pieces of ``size`` bytes.

        :raises RdcomposeError: it is damaged, and the kernel cannot be read any more.
        """
        stored = self._stored
        data = stored.plain(self._file.read(stored.offset, stored.stored))
        if data is None:
            data = self._again.content(self._release, self._path, self.digest)
        if len(data) <= size:
            if data:
                yield data
            return
        for start in range(0, len(data), size):
            yield data[start : start + size]
