"""EFI programs (PE/COFF): what they say about themselves, and sections added to them.

Reference: Microsoft's "PE Format" for the headers, the UEFI specification, section 2.1.1, for
the machines. Sections are added behind the last one, in memory and in the file; the
headers must have room for them. Of an old linker's output the symbol table at the end of the
file is cut off. A signed program is refused: what is added is not what was signed.
"""

from __future__ import annotations

import dataclasses
import struct
from typing import TYPE_CHECKING, Final, NamedTuple

from rdcompose.errors import FormatError, UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Sequence

EFI_APPLICATION: Final = 10
# IMAGE_DLLCHARACTERISTICS_NX_COMPAT: no memory of it is both written and executed.
NX_COMPAT: Final = 0x100
_CODE, _INITIALIZED, _READ = 0x20, 0x40, 0x40000000

_FILE_HEADER: Final = struct.Struct("<HHIIIHH")
_SECTION: Final = struct.Struct("<8s6I2HI")
_SYMBOL_SIZE: Final = 18
# By the magic of the optional header: where the data directories begin.
_DIRECTORIES: Final = {0x10B: 96, 0x20B: 112}
_SECURITY: Final = 4
# Firmware counts sizes in signed 32 bits.
_MAX_IMAGE: Final = (1 << 31) - 1
_MAX_SECTIONS: Final = 96


class Section(NamedTuple):
    """A section: where it is in memory and in the file. Its name has no zeros at the end."""

    name: str
    size: int
    address: int
    file_size: int
    offset: int


class NewSection(NamedTuple):
    """A section to add; ``code`` is what may be executed where it lies."""

    name: str
    content: bytes
    code: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Pe:
    """What the headers say.

    ``machine`` is the ``IMAGE_FILE_MACHINE_…``; ``header`` is where the optional header begins,
    ``table`` where the section headers do; ``room`` is the number of sections that the headers can
    take in addition.
    """

    machine: int
    header: int
    table: int
    subsystem: int
    characteristics: int
    section_alignment: int
    file_alignment: int
    signed: bool
    symbols: tuple[int, int]
    sections: tuple[Section, ...]
    room: int

    def section(self, name: str) -> Section | None:
        """Return the first section of a name."""
        return next((section for section in self.sections if section.name == name), None)


def is_pe(data: bytes) -> bool:
    """Whether the data starts as an EFI program does."""
    offset = int.from_bytes(data[0x3C:0x40], "little")
    return data[:2] == b"MZ" and data[offset : offset + 4] == b"PE\0\0"


