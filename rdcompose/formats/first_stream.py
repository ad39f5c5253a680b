"""The first stream or frame of compressed data within a file, decoded piece by piece.

What follows it need not be compressed, nor be known: where it ends shows when it has been decoded.
What can be decoded of a stream that is cut or damaged comes before the error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO, Final

from rdcompose.errors import FormatError
from rdcompose.formats import decoding, lz4_legacy, zstd

if TYPE_CHECKING:
    from collections.abc import Iterator

_STREAMS: Final = {
    kind.name: kind for kind in (decoding.GZIP, decoding.BZIP2, decoding.LZMA, decoding.XZ)
}


class FirstStream:
    """Yields what the stream at an offset of a file holds, in pieces of at most 8 MiB.

    ``name`` is that of a compressor of the table. ``size`` is how many bytes the stream takes,
    once all of it has been decoded; until then, how many of them were looked at.

    The pieces raise :class:`FormatError` where it is damaged or cut, and
    :class:`UnsupportedError` if the library for this compressor is not installed.
    """

    def __init__(self, name: str, source: BinaryIO, offset: int, end: int) -> None:
        self.size = 0
        self._source = source
        self._offset = offset
        self._end = end
        self._name = name

    def __iter__(self) -> Iterator[bytes]:
        if self._name == "zstd":
            return self._zstd()
        if self._name == "lz4":
            return self._lz4()
        return self._stream(_STREAMS[self._name])

    def _stream(self, kind: decoding.Format) -> Iterator[bytes]:
        decoder = kind.open()
        chunks = decoding.read_range(self._source, self._offset, self._end - self._offset)
        for chunk in chunks:
            self.size += len(chunk)
            yield from decoding.drive(kind, decoder, chunk)
            if decoder.eof:
                self.size -= len(decoder.unused_data)
                return
        raise decoding.cut(kind.name)

    def _zstd(self) -> Iterator[bytes]:
        broken: FormatError | None = None
        try:
            frame = zstd.read_frame(self._source, self._offset, self._end)
        except FormatError as error:
            frame, broken = zstd.Frame(self._offset, self._end - self._offset, None), error
        self.size = frame.size
        yield from zstd.decode_frame(self._source, frame)
        if broken is not None:
            raise broken

    def _lz4(self) -> Iterator[bytes]:
        for piece, size in lz4_legacy.decode(self._source, self._offset, self._end):
            self.size = size
            yield piece
