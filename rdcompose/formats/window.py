"""A part of a file as a file of its own: a partition of a disk, to be read or written."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer


class Window(io.RawIOBase):
    """``size`` bytes of a file from ``start`` on; its offset 0 is the first of them.

    What is behind the end of the file cannot be read, and nothing can be written behind the end
    of the window. The file must stay open; its own position is moved, and it is not closed.
    """

    def __init__(self, file: BinaryIO, start: int, size: int) -> None:
        super().__init__()
        if start < 0 or size < 0:
            raise ValueError(f"there is no window of {size} bytes at {start}")
        self._file = file
        self._start = start
        self._size = size
        self._position = 0

    def readable(self) -> bool:
        """Whether the file can be read."""
        return self._file.readable()

    def writable(self) -> bool:
        """Whether the file can be written."""
        return self._file.writable()

    def seekable(self) -> bool:
        """Return true."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Move to an offset in the window; return it."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise ValueError(f"negative offset {base + offset} in a window")
        self._position = base + offset
        return self._position

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Read into a buffer; return how much there was."""
        view = memoryview(buffer).cast("B")
        size = max(0, min(len(view), self._size - self._position))
        self._file.seek(self._start + self._position)
        data = self._file.read(size)
        view[: len(data)] = data
        self._position += len(data)
        return len(data)

    def write(self, data: ReadableBuffer, /) -> int:
        """Write all of the data at the current position; return its length."""
        view = memoryview(data).cast("B")
        if self._position + len(view) > self._size:
            raise ValueError(
                f"{len(view)} bytes at {self._position} are behind the end of a window"
                f" of {self._size}"
            )
        self._file.seek(self._start + self._position)
        self._file.write(view)
        self._position += len(view)
        return len(view)
