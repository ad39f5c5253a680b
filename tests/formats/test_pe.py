"""rdcompose.formats.pe"""

from __future__ import annotations

import struct

import pytest

from rdcompose.errors import FormatError, UnsupportedError
from rdcompose.formats.pe import (
    NX_COMPAT,
    NewSection,
    Section,
    add_sections,
    checksum,
    content_of,
    is_pe,
    read_pe,
    rename_section,
)
from tests.support.efi import MAGIC, SBAT, SECTIONS, make_pe

PLAIN = make_pe()
# Offsets in it: the COFF header, the optional header, the table of sections.
COFF, HEADER, TABLE = 0x44, 0x58, 0x58 + 240


def patched(offset: int, form: str, *values: int, data: bytes = PLAIN) -> bytes:
    out = bytearray(data)
    struct.pack_into(form, out, offset, *values)
    return bytes(out)


def contents(data: bytes) -> dict[str, bytes]:
    return {row.name: content_of(data, row) for row in read_pe(data).sections}


@pytest.mark.parametrize("wide", [True, False], ids=["PE32+", "PE32"])
def test_headers(wide: bool) -> None:
    data = make_pe(wide=wide)
    found = read_pe(data)
    assert (found.machine, found.subsystem, found.characteristics) == (0x8664, 10, 0x160)
    assert (found.section_alignment, found.file_alignment, found.signed) == (4096, 512, False)
    assert found.sections == (
        Section(".text", 700, 0x1000, 1024, 0x600),
        Section(".sbat", len(SBAT), 0x2000, 512, 0xA00),
        Section(".sdmagic", len(MAGIC), 0x3000, 512, 0xC00),
    )
    assert contents(data) == SECTIONS
    assert found.section(".sbat") == found.sections[1]
    assert found.section(".none") is None
    assert found.room == (0x600 - found.table) // 40 - 3


@pytest.mark.parametrize("wide", [True, False], ids=["PE32+", "PE32"])
def test_sections_are_added_behind_the_others(wide: bool) -> None:
    data = make_pe(wide=wide)
    out = add_sections(data, [NewSection(".one", b"1" * 5000), NewSection(".two", b"2", code=True)])
    found = read_pe(out)
    assert found.sections[:3] == read_pe(data).sections
    assert found.sections[3:] == (
        Section(".one", 5000, 0x4000, 5120, 0xE00),
        Section(".two", 1, 0x6000, 512, 0x2200),
    )
    assert contents(out) == {**SECTIONS, ".one": b"1" * 5000, ".two": b"2"}
    assert len(out) == 0x2400
    kinds = [struct.unpack_from("<I", out, found.table + 40 * n + 36)[0] for n in (3, 4)]
    assert kinds == [0x40000040, 0x40000020]
    # SizeOfInitializedData, SizeOfImage, SizeOfHeaders
    assert struct.unpack_from("<I", out, HEADER + 8) == (0x1000 + 5001,)
    assert struct.unpack_from("<II", out, HEADER + 56) == (0x7000, 0x600)


def test_a_section_that_is_there_gets_the_new_content() -> None:
    out = add_sections(PLAIN, [NewSection(".sbat", b"new")])
    assert contents(out) == {**SECTIONS, ".sbat": b"new"}
    row = read_pe(out).sections[1]
    assert out[row.offset : row.offset + row.file_size] == b"new".ljust(512, b"\0")
    with pytest.raises(FormatError, match=r"section \.sbat of .* room for 512 bytes, not for 513"):
        add_sections(PLAIN, [NewSection(".sbat", bytes(513))])


def test_symbols_at_the_end_are_cut_off() -> None:
    data = make_pe(symbols=5)
    assert read_pe(data).symbols == (0xE00, 5)
    out = add_sections(data, [NewSection(".one", b"1")])
    assert read_pe(out).symbols == (0, 0)
    assert out == add_sections(PLAIN, [NewSection(".one", b"1")])


@pytest.mark.parametrize("data", [make_pe(symbols=5) + b"more", make_pe(symbols=5)[:-20]])
def test_symbols_elsewhere_stay(data: bytes) -> None:
    out = add_sections(data, [NewSection(".one", b"1")])
    assert read_pe(out).symbols == (0xE00, 5)
    assert contents(out)[".one"] == b"1"
    assert read_pe(out).sections[3].offset % 512 == 0


def test_characteristics_can_be_taken_away() -> None:
    assert read_pe(add_sections(PLAIN, [], without=NX_COMPAT)).characteristics == 0x60
    assert read_pe(add_sections(PLAIN, [])).characteristics == 0x160


def slow_checksum(data: bytes) -> int:
    total = 0
    for (word,) in struct.iter_unpack("<H", data + bytes(len(data) % 2)):
        total += word
        total = (total & 0xFFFF) + (total >> 16)
    return total + len(data)


