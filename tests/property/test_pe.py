"""Whatever the bytes: an EFI program is read, or refused as one; what is added is found again."""

from __future__ import annotations

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from rdcompose.errors import FormatError, UnsupportedError
from rdcompose.formats.pe import NewSection, add_sections, content_of, read_pe
from tests.support.efi import make_pe

PLAIN = make_pe()
PATCHES = st.lists(st.tuples(st.integers(0, 0x1D0), st.binary(min_size=1, max_size=8)), max_size=4)


@settings(max_examples=200, deadline=None)
@given(patches=PATCHES, end=st.integers(0, 600))
def test_damaged_programs(patches: list[tuple[int, bytes]], end: int) -> None:
    data = bytearray(PLAIN)
    for offset, value in patches:
        data[offset : offset + len(value)] = value
    try:
        add_sections(bytes(data[: len(data) - end]), [NewSection(".new", b"x" * 600)])
    except (FormatError, UnsupportedError) as error:
        # One line that a person can read, however long or odd the input.
        assert "\n" not in error.message  # noqa: PT017 - refusing is one of two good ends
        assert len(error.message) < 300  # noqa: PT017


@settings(max_examples=100, deadline=None)
@given(st.lists(st.binary(max_size=3000), max_size=8), st.booleans(), st.integers(0, 3))
def test_what_is_added_is_found_again(added: list[bytes], wide: bool, symbols: int) -> None:
    before = make_pe(wide=wide, symbols=symbols)
    new = [NewSection(f".{number}", content) for number, content in enumerate(added)]
    data = add_sections(before, new)
    rows = read_pe(data).sections
    assert [content_of(data, row) for row in rows[3:]] == added
    assert rows[:3] == read_pe(before).sections
    assert len(data) % 512 == 0
    # Nothing overlaps, in memory and in the file.
    for one, next_one in itertools.pairwise(rows):
        assert one.address + one.size <= next_one.address
        assert one.offset + one.file_size <= next_one.offset
