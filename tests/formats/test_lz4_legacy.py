from __future__ import annotations

import io

import pytest

from rdcompose.errors import FormatError
from rdcompose.formats.lz4_legacy import BLOCK, MAGIC, decode, encode


def test_blocks_and_where_they_end() -> None:
    data = bytes(BLOCK) + b"end"
    packed = encode(data, 1)
    rows = list(decode(io.BytesIO(b"1234" + packed + MAGIC), 4, 4 + len(packed) + 4))
    assert b"".join(piece for piece, _ in rows) == data
    assert [len(piece) for piece, _ in rows] == [BLOCK, 3]
    assert rows[-1][1] == len(packed)


def test_a_cut_block() -> None:
    packed = encode(b"123", 1)
    with pytest.raises(FormatError, match="cut short"):
        list(decode(io.BytesIO(packed), 0, len(packed) - 1))
