"""ar: what is written is read, and arbitrary bytes raise nothing but our own errors."""

from __future__ import annotations

import io

from hypothesis import given, settings
from hypothesis import strategies as st

from rdcompose.errors import FormatError, UnsupportedError
from rdcompose.formats.ar import MAGIC, iter_members
from tests.support.debs import make_ar

NAMES = st.text("abcdefghijklmnopqrstuvwxyz.-_0123456789", min_size=1, max_size=16)
MEMBERS = st.lists(st.tuples(NAMES, st.binary(max_size=40)), max_size=6)


@given(MEMBERS)
@settings(max_examples=100)
def test_there_and_back(members: list[tuple[str, bytes]]) -> None:
    data = make_ar(members)
    found = list(iter_members(io.BytesIO(data)))
    assert [(m.name, data[m.offset : m.offset + m.size]) for m in found] == members


@given(MEMBERS, st.data())
@settings(max_examples=300)
def test_damage(members: list[tuple[str, bytes]], data: st.DataObject) -> None:
    # Whatever is changed, members lie within the file and behind each other.
    archive = bytearray(make_ar([("first", b"123"), *members]))
    place = data.draw(st.integers(0, len(archive) - 1))
    archive[place : place + 3] = data.draw(st.binary(max_size=6))
    end = 0
    try:
        for member in iter_members(io.BytesIO(bytes(archive))):
            assert end < member.offset
            end = member.offset + member.size
            assert end <= len(archive)
    except (FormatError, UnsupportedError) as error:
        assert "\n" not in error.message  # noqa: PT017


@given(st.binary(max_size=200))
@settings(max_examples=100)
def test_arbitrary_bytes(data: bytes) -> None:
    for start in (b"", MAGIC):
        try:
            list(iter_members(io.BytesIO(start + data)))
        except (FormatError, UnsupportedError):
            continue
        assert start + data == MAGIC