@pytest.mark.parametrize("data", [b"", b"\1", bytes(8), b"\xff" * 8, b"\xff\xff\1", PLAIN])
def test_checksum(data: bytes) -> None:
    assert checksum(data) == slow_checksum(data)


def test_the_checksum_is_that_of_the_file_with_none() -> None:
    out = add_sections(PLAIN, [NewSection(".one", b"1" * 4097)])
    (found,) = struct.unpack_from("<I", out, HEADER + 64)
    assert found == slow_checksum(patched(HEADER + 64, "<I", 0, data=out))


def test_headers_without_room() -> None:
    small = make_pe(headers=0x200)
    room = read_pe(small).room
    assert room == (0x200 - TABLE) // 40 - 3
    fitting = [NewSection(f".{number}", b"x") for number in range(room)]
    assert list(contents(add_sections(small, fitting)))[3:] == [row.name for row in fitting]
    with pytest.raises(FormatError, match=r"no room for all of \.0, \.more"):
        add_sections(small, [*fitting, NewSection(".more", b"")])


def test_room_ends_where_a_section_begins() -> None:
    used = TABLE + 3 * 40
    # What the headers say of themselves is less, or more.
    assert read_pe(patched(HEADER + 60, "<I", 0x201)).room == (0x400 - used) // 40
    assert read_pe(patched(HEADER + 60, "<I", 0x800)).room == (0x600 - used) // 40
    early = patched(TABLE + 20, "<I", used + 45)
    assert read_pe(early).room == 1
    assert read_pe(patched(TABLE + 16, "<II", 0, 0)).room == (0x600 - used) // 40
    out = add_sections(patched(HEADER + 60, "<I", 0x5F0), [])
    assert struct.unpack_from("<I", out, HEADER + 60) == (0x600,)


def test_what_is_in_memory_only_is_no_content() -> None:
    longer = patched(TABLE + 8, "<I", 5000)
    assert contents(longer)[".text"] == SECTIONS[".text"].ljust(1024, b"\0")


def test_data_directories_that_are_not_there_say_nothing() -> None:
    signed = make_pe(signature=b"signature")
    assert not read_pe(patched(HEADER + 108, "<I", 4, data=signed)).signed
    # Of a header that ends before it, the next bytes are those of a section.
    short = bytearray(make_pe({}))
    struct.pack_into("<H", short, COFF + 16, 112 + 4 * 8)
    struct.pack_into("<Q", short, HEADER + 112 + 4 * 8, 1)
    assert not read_pe(bytes(short)).signed


def test_a_program_that_would_be_too_big() -> None:
    last = patched(TABLE + 80 + 8, "<I", 0x7FFFC000)
    with pytest.raises(FormatError, match=r"would be too big with \.one"):
        add_sections(last, [NewSection(".one", bytes(0x1000))])


def test_a_signed_program_is_refused() -> None:
    signed = make_pe(signature=b"signature")
    assert read_pe(signed).signed
    with pytest.raises(UnsupportedError, match="is signed"):
        add_sections(signed, [])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "no EFI program: it starts with nothing"),
        (b"\x7fELF" + bytes(100), "no EFI program: it starts with 7f 45 4c 46"),
        (b"MZ" + bytes(200), "no EFI program: it starts with 4d 5a 00 00"),
        (patched(0x3C, "<I", 0xFFFFFFF0), "no EFI program"),
        (PLAIN[:0xA0], "is cut in its headers"),
        (patched(HEADER, "<H", 0x107), "an optional header of the unknown kind 0x107"),
        (patched(COFF + 16, "<H", 64), "an optional header of the unknown kind 0x20b"),
        (patched(COFF + 2, "<H", 97), "is cut: its 97 section headers are at 328"),
        (PLAIN[: TABLE + 50], "is cut: its 3 section headers are at 328"),
        (patched(HEADER + 32, "<I", 0), "is aligned to 0, which is no power of two"),
        (patched(HEADER + 36, "<I", 9), "is aligned to 9, which is no power of two"),
        (PLAIN[:-1], r"its section '.sdmagic' of 512 bytes is at 3072"),
        (patched(TABLE + 20, "<I", 0xFFFFFF00), "its section '.text' of 1024 bytes"),
    ],
)
def test_damage(data: bytes, message: str) -> None:
    with pytest.raises(FormatError) as caught:
        read_pe(data)
    assert message in caught.value.message


def test_what_a_program_starts_with() -> None:
    assert is_pe(PLAIN)
    assert not is_pe(b"MZ")


def test_a_section_gets_another_name() -> None:
    row = read_pe(PLAIN).sections[1]
    found = contents(rename_section(PLAIN, row, ".other"))
    assert list(found) == [".text", ".other", ".sdmagic"]
    assert found[".other"] == SBAT
