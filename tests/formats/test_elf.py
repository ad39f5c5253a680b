from __future__ import annotations

import struct
from typing import Literal

import pytest

from rdcompose.errors import FormatError
from rdcompose.formats.elf import EM_SPARC, EM_SPARCV9, STT_REGISTER, read_module
from tests.support.modules import EM_AARCH64, Section, make_elf, make_ko

MODINFO = [("license", "GPL"), ("alias", "pci:*"), ("alias", "of:N*"), ("vermagic", "6.1 SMP ")]


@pytest.mark.parametrize("bits", [32, 64])
@pytest.mark.parametrize("byteorder", ["little", "big"])
def test_all_classes_and_byte_orders(bits: int, byteorder: Literal["little", "big"]) -> None:
    elf = read_module(
        make_ko(
            MODINFO,
            ["mine", "also_mine"],
            ["printk", "kfree"],
            weak_imports=["maybe"],
            versions=["module_layout", "printk", "kfree", "maybe"],
            bits=bits,
            byteorder=byteorder,
            machine=EM_AARCH64,
            padding=3,
        )
    )
    assert (elf.bits, elf.byteorder, elf.machine) == (bits, byteorder, EM_AARCH64)
    assert elf.modinfo == tuple(MODINFO)
    assert elf.exports == ("mine", "also_mine")
    assert elf.imports == ("printk", "kfree", "maybe", "module_layout")
    assert not elf.signed


def test_values_by_key() -> None:
    elf = read_module(make_ko(MODINFO))
    assert elf.value("alias") == "pci:*"
    assert elf.values("alias") == ("pci:*", "of:N*")
    assert elf.value("depends") is None
    assert elf.values("depends") == ()
    assert elf.vermagic == "6.1 SMP "
    assert read_module(make_ko(["license=GPL"])).vermagic is None


def test_modinfo_values_may_hold_anything_but_nul() -> None:
    elf = read_module(make_ko(["parm=a=b", "flag", "\0\0author=Müller", "empty="]))
    assert elf.modinfo == (("parm", "a=b"), ("flag", ""), ("author", "Müller"), ("empty", ""))
    latin = make_ko(["author=M_ller"]).replace(b"M_ller", b"M\xfcller")
    assert read_module(latin).value("author") == "M\udcfcller"


def test_exports_of_a_kernel_without_symbol_versions() -> None:
    assert read_module(make_ko(["a=b"], ["one", "two"], crcs=False)).exports == ("one", "two")


def test_a_crc_symbol_wins_over_the_list_of_strings() -> None:
    data = make_ko(["a=b"], ["one"]).replace(b"\0one\0", b"\0two\0")
    assert b"\0__crc_one\0" in data
    assert read_module(data).exports == ("one",)


def test_crc_prefix_inside_another_name_is_no_export() -> None:
    elf = read_module(make_ko(["a=b"], ["one"], ["my__crc_x"], crcs=False))
    assert elf.exports == ("one",)
    assert elf.imports == ("my__crc_x",)


def test_crc_names_may_overlap_in_the_string_table() -> None:
    # A linker may let the second symbol be the tail of the first one's name.
    data = bytearray(make_ko(["a=b"], ["_crc_b", "XXX"]))
    names = data.index(b"\0__crc__crc_b\0")
    where = data.index(b"__crc_XXX\0", names) - names
    offset = data.index(struct.pack("<I", where))
    data[offset : offset + 4] = struct.pack("<I", 1 + len("__crc"))
    assert read_module(bytes(data)).exports == ("_crc_b", "b")


def test_nothing_exported_nothing_needed() -> None:
    elf = read_module(make_ko(["a=b"]))
    assert (elf.exports, elf.imports) == ((), ())


@pytest.mark.parametrize("machine", [EM_SPARC, EM_SPARCV9])
def test_sparc_registers_are_no_imports(machine: int) -> None:
    data = bytearray(make_ko(["a=b"], (), ["reg", "printk"], machine=machine, byteorder="big"))
    symbol = data.index(struct.pack(">IB", 1, 1 << 4))
    data[symbol + 4] |= STT_REGISTER
    assert read_module(bytes(data)).imports == ("printk",)
    data[18:20] = struct.pack(">H", EM_AARCH64)
    assert read_module(bytes(data)).imports == ("reg", "printk")


def test_a_section_number_with_a_zero_byte_is_not_undefined() -> None:
    data = bytearray(make_ko(["a=b"], (), ["printk"]))
    section = data.index(struct.pack("<IB", 1, 1 << 4)) + 6
    for number, imports in ((0x0100, ()), (0x0001, ()), (0, ("printk",))):
        data[section : section + 2] = struct.pack("<H", number)
        assert read_module(bytes(data)).imports == imports


