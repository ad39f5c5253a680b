"""rdcompose.formats.elf_notes"""

from __future__ import annotations

import struct

import pytest

from rdcompose.errors import FormatError
from rdcompose.formats.elf_notes import Note, entry_address, pvh_entry, read_notes
from tests.support.images import elf_note, make_elf_kernel

XEN_PVH = elf_note(b"Xen", 18, struct.pack("<Q", 0x1000B20))
NAMED = elf_note(b"Linux", 256, b"6.12.57\0")


@pytest.mark.parametrize("bits", [32, 64])
@pytest.mark.parametrize("order", ["<", ">"])
def test_notes_are_read_in_their_order(bits: int, order: str) -> None:
    notes = elf_note(b"GNU", 3, b"abc", order=order) + elf_note(b"Xen", 6, b"", order=order)
    data = make_elf_kernel(notes, bits=bits, order=order, entry=0x1234)
    assert read_notes(data) == (Note(b"GNU", 3, b"abc"), Note(b"Xen", 6, b""))
    assert entry_address(data) == 0x1234
    assert pvh_entry(data) is None


@pytest.mark.parametrize(
    ("order", "form"), [("<", "I"), ("<", "Q"), (">", "I")], ids=["4 bytes", "8 bytes", "big"]
)
def test_the_pvh_entry(order: str, form: str) -> None:
    note = elf_note(b"Xen", 18, struct.pack(order + form, 0x1000B20), order=order)
    notes = elf_note(b"Linux", 18, b"1234", order=order) + note
    assert pvh_entry(make_elf_kernel(notes, order=order)) == 0x1000B20


def test_a_pvh_note_of_a_strange_size_is_none() -> None:
    assert pvh_entry(make_elf_kernel(elf_note(b"Xen", 18, b"123"))) is None


def test_notes_aligned_to_eight_bytes() -> None:
    notes = elf_note(b"abcde", 5, b"12345", align=8) + elf_note(
        b"Xen", 18, bytes(7) + b"\1", align=8
    )
    data = make_elf_kernel(notes, align=8)
    assert [note.kind for note in read_notes(data)] == [5, 18]


def test_without_segments_there_are_no_notes() -> None:
    assert read_notes(make_elf_kernel(None)) == ()


def _patched(data: bytes, offset: int, value: bytes) -> bytes:
    return data[:offset] + value + data[offset + len(value) :]


PLAIN = make_elf_kernel(NAMED)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "no ELF file: it starts with nothing"),
        (b"MZ\0\0\0\0", "no ELF file: it starts with 4d 5a 00 00 00 00"),
        (_patched(PLAIN, 4, b"\3"), "no ELF file: it starts with 7f 45 4c 46 03 01"),
        (_patched(PLAIN, 5, b"\0"), "no ELF file: it starts with 7f 45 4c 46 02 00"),
        (PLAIN[:40], "the ELF header is cut off after 40 bytes"),
        (_patched(PLAIN, 54, b"\7\0"), "the ELF file has 1 segments with headers of 7 bytes"),
        (_patched(PLAIN, 56, b"\1\2"), "the ELF file has 513 segments with headers of 56 bytes"),
        (_patched(PLAIN, 32, b"\xff" * 7), "the ELF file is cut: its program headers are at "),
        (_patched(PLAIN, 64 + 32, b"\xff\xff"), "the ELF file is cut: its notes of 65535 bytes"),
        (_patched(PLAIN, 120 + 4, b"\xff"), "the ELF note at offset 0 of its segment is cut"),
        (make_elf_kernel(elf_note(b"x", 1, b"") * 1100), "over 1024 notes in a segment"),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else "",
)
def test_damage(data: bytes, message: str) -> None:
    with pytest.raises(FormatError) as caught:
        read_notes(data)
    assert message in caught.value.message
