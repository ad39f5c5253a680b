"""Whatever the bytes: notes are read, or refused; what is written is found again."""

from __future__ import annotations

import struct

from hypothesis import given, settings
from hypothesis import strategies as st

from rdcompose.errors import FormatError
from rdcompose.formats.elf_notes import Note, pvh_entry, read_notes
from tests.support.images import elf_note, make_elf_kernel

PLAIN = make_elf_kernel(
    elf_note(b"Linux", 256, b"6.12\0") + elf_note(b"Xen", 18, struct.pack("<Q", 4096))
)
PATCHES = st.lists(st.tuples(st.integers(0, 0xB0), st.binary(min_size=1, max_size=8)), max_size=4)
NOTES = st.lists(
    st.tuples(
        st.binary(max_size=9).map(lambda name: name.replace(b"\0", b"x")),
        st.integers(0, 0xFFFFFFFF),
        st.binary(max_size=40),
    ),
    max_size=9,
)


@settings(max_examples=200, deadline=None)
@given(patches=PATCHES, end=st.integers(0, 300))
def test_damaged_files(patches: list[tuple[int, bytes]], end: int) -> None:
    data = bytearray(PLAIN)
    for offset, value in patches:
        data[offset : offset + len(value)] = value
    try:
        pvh_entry(bytes(data[: len(data) - end]))
    except FormatError as error:
        # One line that a person can read, however long or odd the input.
        assert "\n" not in error.message  # noqa: PT017 - refusing is one of two good ends
        assert len(error.message) < 300  # noqa: PT017


@settings(max_examples=100, deadline=None)
@given(NOTES, st.sampled_from([32, 64]), st.sampled_from("<>"), st.sampled_from([4, 8]))
def test_notes_are_found_again(
    notes: list[tuple[bytes, int, bytes]], bits: int, order: str, align: int
) -> None:
    written = b"".join(elf_note(*note, order=order, align=align) for note in notes)
    data = make_elf_kernel(written, bits=bits, order=order, align=align)
    assert read_notes(data) == tuple(Note(*note) for note in notes)
