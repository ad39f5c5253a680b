"""Sections and symbols against an independent ELF reader."""

from __future__ import annotations

import io
from typing import Final

import pytest
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from rdcompose.formats.elf_sections import read_relocatable
from tests.support.kernels import unpacked

pytestmark = pytest.mark.reference

KERNELS: Final = (
    ("bookworm", "amd64", "linux-image-cloud-amd64"),
    ("bookworm", "armhf", "linux-image-armmp"),
)
SPECIAL: Final = {"SHN_UNDEF": 0, "SHN_ABS": 0xFFF1, "SHN_COMMON": 0xFFF2}


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: f"{kernel[0]}-{kernel[1]}")
def test_sections_and_symbols(kernel: tuple[str, str, str]) -> None:
    every = sorted(unpacked(*kernel).rglob("*.ko"))
    for path in every[:: len(every) // 8]:
        data = path.read_bytes()
        file = read_relocatable(data)
        other = ELFFile(io.BytesIO(data))
        wanted = [b".symtab", b".strtab", b".modinfo", b"__versions", b".rodata"]
        found = file.sections(wanted)
        for name in wanted:
            section = other.get_section_by_name(name.decode())
            assert found.get(name) == (None if section is None else section.data()), (path, name)
        table = other.get_section_by_name(".symtab")
        assert isinstance(table, SymbolTableSection)
        symbols = file.symbols(found)
        theirs = list(table.iter_symbols())
        assert len(symbols.offsets) == len(theirs)
        for index, symbol in enumerate(theirs):
            number = symbol["st_shndx"]
            assert symbols.value(index) == (SPECIAL.get(number, number), symbol["st_value"])
            if symbol["st_name"]:
                name_there = table.stringtable.get_string(symbol["st_name"])
                assert symbols.name(symbols.offsets[index]).decode() == name_there
