from __future__ import annotations

import bz2
import gzip
import io
import lzma
import random
from typing import TYPE_CHECKING, Final

import pytest

from rdcompose.errors import FormatError
from rdcompose.formats.compression import compress
from rdcompose.formats.first_stream import FirstStream

if TYPE_CHECKING:
    from collections.abc import Callable

DATA: Final = random.Random(0).randbytes(700_000) * 3
PACKERS: Final[dict[str, Callable[[bytes], bytes]]] = {
    "gzip": lambda data: gzip.compress(data, 1, mtime=0),
    "bzip2": bz2.compress,
    "lzma": lambda data: lzma.compress(data, lzma.FORMAT_ALONE, preset=0),
    "xz": lambda data: compress("xz", data, 0),
    "zstd": lambda data: compress("zstd", data, 1),
    "lz4": lambda data: compress("lz4", data, 1),
}


@pytest.mark.parametrize("name", PACKERS)
def test_the_first_of_two(name: str) -> None:
    packed = PACKERS[name](DATA)
    behind = packed if name == "lz4" else b"anything"
    source = io.BytesIO(b"front" + packed + behind)
    stream = FirstStream(name, source, 5, len(source.getvalue()))
    assert b"".join(stream) == DATA
    assert stream.size == len(packed)


@pytest.mark.parametrize("name", PACKERS)
def test_what_is_cut_gives_what_there_is(name: str) -> None:
    packed = PACKERS[name](DATA)[:-50_000]
    pieces: list[bytes] = []
    with pytest.raises(FormatError, match=f"{name} data is cut short"):
        pieces.extend(FirstStream(name, io.BytesIO(packed), 0, len(packed)))
    found = b"".join(pieces)
    assert DATA.startswith(found)
    # Others have blocks that are unpacked whole.
    if name not in {"lz4", "bzip2"}:
        assert len(found) > 100_000


@pytest.mark.parametrize("name", sorted(PACKERS.keys() - {"lz4"}))
def test_pieces_are_bounded(name: str) -> None:
    packed = PACKERS[name](bytes(20 << 20))
    assert max(map(len, FirstStream(name, io.BytesIO(packed), 0, len(packed)))) <= 1 << 20
