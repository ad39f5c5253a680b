"""A file that is being filled, and that keeps what it holds whatever happens.

Every piece is handed to the system at once: what was written is in the file also when the
process is interrupted or killed right after.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Self

from rdcompose.errors import OutputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import TracebackType


class Partial:
    """The file at a path, made if it is missing; a context manager.

    :raises OutputError: the file system refuses; the disk is full.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = -1

    def __enter__(self) -> Self:
        with self._errors():
            self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o666)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self._file)

    @property
    def size(self) -> int:
        """Bytes in the file."""
        return os.fstat(self._file).st_size

    def write(self, position: int, data: bytes) -> None:
        """Put all of ``data`` at a position.

        :raises OutputError: the disk is full. What fitted has been written.
        """
        rest = memoryview(data)
        with self._errors():
            while rest:
                written = os.pwrite(self._file, rest, position)
                rest, position = rest[written:], position + written

    def cut(self, size: int) -> None:
        """Leave the first ``size`` bytes.

        :raises OutputError: the file system refuses.
        """
        with self._errors():
            os.ftruncate(self._file, size)

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise OutputError(f"cannot write {self._path}: {error.strerror or error}") from error
