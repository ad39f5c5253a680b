"""Contents that stay in the files where they are, until they are written."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from rdcompose.errors import FormatError
from rdcompose.tree import Pieces

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_PIECE = 1 << 20


class Part(NamedTuple):
    """``size`` bytes of a file at ``position``, for the offset ``start`` of the content."""

    start: int
    position: int
    size: int


def file_content(path: Path, size: int) -> Pieces:
    """Return a file as a content; it is opened when it is read.

    What has fewer bytes by then is an error of whoever writes the content.
    """

    def read() -> Iterator[bytes]:
        with path.open("rb") as source:
            while piece := source.read(_PIECE):
                yield piece

    return Pieces(size, read)


def part_content(descriptor: int, size: int, parts: Sequence[Part]) -> Pieces:
    """Return parts of an open file as one content; between them are zeros."""

    def read() -> Iterator[bytes]:
        offset = 0
        for part in parts:
            yield from _zeros(part.start - offset)
            yield from _read(descriptor, part)
            offset = part.start + part.size
        yield from _zeros(size - offset)

    return Pieces(size, read)


def _read(descriptor: int, part: Part) -> Iterator[bytes]:
    done = 0
    while done < part.size:
        # Without the file's own position: several threads read.
        piece = os.pread(descriptor, min(_PIECE, part.size - done), part.position + done)
        if not piece:
            raise FormatError(f"the file ends at offset {part.position + done}, too early")
        yield piece
        done += len(piece)


def _zeros(count: int) -> Iterator[bytes]:
    while count > 0:
        yield bytes(min(count, _PIECE))
        count -= _PIECE
