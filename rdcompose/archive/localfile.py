"""Files of ``file://`` mirrors: a directory, a mounted disk, another machine's share."""

from __future__ import annotations

import contextlib
import stat
from typing import TYPE_CHECKING, BinaryIO, Final

from rdcompose.archive.addresses import file_path, shown
from rdcompose.errors import FetchError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterator

_BLOCK: Final = 1 << 20


def read_file(address: str, limit: int) -> bytes:
    """Return the content of a file of at most ``limit`` bytes.

    :raises NotFoundError: there is none.
    :raises FetchError: it cannot be read, or is larger.
    """
    with _opened(address) as (stream, _), _errors(address):
        data = stream.read(limit + 1)
    if len(data) > limit:
        raise FetchError(f"{shown(address)} has more than the {limit} bytes that are allowed")
    return data


def read_blocks(address: str, start: int, size: int) -> Iterator[bytes]:
    """Yield a file of ``size`` bytes from ``start`` on, in blocks.

    :raises NotFoundError: there is none.
    :raises FetchError: it cannot be read, or has another size.
    """
    with _opened(address) as (stream, found):
        if found != size:
            raise FetchError(f"{shown(address)} has {found} bytes, where {size} are expected")
        with _errors(address):
            stream.seek(start)
        while start < size:
            with _errors(address):
                block = stream.read(min(_BLOCK, size - start))
            if not block:
                raise FetchError(f"{shown(address)} became shorter while it was read")
            start += len(block)
            yield block


@contextlib.contextmanager
def _opened(address: str) -> Iterator[tuple[BinaryIO, int]]:
    """Open a regular file; with it comes its size."""
    path = file_path(address)
    with _errors(address):
        status = path.stat()
        # A pipe would be waited for, a directory fail later with a riddle.
        if not stat.S_ISREG(status.st_mode):
            raise FetchError(f"cannot read {shown(address)}: it is no regular file")
        stream = path.open("rb")
    with stream:
        yield stream, status.st_size


@contextlib.contextmanager
def _errors(address: str) -> Iterator[None]:
    try:
        yield
    except (FileNotFoundError, NotADirectoryError) as error:
        raise NotFoundError(f"{shown(address)} is not there") from error
    except OSError as error:
        raise FetchError(f"cannot read {shown(address)}: {error.strerror or error}") from error
