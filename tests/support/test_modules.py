from __future__ import annotations

import io
from typing import Any, Literal

import pytest
from elftools.elf.elffile import ELFFile

from tests.support.modules import EM_AARCH64, SIGNATURE_MARKER, make_ko


def parsed(data: bytes) -> Any:
    return ELFFile(io.BytesIO(data))


@pytest.mark.parametrize("bits", [32, 64])
@pytest.mark.parametrize("byteorder", ["little", "big"])
def test_an_independent_reader_finds_what_was_asked_for(
    bits: int, byteorder: Literal["little", "big"]
) -> None:
    data = make_ko(
        {"license": "GPL", "depends": ""},
        ["one"],
        ["two"],
        weak_imports=["three"],
        versions=["module_layout"],
        bits=bits,
        byteorder=byteorder,
        machine=EM_AARCH64,
        padding=5,
    )
    elf = parsed(data)
    assert elf.elfclass == bits
    assert elf.little_endian == (byteorder == "little")
    assert (elf["e_type"], elf["e_machine"]) == ("ET_REL", "EM_AARCH64")
    assert elf.get_section_by_name(".modinfo").data() == b"license=GPL\0depends=\0"
    assert elf.get_section_by_name("__ksymtab_strings").data() == b"one\0"
    assert b"module_layout\0" in elf.get_section_by_name("__versions").data()
    assert elf.get_section_by_name(".text").data_size == 5
    symbols = elf.get_section_by_name(".symtab").iter_symbols()
    assert [(symbol.name, symbol["st_shndx"], symbol["st_info"]["bind"]) for symbol in symbols] == [
        ("", "SHN_UNDEF", "STB_LOCAL"),
        ("__crc_one", "SHN_ABS", "STB_GLOBAL"),
        ("two", "SHN_UNDEF", "STB_GLOBAL"),
        ("three", "SHN_UNDEF", "STB_WEAK"),
    ]


def test_modinfo_may_be_given_in_three_ways() -> None:
    as_mapping = make_ko({"a": "1", "b": "2=3"})
    assert as_mapping == make_ko([("a", "1"), ("b", "2=3")])
    assert as_mapping == make_ko(["a=1", "b=2=3"])


def test_exports_without_crcs() -> None:
    elf = parsed(make_ko(exports=["one"], crcs=False))
    assert elf.get_section_by_name(".symtab").num_symbols() == 1
    assert elf.get_section_by_name("__ksymtab_strings").data() == b"one\0"


def test_a_signature_stands_behind_the_elf_file() -> None:
    plain = make_ko({"name": "x"})
    signed = make_ko({"name": "x"}, signature=b"sig")
    assert signed.startswith(plain + b"sig")
    assert signed.endswith(SIGNATURE_MARKER)
    assert signed[len(plain) + 3 : -len(SIGNATURE_MARKER)] == bytes(
        [0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 3]
    )
