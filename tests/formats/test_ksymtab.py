from __future__ import annotations

import dataclasses
import struct
from typing import Literal

import pytest

from rdcompose.formats.ksymtab import KernelSymbol, read_kernel_symbols
from tests.support.ksymtab import make_ksymtab

PLAIN = {f"plain_{n}": 1000 + n for n in range(20)} | {"module_layout": 0xFFFF_FFFF}
GPL = {f"a_gpl_{n}": 2000 + n for n in range(9)}
SPACES = {"plain_3": "CXL", "a_gpl_1": "module:kvm,kvm-*"}
ALL = {name: KernelSymbol(crc, False, SPACES.get(name, "")) for name, crc in PLAIN.items()} | {
    name: KernelSymbol(crc, True, SPACES.get(name, "")) for name, crc in GPL.items()
}


@pytest.mark.parametrize("bits", [32, 64])
@pytest.mark.parametrize("byteorder", ["little", "big"])
@pytest.mark.parametrize("relative", [True, False])
@pytest.mark.parametrize("start", [0x40, 0x1008])
def test_distances_and_addresses(
    bits: Literal[32, 64], byteorder: Literal["little", "big"], relative: bool, start: int
) -> None:
    data = make_ksymtab(
        PLAIN, GPL, namespaces=SPACES, bits=bits, byteorder=byteorder, relative=relative,
        start=start,
    )  # fmt: skip
    assert read_kernel_symbols(data, bits=bits, byteorder=byteorder) == ALL


@pytest.mark.parametrize("versioned", [True, False])
def test_one_table_with_flags(versioned: bool) -> None:
    data = make_ksymtab(PLAIN, GPL, namespaces=SPACES, versioned=versioned, flags=True)
    found = read_kernel_symbols(data, bits=64, byteorder="little", versioned=versioned)
    assert found == {
        name: dataclasses.replace(symbol, crc=symbol.crc if versioned else 0)
        for name, symbol in ALL.items()
    }


@pytest.mark.parametrize("flags", [True, False])
def test_a_kernel_without_symbol_versions(flags: bool) -> None:
    symbols = {name: crc for name, crc in PLAIN.items() if name != "module_layout"}
    data = make_ksymtab({**symbols, "_printk": 1}, GPL, versioned=False, flags=flags)
    found = read_kernel_symbols(data, bits=64, byteorder="little", versioned=False)
    assert found is not None
    assert found.keys() == {*symbols, "_printk", *GPL}
    assert {name for name, symbol in found.items() if symbol.gpl} == set(GPL)
    assert {symbol.crc for symbol in found.values()} == {0}


def test_flags_of_another_meaning_tell_nothing() -> None:
    data = bytearray(make_ksymtab(PLAIN, GPL, flags=True))
    data[0x40 + 16 * (len(PLAIN) + len(GPL))] = 2
    found = read_kernel_symbols(bytes(data), bits=64, byteorder="little")
    assert found is not None
    assert not any(symbol.gpl for symbol in found.values())


def test_the_name_elsewhere_is_no_table() -> None:
    data = b"\0module_layout\0\0" * 3 + bytes(1024)
    table = make_ksymtab(PLAIN, GPL, namespaces=SPACES)
    assert read_kernel_symbols(data + table, bits=64, byteorder="little") == ALL
    assert read_kernel_symbols(data, bits=64, byteorder="little") is None
    assert read_kernel_symbols(b"", bits=64, byteorder="little") is None


def test_a_kernel_without_symbols_for_the_gpl() -> None:
    found = read_kernel_symbols(make_ksymtab(PLAIN, {}), bits=64, byteorder="little")
    assert found is not None
    assert found.keys() == PLAIN.keys()
    assert not any(symbol.gpl for symbol in found.values())


def test_too_few_symbols_are_chance() -> None:
    few = dict(list(PLAIN.items())[-3:])
    assert read_kernel_symbols(make_ksymtab(few, {}), bits=64, byteorder="little") is None


def test_a_table_that_is_cut() -> None:
    data = make_ksymtab(PLAIN, GPL)
    name = data.index(b"module_layout\0") + len(b"module_layout\0")
    found = read_kernel_symbols(data[:name], bits=64, byteorder="little")
    # Names behind the end are none, so the table ends early, or there are too few.
    assert found is None or set(found) < set(ALL)
    assert read_kernel_symbols(data[: name - 1], bits=64, byteorder="little") is None


@pytest.mark.parametrize("distance", [2**31 - 1, -(2**31), 0, 2, 0x10000])
def test_a_record_that_leads_nowhere(distance: int) -> None:
    data = bytearray(make_ksymtab(PLAIN, {}))
    # The name in the second record; what is left of the table is too short.
    struct.pack_into("<i", data, 0x40 + 12 + 4, distance)
    assert read_kernel_symbols(bytes(data), bits=64, byteorder="little") is None


def test_unsorted_names_are_no_table() -> None:
    words = {f"z{n}": n for n in range(20)}
    data = make_ksymtab(words, PLAIN)
    # Three parts: the third begins where one of the names is made smaller.
    broken = data.replace(b"plain_12\0", b"aaain_12\0")
    assert read_kernel_symbols(broken, bits=64, byteorder="little") is None
