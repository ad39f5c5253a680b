"""What is in a relocatable file; what read_module makes of damaged ones is in test_elf."""

from __future__ import annotations

from typing import Literal

import pytest

from rdcompose.errors import FormatError
from rdcompose.formats.elf_sections import read_relocatable
from tests.support.modules import EM_AARCH64, Section, make_elf, make_ko

WANTED = (b".symtab", b".strtab", b".modinfo", b".missing")


@pytest.mark.parametrize("bits", [32, 64])
@pytest.mark.parametrize("byteorder", ["little", "big"])
def test_all_classes_and_byte_orders(bits: int, byteorder: Literal["little", "big"]) -> None:
    data = make_ko(
        ["a=b"], {"one": 77}, ["two"], bits=bits, byteorder=byteorder, machine=EM_AARCH64
    )
    file = read_relocatable(data)
    assert (file.machine, file.layout.bits, file.layout.byteorder) == (EM_AARCH64, bits, byteorder)
    found = file.sections(WANTED)
    assert sorted(found) == [b".modinfo", b".strtab", b".symtab"]
    assert found[b".modinfo"] == b"a=b\0"
    symbols = file.symbols(found)
    assert [symbols.name(at) for at in symbols.offsets] == [b"", b"__crc_one", b"two"]
    assert [symbols.value(index) for index in range(3)] == [(0, 0), (0xFFF1, 77), (0, 0)]
    assert symbols.places(b"__crc_") == {1}
    assert symbols.places(b"o") == {7, 13}


def test_a_section_by_its_number() -> None:
    sections = [Section("one", b"1"), Section("two", b"22"), Section("bss", b"", 8)]
    file = read_relocatable(make_elf(sections, bits=64, order="<", machine=62, elf_type=1))
    assert file.section(2) == b"22"
    with pytest.raises(FormatError, match="section number 3 has no content"):
        file.section(3)
    with pytest.raises(FormatError, match="a symbol is in section 5 of 5"):
        file.section(5)
