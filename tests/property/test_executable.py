"""Whatever the bytes: a program is judged, or refused as damaged."""

from __future__ import annotations

import contextlib

from hypothesis import given, settings
from hypothesis import strategies as st

from rdcompose.errors import FormatError
from rdcompose.formats.executable import read_executable
from tests.support.programs import make_program

PROGRAMS = [
    make_program(kind=3, interpreter="/lib/ld.so", needed=["libc.so.6"], bits=bits, byteorder=order)
    for bits in (32, 64)
    for order in ("little", "big")
]
# Half of the numbers of a header are small, the hostile ones are extreme.
NUMBERS = st.one_of(
    st.binary(min_size=1, max_size=8),
    st.sampled_from([b"\xff" * 4, b"\xff" * 8, b"\x7f" + b"\xff" * 7, b"\0" * 8]),
)


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(PROGRAMS),
    st.lists(st.tuples(st.integers(4, 300), NUMBERS), max_size=5),
    st.integers(0, 200),
)
def test_damaged_programs(program: bytes, patches: list[tuple[int, bytes]], end: int) -> None:
    data = bytearray(program)
    for offset, value in patches:
        data[offset : offset + len(value)] = value
    with contextlib.suppress(FormatError):
        found = read_executable(bytes(data[: len(data) - end]))
        assert found.bits in {32, 64}


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200))
def test_any_header(rest: bytes) -> None:
    with contextlib.suppress(FormatError):
        read_executable(b"\x7fELF" + rest)
