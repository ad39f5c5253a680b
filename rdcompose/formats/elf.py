"""What a kernel module's ELF file says about itself, fast enough for thousands.

Layout: ELF gABI, chapter 4 (header, sections, symbol table); 32 and 64 bit, both byte
orders. Contents: ``.modinfo`` holds NUL-separated ``key=value`` texts; which symbols a
module offers and needs is told as kmod's depmod tells it (``libkmod-elf.c``): offered
is what has a ``__crc_`` symbol, or, in a kernel without symbol versions, what
``__ksymtab_strings`` lists; needed are the undefined symbols and whatever else
``__versions`` names. A signature, if any, stands behind the ELF file and ends in
:data:`SIGNATURE_MARKER`.

Only relocatable files with ``.modinfo`` and a symbol table are modules; programs,
shared objects and files with more than 65 279 sections are rejected.
"""

from __future__ import annotations

import array
import dataclasses
import struct
import sys
from typing import Final, Literal

from rdcompose.errors import FormatError

MAGIC: Final = b"\x7fELF"
SIGNATURE_MARKER: Final = b"~Module signature appended~\n"
EV_CURRENT: Final = 1
ET_REL: Final = 1
EM_SPARC: Final = 2
EM_SPARCV9: Final = 43
SHT_NOBITS: Final = 8
STT_REGISTER: Final = 13
# Eight times the kernel's KSYM_NAME_LEN.
MAX_SYMBOL_NAME: Final = 4096

_CRC_PREFIX: Final = b"__crc_"
_WANTED: Final = (b".modinfo", b".symtab", b".strtab", b"__ksymtab_strings", b"__versions")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Layout:
    """Records of one class and byte order; ``x`` skips what nothing here reads."""

    bits: Literal[32, 64]
    byteorder: Literal["little", "big"]
    start: struct.Struct  # e_type e_machine e_version
    table: struct.Struct  # e_shoff e_shentsize e_shnum e_shstrndx
    section: struct.Struct  # sh_name sh_type sh_offset sh_size
    symbol_size: int  # of these, st_name is at 0
    symbol_info: int  # offset of st_info
    symbol_section: int  # offset of st_shndx
    version: struct.Struct  # name, without the CRC in front


def _layout(bits: Literal[32, 64], byteorder: Literal["little", "big"]) -> _Layout:
    order = "<" if byteorder == "little" else ">"
    table, section, version, symbol = (
        ("40xQ10xHHH", "II16xQQ24x", "8x56s", (24, 4, 6))
        if bits == 64
        else ("32xI10xHHH", "II8xII16x", "4x60s", (16, 12, 14))
    )
    return _Layout(
        bits=bits,
        byteorder=byteorder,
        start=struct.Struct(order + "16xHHI"),
        table=struct.Struct(order + table),
        section=struct.Struct(order + section),
        version=struct.Struct(order + version),
        symbol_size=symbol[0],
        symbol_info=symbol[1],
        symbol_section=symbol[2],
    )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Symbols:
    """A symbol table by columns, with the null symbol in front."""

    names: bytes
    offsets: array.array[int]
    infos: bytes
    sections: tuple[bytes, bytes]  # both bytes of st_shndx, which is 0 if both are


