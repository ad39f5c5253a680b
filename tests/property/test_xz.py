"""xz: any blocks come back in order with any number of threads, and damage is noticed."""

from __future__ import annotations

import io
import lzma

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rdcompose.errors import FormatError, RdcomposeError
from rdcompose.formats import xz
from tests.formats.test_xz import multi_block

PARTS = st.lists(st.binary(min_size=1, max_size=300), min_size=1, max_size=5)
CHECKS = st.sampled_from([lzma.CHECK_NONE, lzma.CHECK_CRC32, lzma.CHECK_CRC64])


def decode(data: bytes, threads: int) -> bytes:
    return b"".join(xz.decode(io.BytesIO(data), 0, len(data), threads=threads))


@given(st.lists(st.tuples(PARTS, CHECKS), min_size=1, max_size=3), st.integers(1, 3))
@settings(max_examples=60, deadline=None)
def test_there_and_back(streams: list[tuple[list[bytes], int]], threads: int) -> None:
    data = b"".join(multi_block(parts, check) for parts, check in streams)
    plain = b"".join(part for parts, _ in streams for part in parts)
    assert lzma.decompress(data) == plain
    assert decode(data, threads) == plain


@given(PARTS, st.data())
@settings(max_examples=200, deadline=None)
def test_damage(parts: list[bytes], data: st.DataObject) -> None:
    packed = bytearray(multi_block(parts))
    place = data.draw(st.integers(0, len(packed) - 1))
    packed[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(RdcomposeError):
        decode(bytes(packed), data.draw(st.integers(1, 2)))


@given(st.binary(max_size=100))
@settings(max_examples=100)
def test_arbitrary_bytes(data: bytes) -> None:
    for packed in (data, xz.MAGIC + data, data + xz.FOOTER_MAGIC):
        with pytest.raises(FormatError):
            decode(packed, 1)