def test_versions_that_are_cut_off_are_ignored_as_kmod_does() -> None:
    data = bytearray(make_ko(["a=b"], (), ["printk"], versions=["module_layout"]))
    size = data.rindex(struct.pack("<QQ", data.index(b"module_layout") - 8, 64)) + 8
    data[size] = 63
    assert read_module(bytes(data)).imports == ("printk",)


def test_long_symbol_names() -> None:
    assert read_module(make_ko(["a=b"], (), ["x" * 4096])).imports == ("x" * 4096,)


def test_signature() -> None:
    assert read_module(make_ko(["a=b"], signature=b"\x30\x82")).signed


def test_of_two_sections_with_one_name_the_first_counts() -> None:
    sections = [
        Section(".modinfo", b"name=first\0"),
        Section(".modinfo", b"name=second\0"),
        Section(".symtab", bytes(24), 2),
        Section(".strtab", b"\0", 3),
    ]
    data = make_elf(sections, bits=64, order="<", machine=62, elf_type=1)
    assert read_module(data).modinfo == (("name", "first"),)


def test_a_section_name_may_be_the_tail_of_another() -> None:
    sections = [
        Section(".rela.modinfo", b"name=wrong\0"),
        Section(".modinfo", b"name=right\0"),
        Section(".symtab", bytes(24), 2),
        Section(".strtab", b"\0", 3),
    ]
    data = make_elf(sections, bits=64, order="<", machine=62, elf_type=1)
    assert read_module(data).modinfo == (("name", "right"),)


def module_of(*sections: Section) -> bytes:
    return make_elf(sections, bits=64, order="<", machine=62, elf_type=1)


def patched(offset: int, layout: str, value: int) -> bytes:
    data = bytearray(make_ko(["a=b"], ["one"], ["printk"]))
    struct.pack_into(layout, data, offset, value)
    return bytes(data)


INFO = Section(".modinfo", b"a=b\0")
TABLE = Section(".symtab", bytes(24), 2)
NAMES = Section(".strtab", b"\0", 3)
SYMBOL = struct.pack("<IBBHQQ", 1, 16, 0, 0, 0, 0)

HOSTILE = {
    "empty": (b"", "not an ELF file"),
    "xz": (b"\xfd7zXZ\0" + bytes(90), "not an ELF file"),
    "class": (patched(4, "B", 3), "not an ELF file"),
    "byte order": (patched(5, "B", 0), "not an ELF file"),
    "cut in the ident": (b"\x7fELF\2\1\1", "header is cut off after 7 bytes"),
    "cut in the header": (make_ko(["a=b"])[:63], "header is cut off after 63 bytes"),
    "version": (patched(20, "<I", 9), "ELF version 9"),
    "program": (make_ko(["a=b"], elf_type=2), "the ELF type is 2"),
    "cut in the body": (make_ko(["a=b"])[:100], "go beyond the end at 100"),
    "headers far away": (patched(40, "<Q", 2**64 - 1), "go beyond the end"),
    "many headers": (patched(60, "<H", 0xFFFF), "65535 section headers"),
    "no headers": (patched(60, "<H", 0), "section names are in section"),
    "small headers": (patched(58, "<H", 40), "section headers of 40 bytes, not 64"),
    "names outside": (patched(62, "<H", 99), "section names are in section 99"),
    "no modinfo": (module_of(TABLE, NAMES), "there is no section .modinfo"),
    "no symbols": (module_of(INFO, NAMES), "stripped"),
    "no symbol names": (module_of(INFO, TABLE), "stripped"),
    "empty symbol table": (module_of(INFO, Section(".symtab", b"", 2), NAMES), "of 0 bytes"),
    "odd symbol table": (module_of(INFO, Section(".symtab", bytes(25), 2), NAMES), "25 bytes"),
    "no final NUL": (module_of(INFO, TABLE, Section(".strtab", b"\0a", 3)), "end in NUL"),
    "name outside": (
        module_of(INFO, Section(".symtab", bytes(24) + SYMBOL, 2), NAMES),
        "symbol name at offset 1 of 1 is outside",
    ),
    "endless name": (make_ko(["a=b"], (), ["x" * 4097]), "symbol name at offset 1 of 4099"),
    "no content": (module_of(Section(".modinfo", b"a=b\0", 8), TABLE, NAMES), "has no content"),
}  # fmt: skip


@pytest.mark.parametrize(("data", "message"), HOSTILE.values(), ids=HOSTILE.keys())
def test_what_is_no_module_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        read_module(data)


@pytest.mark.parametrize("size", [2**64 - 1, 2**63, 10_000])
def test_a_section_may_not_go_beyond_the_end(size: int) -> None:
    data = make_ko(["a=b"])
    start = data.index(b"a=b\0")
    header = data.index(struct.pack("<QQ", start, 4))
    broken = data[: header + 8] + struct.pack("<Q", size) + data[header + 16 :]
    with pytest.raises(FormatError, match=r"\.modinfo at offset 64 .* beyond the end"):
        read_module(broken)