def read_pe(data: bytes, size: int | None = None) -> Pe:
    """Read the headers of an EFI program; ``data`` may be the start of one of ``size`` bytes.

    :raises FormatError: it is none, or its headers point outside of it.
    """
    if not is_pe(data):
        start = data[:4].hex(" ") or "nothing"
        raise FormatError(f"no EFI program: it starts with {start} and has no PE header")
    place = int.from_bytes(data[0x3C:0x40], "little") + 4
    header = place + _FILE_HEADER.size
    if header + 112 > len(data):
        raise FormatError("the EFI program is cut in its headers")
    machine, count, _, symbols, number, optional, _ = _FILE_HEADER.unpack_from(data, place)
    magic, alignment, file_alignment, headers = _unpack(data, header)
    if magic not in _DIRECTORIES or optional < _DIRECTORIES[magic]:
        raise FormatError(f"the EFI program has an optional header of the unknown kind {magic:#x}")
    table = header + optional
    if count > _MAX_SECTIONS or table + count * _SECTION.size > len(data):
        raise FormatError(f"the EFI program is cut: its {count} section headers are at {table}")
    for value in (alignment, file_alignment):
        if not value or value & (value - 1):
            raise FormatError(f"the EFI program is aligned to {value}, which is no power of two")
    sections = tuple(_sections(data, table, count, len(data) if size is None else size))
    used = table + count * _SECTION.size
    # The last block of the headers is theirs to the end, unless a section begins in it.
    end = min([_up(headers, file_alignment), *(row.offset for row in sections if row.file_size)])
    return Pe(
        machine=machine,
        header=header,
        table=table,
        subsystem=int.from_bytes(data[header + 68 : header + 70], "little"),
        characteristics=int.from_bytes(data[header + 70 : header + 72], "little"),
        section_alignment=alignment,
        file_alignment=file_alignment,
        signed=_directory(data, header, magic, optional, _SECURITY),
        symbols=(symbols, number),
        sections=sections,
        room=max(0, (end - used) // _SECTION.size),
    )


def _unpack(data: bytes, header: int) -> tuple[int, int, int, int]:
    """Return magic, alignment in memory and in the file, and the size of the headers."""
    found: tuple[int, int, int, int] = struct.unpack_from("<H30xII20xI", data, header)
    return found


def _directory(data: bytes, header: int, magic: int, size: int, number: int) -> bool:
    """Whether the optional header has an entry in a data directory."""
    start = _DIRECTORIES[magic]
    place = header + start + number * 8
    have = int.from_bytes(data[header + start - 4 : header + start], "little")
    inside = number < have and start + (number + 1) * 8 <= size
    return inside and any(data[place : place + 8])


def _sections(data: bytes, table: int, count: int, end: int) -> list[Section]:
    found = []
    for number in range(count):
        row = _SECTION.unpack_from(data, table + number * _SECTION.size)
        name = row[0].rstrip(b"\0").decode("ascii", "replace")
        section = Section(name, *row[1:5])
        if section.file_size and section.offset + section.file_size > end:
            raise FormatError(
                f"the EFI program is cut: its section {name!r} of {section.file_size} bytes is at "
                f"{section.offset}"
            )
        found.append(section)
    return found


def content_of(data: bytes, section: Section) -> bytes:
    """Return what a section holds, without what fills it up in the file."""
    return data[section.offset : section.offset + min(section.size, section.file_size)]


def add_sections(data: bytes, new: Sequence[NewSection], *, without: int = 0) -> bytes:
    """Return an EFI program with sections added, in their order, and a right checksum.

    A section that is there already gets the new content. ``without`` are characteristics
    (:data:`NX_COMPAT`) that the result is not to have.

    :raises FormatError: it is no EFI program, or there is no room in it.
    :raises UnsupportedError: it is signed.
    """
    found = read_pe(data)
    if found.signed:
        raise UnsupportedError("the EFI program is signed, and what is added would not be")
    out = bytearray(_without_symbols(data, found))
    added = [section for section in new if found.section(section.name) is None]
    if len(added) > found.room:
        names = ", ".join(section.name for section in added)
        raise FormatError(f"the headers of the EFI program have no room for all of {names}")
    for section in new:
        if (old := found.section(section.name)) is not None:
            _replace(out, found, old, section.content)
    _append(out, found, added)
    place = found.header + 70
    struct.pack_into("<H", out, place, found.characteristics & ~without)
    struct.pack_into("<I", out, found.header + 64, 0)
    struct.pack_into("<I", out, found.header + 64, checksum(bytes(out)))
    return bytes(out)


def checksum(data: bytes) -> int:
    """Return the checksum of an image whose field for it is zero: that of all its 16-bit words."""
    # A sum with the carry added at the low end is the remainder of a division by all ones.
    folded = int.from_bytes(data, "little") % 0xFFFF
    if not folded and any(data):
        folded = 0xFFFF
    return folded + len(data)


def rename_section(data: bytes, section: Section, name: str) -> bytes:
    """Return an EFI program with another name for a section of it; the checksum is as it was."""
    found = read_pe(data)
    place = found.table + found.sections.index(section) * _SECTION.size
    return data[:place] + name.encode("ascii").ljust(8, b"\0") + data[place + 8 :]


def _without_symbols(data: bytes, found: Pe) -> bytes:
    """Cut off the symbol table if it is the end of the file."""
    start, number = found.symbols
    strings = start + number * _SYMBOL_SIZE
    if not start or strings + 4 > len(data):
        return data
    if strings + int.from_bytes(data[strings : strings + 4], "little") != len(data):
        return data
    place = found.header - _FILE_HEADER.size + 8
    return data[:place] + bytes(8) + data[place + 8 : start]


def _replace(out: bytearray, found: Pe, old: Section, content: bytes) -> None:
    if len(content) > old.file_size:
        raise FormatError(
            f"the section {old.name} of the EFI program has room for {old.file_size} bytes, "
            f"not for {len(content)}"
        )
    out[old.offset : old.offset + old.file_size] = content.ljust(old.file_size, b"\0")
    place = found.table + found.sections.index(old) * _SECTION.size + 8
    struct.pack_into("<I", out, place, len(content))


def _append(out: bytearray, found: Pe, new: Sequence[NewSection]) -> None:
    address = max((row.address + row.size for row in found.sections), default=0)
    place = found.table + len(found.sections) * _SECTION.size
    pieces: list[bytes] = []
    offset = len(out)
    rows = b""
    for section in new:
        address = _up(address, found.section_alignment)
        start = _up(offset, found.file_alignment)
        size = len(section.content)
        kept = _up(size, found.file_alignment)
        if address + size > _MAX_IMAGE:
            raise FormatError(f"the EFI program would be too big with {section.name}")
        kind = _READ | (_CODE if section.code else _INITIALIZED)
        name = section.name.encode("ascii")
        rows += _SECTION.pack(name, size, address, kept, start, 0, 0, 0, 0, kind)
        pieces += (bytes(start - offset), section.content, bytes(kept - size))
        address += size
        offset = start + kept
    # Firmware looks at what the headers take in the file, and loads no more of them.
    out[place : place + len(rows)] = rows
    _count(out, found, new, address)
    out += b"".join(pieces)


def _count(out: bytearray, found: Pe, new: Sequence[NewSection], end: int) -> None:
    """Bring the numbers in the headers up to date."""
    struct.pack_into(
        "<H", out, found.header - _FILE_HEADER.size + 2, len(found.sections) + len(new)
    )
    (data_size,) = struct.unpack_from("<I", out, found.header + 8)
    data_size += sum(len(section.content) for section in new)
    struct.pack_into("<I", out, found.header + 8, data_size & 0xFFFFFFFF)
    struct.pack_into("<I", out, found.header + 56, _up(end, found.section_alignment))
    (headers,) = struct.unpack_from("<I", out, found.header + 60)
    struct.pack_into("<I", out, found.header + 60, _up(headers, found.file_alignment))


def _up(number: int, step: int) -> int:
    return -(-number // step) * step
