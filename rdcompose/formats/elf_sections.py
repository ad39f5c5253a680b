"""Sections and symbol table of a relocatable ELF file, read fast enough for thousands.

Layout: ELF gABI, chapter 4 (header, sections, symbol table); 32 and 64 bit, both byte
orders. Programs and shared objects are rejected, and so are files with more than
65 279 sections.
"""

from __future__ import annotations

import array
import dataclasses
import struct
import sys
from typing import TYPE_CHECKING, Final, Literal

from rdcompose.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MAGIC: Final = b"\x7fELF"
EV_CURRENT: Final = 1
ET_REL: Final = 1
SHT_NOBITS: Final = 8
# Eight times the kernel's KSYM_NAME_LEN.
MAX_SYMBOL_NAME: Final = 4096


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Records of one class and byte order; ``x`` skips what nothing here reads."""

    bits: Literal[32, 64]
    byteorder: Literal["little", "big"]
    start: struct.Struct  # e_type e_machine e_version
    table: struct.Struct  # e_shoff e_shentsize e_shnum e_shstrndx
    section: struct.Struct  # sh_name sh_type sh_offset sh_size
    symbol_size: int  # of these, st_name is at 0
    symbol_info: int  # offset of st_info
    symbol_section: int  # offset of st_shndx
    symbol_value: struct.Struct  # st_value


# sh_name, an offset in the names of sections, sh_type, sh_offset and sh_size
_Header = tuple[int, int, int, int]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Symbols:
    """A symbol table by columns, with the null symbol in front."""

    layout: Layout
    table: bytes
    names: bytes
    offsets: array.array[int]
    infos: bytes
    sections: tuple[bytes, bytes]  # both bytes of st_shndx, which is 0 if both are

    def name(self, at: int) -> bytes:
        """Return the name at an offset of the names.

        :raises FormatError: it is outside, does not end or is longer than any is.
        """
        # Bounded, or a few hostile bytes could make a long name of every symbol.
        end = self.names.find(0, at, at + MAX_SYMBOL_NAME + 1)
        if end < 0:
            raise FormatError(
                f"the symbol name at offset {at} of {len(self.names)} is outside or does not end"
            )
        return self.names[at:end]

    def places(self, prefix: bytes) -> frozenset[int]:
        """Return the offsets among the names where ``prefix`` stands, also inside a name."""
        found: list[int] = []
        # One step at a time: a name may be the tail of another, so places may overlap.
        at = self.names.find(prefix)
        while at >= 0:
            found.append(at)
            at = self.names.find(prefix, at + 1)
        return frozenset(found)

    def undefined(self) -> list[int]:
        """Return the numbers of the symbols that the file needs from elsewhere."""
        low, high = self.sections
        found: list[int] = []
        index = low.find(0, 1)  # the first symbol is the null one
        while index >= 0:
            if not high[index]:
                found.append(index)
            index = low.find(0, index + 1)
        return found

    def value(self, index: int) -> tuple[int, int]:
        """Return ``st_shndx`` and ``st_value`` of a symbol by its number."""
        layout = self.layout
        record = self.table[index * layout.symbol_size : (index + 1) * layout.symbol_size]
        section = record[layout.symbol_section : layout.symbol_section + 2]
        (value,) = layout.symbol_value.unpack(record)
        return int.from_bytes(section, layout.byteorder), value


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Relocatable:
    """A relocatable ELF file: its machine, and where its sections are."""

    data: bytes
    machine: int
    layout: Layout
    headers: tuple[_Header, ...]
    names: bytes

    def sections(self, wanted: Iterable[bytes]) -> dict[bytes, bytes]:
        """Return the contents of the sections of these names; of two with one, the first.

        :raises FormatError: one has no content, or goes beyond the end.
        """
        by_name = {header[0]: header for header in reversed(self.headers)}
        found: dict[bytes, bytes] = {}
        for name in wanted:
            # The names are few and long; looking each up beats cutting all of them out.
            at = self.names.find(name + b"\0")
            while at >= 0:
                if at in by_name:
                    found[name] = _content(self.data, by_name[at], name)
                    break
                at = self.names.find(name + b"\0", at + 1)
        return found

    def section(self, number: int) -> bytes:
        """Return the content of a section by its number.

        :raises FormatError: there is none of that number, or it has no content.
        """
        if number >= len(self.headers):
            raise FormatError(f"a symbol is in section {number} of {len(self.headers)}")
        return _content(self.data, self.headers[number], b"number %d" % number)

    def symbols(self, found: Mapping[bytes, bytes]) -> Symbols:
        """Return the symbol table, whose sections are among those that were found.

        :raises FormatError: there is none, or it is cut off.
        """
        layout = self.layout
        table = found.get(b".symtab")
        names = found.get(b".strtab")
        if table is None or names is None:
            raise FormatError("not a kernel module: there is no symbol table (stripped?)")
        if not table or len(table) % layout.symbol_size:
            raise FormatError(f"the symbol table of {len(table)} bytes is cut off")
        if names[-1:] != b"\0":
            raise FormatError("the symbol names do not end in NUL")
        # Thousands of modules have a million symbols; only few are of interest. So columns
        # are cut out of the table at once, and no record is unpacked.
        words = array.array("I", table)
        if layout.byteorder != sys.byteorder:
            words.byteswap()
        size, section = layout.symbol_size, layout.symbol_section
        return Symbols(
            layout=layout,
            table=table,
            names=names,
            offsets=words[:: size // words.itemsize],
            infos=table[layout.symbol_info :: size],
            sections=(table[section::size], table[section + 1 :: size]),
        )


def read_relocatable(data: bytes) -> Relocatable:
    """Read the headers of a relocatable file.

    :raises FormatError: the bytes are no such file.
    """
    layout = _LAYOUTS.get(data[4:6])
    if data[:4] != MAGIC or layout is None:
        raise FormatError(f"not an ELF file: it starts with {data[:6]!r}")
    if len(data) < layout.table.size:
        raise FormatError(f"the ELF header is cut off after {len(data)} bytes")
    kind, machine, version = layout.start.unpack_from(data)
    if version != EV_CURRENT:
        raise FormatError(f"unknown ELF version {version}")
    if kind != ET_REL:
        raise FormatError(f"not a kernel module: the ELF type is {kind}, not {ET_REL} (REL)")
    offset, entry_size, count, names_index = layout.table.unpack_from(data)
    size = layout.section.size
    if entry_size != size:
        raise FormatError(f"section headers of {entry_size} bytes, not {size}")
    if offset + count * size > len(data):
        raise FormatError(
            f"{count} section headers at offset {offset} go beyond the end at {len(data)}"
        )
    if not 0 < names_index < count:
        raise FormatError(f"the section names are in section {names_index} of {count}")
    headers = tuple(layout.section.iter_unpack(data[offset : offset + count * size]))
    names = _content(data, headers[names_index], b".shstrtab")
    return Relocatable(data=data, machine=machine, layout=layout, headers=headers, names=names)


def _content(data: bytes, header: _Header, name: bytes) -> bytes:
    _, kind, offset, size = header
    if kind == SHT_NOBITS:
        raise FormatError(f"section {name.decode()} has no content in the file")
    if offset + size > len(data):
        raise FormatError(
            f"section {name.decode()} at offset {offset} with {size} bytes "
            f"goes beyond the end at {len(data)}"
        )
    return data[offset : offset + size]


def _layout(bits: Literal[32, 64], byteorder: Literal["little", "big"]) -> Layout:
    order = "<" if byteorder == "little" else ">"
    table, section, value, symbol = (
        ("40xQ10xHHH", "II16xQQ24x", "8xQ8x", (24, 4, 6))
        if bits == 64
        else ("32xI10xHHH", "II8xII16x", "4xI8x", (16, 12, 14))
    )
    return Layout(
        bits=bits,
        byteorder=byteorder,
        start=struct.Struct(order + "16xHHI"),
        table=struct.Struct(order + table),
        section=struct.Struct(order + section),
        symbol_size=symbol[0],
        symbol_info=symbol[1],
        symbol_section=symbol[2],
        symbol_value=struct.Struct(order + value),
    )


# By EI_CLASS and EI_DATA.
_LAYOUTS: Final = {
    b"\1\1": _layout(32, "little"),
    b"\1\2": _layout(32, "big"),
    b"\2\1": _layout(64, "little"),
    b"\2\2": _layout(64, "big"),
}
