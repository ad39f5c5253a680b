"""Bytes that arrive in pieces of whatever size, read from front to back."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from rdcompose.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_ZEROS: Final = re.compile(rb"\0*")


class ByteStream:
    """Reads pieces as one stream; ``position`` is the offset of the next byte.

    ``start`` bytes of the first piece are left out; positions count from there on, so that they
    are offsets of what the pieces are from. At most one piece is held. Damage at which the pieces
    end is told at each attempt to read on.
    """

    __slots__ = ("_at", "_damage", "_piece", "_pieces", "position")

    def __init__(self, pieces: Iterable[bytes], *, start: int = 0, position: int = 0) -> None:
        self._pieces = iter(pieces)
        self._damage: FormatError | None = None
        self._piece = self._next() or b"" if start else b""
        self._at = start
        self.position = position or start

    def _next(self) -> bytes | None:
        if self._damage is not None:
            raise self._damage
        try:
            return next(self._pieces, None)
        except FormatError as error:
            # What has failed has ended, too, and would look as if that were all.
            self._damage = error
            raise

    def _more(self) -> bool:
        """Go on to the next piece with something in it; whether there is one."""
        while self._at >= len(self._piece):
            piece = self._next()
            if piece is None:
                return False
            self._piece, self._at = piece, 0
        return True

    def read(self, size: int) -> bytes:
        """Return the next bytes, fewer only at the end."""
        at = self._at
        if at + size <= len(self._piece):
            self._at = at + size
            self.position += size
            return self._piece[at : at + size]
        return b"".join(self.pieces(size))

    def pieces(self, size: int) -> Iterator[bytes]:
        """Yield the next bytes as they come, fewer only at the end; none is empty."""
        while size > 0 and self._more():
            piece = self._piece[self._at : self._at + size]
            self._at += len(piece)
            self.position += len(piece)
            size -= len(piece)
            yield piece

    def skip(self, size: int) -> int:
        """Leave bytes out; return how many there were, fewer only at the end."""
        left = size
        while left > 0 and self._more():
            step = min(left, len(self._piece) - self._at)
            self._at += step
            self.position += step
            left -= step
        return size - left

    def peek(self, size: int) -> bytes:
        """Return the next bytes without taking them, fewer only at the end."""
        if self._more() and self._at + size > len(self._piece):
            rest = self._piece[self._at :]
            while len(rest) < size and (piece := self._next()) is not None:
                rest += piece
            self._piece, self._at = rest, 0
        return self._piece[self._at : self._at + size]

    def skip_zeros(self) -> bool:
        """Leave out all zero bytes that follow; whether anything is behind them."""
        while self._more():
            found = _ZEROS.match(self._piece, self._at)
            end = found.end() if found is not None else self._at
            self.position += end - self._at
            self._at = end
            if end < len(self._piece):
                return True
        return False
