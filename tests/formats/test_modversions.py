from __future__ import annotations

import struct
from typing import Literal

import pytest

from rdcompose.errors import FormatError
from rdcompose.formats.modversions import read_versions
from tests.support.modules import EM_AARCH64, Section, VersionForm, make_elf, make_ko, with_crcs

IMPORTS = {"module_layout": 0x1234_5678, "printk": 0xFFFF_FFFF, "a": 1, "ab": 2, "abc": 3, "z": 0}
EXPORTS = {"mine": 0xDEAD_BEEF, "also_mine": 7}


@pytest.mark.parametrize("bits", [32, 64])
@pytest.mark.parametrize("byteorder", ["little", "big"])
@pytest.mark.parametrize("form", ["records", "extended", "chained"])
@pytest.mark.parametrize("crcs", [True, "section"])
def test_all_forms_classes_and_byte_orders(
    bits: int,
    byteorder: Literal["little", "big"],
    form: VersionForm,
    crcs: Literal[True, "section"],
) -> None:
    data = make_ko(
        ["a=b"],
        EXPORTS,
        ["printk"],
        versions=IMPORTS,
        version_form=form,
        crcs=crcs,
        bits=bits,
        byteorder=byteorder,
        machine=EM_AARCH64,
        padding=5,
    )
    versions = read_versions(data)
    assert versions.imports == IMPORTS
    assert list(versions.imports) == list(IMPORTS)
    assert versions.exports == EXPORTS


def test_without_symbol_versions() -> None:
    versions = read_versions(make_ko(["a=b"], ["one"], ["two"], crcs=False))
    assert versions.imports == {}
    assert versions.exports == {}


@pytest.mark.parametrize("machine", [20, 21, 22, 62])
def test_what_must_be_there(machine: int) -> None:
    made = [
        "__this_module",
        "_GLOBAL_OFFSET_TABLE_",
        "_restgpr0_14",
        "__s390_indirect_jump_r1use_14",
    ]
    data = make_ko(
        ["a=b"], (), [".kfree", *made, "_printk"], weak_imports=["maybe"], machine=machine
    )
    assert read_versions(data).needed == ("kfree", "_printk")


def test_a_name_longer_than_a_record() -> None:
    name = "x" * 300
    data = make_ko(["a=b"], versions=[name], version_form="extended")
    assert read_versions(data).imports == with_crcs([name])


def test_the_dot_of_powerpc_is_no_part_of_the_name() -> None:
    assert read_versions(make_ko(["a=b"], versions={".kfree": 5})).imports == {"kfree": 5}


def of_sections(*sections: Section) -> bytes:
    own = [*sections, Section(".symtab", bytes(24), 2), Section(".strtab", b"\0", 3)]
    return make_elf(own, bits=64, order="<", machine=62, elf_type=1)


def record(crc: int, name: bytes) -> bytes:
    return struct.pack("<Q56s", crc, name)


def test_the_extended_form_counts_alone() -> None:
    data = of_sections(
        Section("__versions", record(1, b"old") + record(2, b"both")),
        Section("__version_ext_crcs", struct.pack("<I", 3)),
        Section("__version_ext_names", b"both\0more\0"),
    )
    assert read_versions(data).imports == {"both": 3}


def test_of_two_versions_of_a_symbol_the_first_counts() -> None:
    data = of_sections(Section("__versions", record(1, b"kfree") + record(2, b"kfree")))
    assert read_versions(data).imports == {"kfree": 1}


def test_records_that_look_like_a_chain_at_first() -> None:
    # The CRC of the first is the length that a record with this name would have.
    rows = record(16, b"a") + record(2, b"b")
    assert read_versions(of_sections(Section("__versions", rows))).imports == {"a": 16, "b": 2}


HOSTILE = {
    "odd size": (Section("__versions", bytes(63)), "63 bytes are of an unknown form"),
    "no name": (Section("__versions", record(1, b"a") + record(2, b"")), "number 1 is damaged"),
    "endless name": (Section("__versions", record(1, b"x" * 56)), "number 0 is damaged"),
    "large CRC": (Section("__versions", record(1 << 32, b"a")), "number 0 is damaged"),
    "crcs only": (Section("__version_ext_crcs", bytes(4)), "4 bytes of symbol versions for 0"),
    "odd crcs": (Section("__version_ext_crcs", bytes(3)), "3 bytes of symbol versions"),
    "broken chain": (
        Section("__versions", struct.pack("<II4s", 12, 5, b"abc") + bytes([8, 0, 0, 0, 1])),
        "17 bytes are of an unknown form",
    ),
}


@pytest.mark.parametrize(("section", "message"), HOSTILE.values(), ids=HOSTILE.keys())
def test_damaged_versions(section: Section, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        read_versions(of_sections(section))


def test_a_crc_outside_of_its_section() -> None:
    data = bytearray(make_ko(["a=b"], {"one": 9, "two": 8}, crcs="section"))
    symbol = data.index(struct.pack("<IBBHQ", 11, 16, 0, 1, 4))
    data[symbol + 8] = 5
    with pytest.raises(FormatError, match="version at 5 is outside of its section, which has 8"):
        read_versions(bytes(data))


@pytest.mark.parametrize("number", [99, 0x0200])
def test_a_crc_in_no_section(number: int) -> None:
    data = bytearray(make_ko(["a=b"], {"one": 9}, crcs="section"))
    symbol = data.index(struct.pack("<IBBHQ", 1, 16, 0, 1, 0))
    struct.pack_into("<H", data, symbol + 6, number)
    with pytest.raises(FormatError, match=f"section {number} of"):
        read_versions(bytes(data))


def test_what_is_no_module_is_refused() -> None:
    with pytest.raises(FormatError, match="not an ELF file"):
        read_versions(b"#!/bin/sh")
