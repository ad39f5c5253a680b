"""The content of a request: a file, read as it is sent."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final, Self

from rdcompose.errors import SpecError, UploadError

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator
    from types import TracebackType

    from rdcompose.hosting.folder import File
    from rdcompose.hosting.host import Advance

_BLOCK: Final = 1 << 16
# So often is enough for a person who watches.
_STEP: Final = 1 << 18


class FileBody:
    """A file as the library wants a body: it has a length and is read; a context manager.

    :raises SpecError: the file cannot be read.
    :raises UploadError: while it is read: ``cancelled`` was set, or the file is not what it was.
    """

    def __init__(self, file: File, advance: Advance, cancelled: threading.Event) -> None:
        self._file = file
        self._advance = advance
        self._cancelled = cancelled
        self._digest = hashlib.sha256()
        self._sent = 0
        self._told = 0
        try:
            self._input = file.path.open("rb")
        except OSError as error:
            raise SpecError(f"cannot read {file.path}: {error.strerror}") from error

    def __enter__(self) -> Self:
        self._advance(0, self._file.size)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._input.close()

    def __len__(self) -> int:
        return self._file.size

    def __iter__(self) -> Iterator[bytes]:
        while block := self.read(_BLOCK):
            yield block

    def read(self, size: int) -> bytes:
        """Return the next bytes, ``size`` at most; none at the end."""
        if self._cancelled.is_set():
            raise UploadError(f"the upload of {self._file.name} was interrupted")
        wanted = min(size, self._file.size - self._sent)
        try:
            block = self._input.read(wanted)
        except OSError as error:
            raise SpecError(f"cannot read {self._file.path}: {error.strerror}") from error
        if len(block) < wanted:
            raise self._changed()
        self._digest.update(block)
        self._sent += len(block)
        if self._sent - self._told >= _STEP:
            self._told = self._sent
            # The end is told when the host has said so, too.
            self._advance(min(self._sent, self._file.size - 1), self._file.size)
        return block

    def check(self) -> None:
        """Do nothing if what was sent to its end is the file that was meant.

        :raises UploadError: the file was changed meanwhile.
        """
        if self._sent == self._file.size and self._digest.hexdigest() != self._file.sha256:
            raise self._changed()

    def _changed(self) -> UploadError:
        return UploadError(
            f"{self._file.path} was changed while it was uploaded",
            hint="run the command again when nothing writes to the directory",
        )