# By EI_CLASS and EI_DATA.
_LAYOUTS: Final = {
    b"\1\1": _layout(32, "little"),
    b"\1\2": _layout(32, "big"),
    b"\2\1": _layout(64, "little"),
    b"\2\2": _layout(64, "big"),
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ModuleElf:
    """Metadata of one module, in the order of the file.

    ``modinfo`` holds keys and values; a text without ``=`` is a key with an empty
    value, as ``modinfo`` shows it. ``imports`` may name symbols of the kernel itself
    and of modules alike; weak ones are among them.
    """

    machine: int
    bits: Literal[32, 64]
    byteorder: Literal["little", "big"]
    modinfo: tuple[tuple[str, str], ...]
    exports: tuple[str, ...]
    imports: tuple[str, ...]
    signed: bool

    def value(self, key: str) -> str | None:
        """Return the first value of a key, or ``None``."""
        return next((value for name, value in self.modinfo if name == key), None)

    def values(self, key: str) -> tuple[str, ...]:
        """Return all values of a key."""
        return tuple(value for name, value in self.modinfo if name == key)

    @property
    def vermagic(self) -> str | None:
        """The string that the kernel compares with its own, spaces included."""
        return self.value("vermagic")


def read_module(data: bytes) -> ModuleElf:
    """Read the metadata of a module file, decompressed and with its signature.

    :raises FormatError: the bytes are no relocatable ELF file, or no kernel module.
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
    found = _sections(data, layout)
    modinfo = found.get(b".modinfo")
    if modinfo is None:
        raise FormatError("not a kernel module: there is no section .modinfo")
    symbols = _symbol_table(found, layout)
    return ModuleElf(
        machine=machine,
        bits=layout.bits,
        byteorder=layout.byteorder,
        modinfo=_modinfo(modinfo),
        exports=_exports(found, symbols),
        imports=_imports(found, symbols, layout, machine),
        signed=data.endswith(SIGNATURE_MARKER),
    )


def _sections(data: bytes, layout: _Layout) -> dict[bytes, bytes]:
    """Contents of the sections that matter here; of two with one name, the first."""
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
    headers = list(layout.section.iter_unpack(data[offset : offset + count * size]))
    names = _content(data, headers[names_index], b".shstrtab")
    by_name = {header[0]: header for header in reversed(headers)}
    found: dict[bytes, bytes] = {}
    for name in _WANTED:
        # The names are few and long; looking each up beats cutting all of them out.
        at = names.find(name + b"\0")
        while at >= 0:
            if at in by_name:
                found[name] = _content(data, by_name[at], name)
                break
            at = names.find(name + b"\0", at + 1)
    return found


def _content(data: bytes, header: tuple[int, int, int, int], name: bytes) -> bytes:
    _, kind, offset, size = header
    if kind == SHT_NOBITS:
        raise FormatError(f"section {name.decode()} has no content in the file")
    if offset + size > len(data):
        raise FormatError(
            f"section {name.decode()} at offset {offset} with {size} bytes "
            f"goes beyond the end at {len(data)}"
        )
    return data[offset : offset + size]


def _symbol_table(found: dict[bytes, bytes], layout: _Layout) -> _Symbols:
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
    size = layout.symbol_size
    return _Symbols(
        names=names,
        offsets=words[:: size // words.itemsize],
        infos=table[layout.symbol_info :: size],
        sections=(table[layout.symbol_section :: size], table[layout.symbol_section + 1 :: size]),
    )


def _modinfo(section: bytes) -> tuple[tuple[str, str], ...]:
    text = section.decode("utf-8", "surrogateescape")
    pairs = [line.partition("=") for line in text.split("\0") if line]
    return tuple([(key, value) for key, _, value in pairs])


def _exports(found: dict[bytes, bytes], symbols: _Symbols) -> tuple[str, ...]:
    # One step at a time: a name may be the tail of another, so places may overlap.
    places = set()
    at = symbols.names.find(_CRC_PREFIX)
    while at >= 0:
        places.add(at)
        at = symbols.names.find(_CRC_PREFIX, at + 1)
    exported = [at for at in symbols.offsets[1:] if at in places] if places else []
    if exported:
        return _decoded([_name(symbols.names, at + len(_CRC_PREFIX)) for at in exported])
    return _decoded(found.get(b"__ksymtab_strings", b"").split(b"\0"))


def _imports(
    found: dict[bytes, bytes], symbols: _Symbols, layout: _Layout, machine: int
) -> tuple[str, ...]:
    undefined = _undefined(symbols)
    if machine in {EM_SPARC, EM_SPARCV9}:
        # There, global registers that the code uses stand among the undefined symbols.
        undefined = [index for index in undefined if symbols.infos[index] & 15 != STT_REGISTER]
    offsets = symbols.offsets
    names = [_name(symbols.names, offsets[index]) for index in undefined]
    versions = found.get(b"__versions", b"")
    if len(versions) % layout.version.size == 0:
        # Mostly just module_layout, which the kernel checks though no code refers to it.
        known = set(names)
        named = [record.partition(b"\0")[0] for (record,) in layout.version.iter_unpack(versions)]
        names += [name for name in named if name not in known]
    return _decoded(names)


def _undefined(symbols: _Symbols) -> list[int]:
    low, high = symbols.sections
    found: list[int] = []
    index = low.find(0, 1)  # the first symbol is the null one
    while index >= 0:
        if not high[index]:
            found.append(index)
        index = low.find(0, index + 1)
    return found


def _name(names: bytes, at: int) -> bytes:
    # Bounded, or a few hostile bytes could make a long name of every symbol.
    end = names.find(0, at, at + MAX_SYMBOL_NAME + 1)
    if end < 0:
        raise FormatError(
            f"the symbol name at offset {at} of {len(names)} is outside or does not end"
        )
    return names[at:end]


def _decoded(names: list[bytes]) -> tuple[str, ...]:
    text = b"\0".join(names).decode("utf-8", "surrogateescape")
    # The same few thousand names occur in all modules of a kernel.
    return tuple([sys.intern(name) for name in text.split("\0") if name])
