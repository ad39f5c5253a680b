"""Judge an ELF program: what it runs on, and what it needs to start.

Layout: ELF gABI, chapters "ELF Header", "Program Header" and "Dynamic Section"; 32 and
64 bit, both byte orders. Only what the kernel's ``fs/binfmt_elf.c`` and a dynamic linker
look at counts: a program with neither interpreter nor needed libraries runs alone,
whether it has a fixed address or not (static-pie).
"""

from __future__ import annotations

import dataclasses
import struct
from typing import TYPE_CHECKING, Final, NamedTuple

from rdcompose.errors import FormatError

if TYPE_CHECKING:
    from rdcompose.formats.image import ByteOrder

# Real programs have about ten; the kernel takes 64 KiB of program headers at most.
_MAX_SEGMENTS: Final = 256
_MAX_TAGS: Final = 4096
_MAX_NAME: Final = 4096

_ET_EXEC: Final = 2
_ET_DYN: Final = 3
_PT_LOAD: Final = 1
_PT_DYNAMIC: Final = 2
_PT_INTERP: Final = 3
_DT_NULL: Final = 0
_DT_NEEDED: Final = 1
_DT_STRTAB: Final = 5
_DT_SONAME: Final = 14
_DT_RPATH: Final = 15
_DT_RUNPATH: Final = 29
# Tags whose value is an offset in the string table.
_TEXTS: Final = frozenset({_DT_NEEDED, _DT_SONAME, _DT_RPATH, _DT_RUNPATH})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Layout:
    """Records of one class; ``x`` skips what nothing here reads."""

    bits: int
    header: str  # e_type e_machine e_entry e_phoff e_phentsize e_phnum
    segment: str  # p_type p_offset p_vaddr p_filesz
    tag: str  # d_tag d_val


# By EI_CLASS.
_LAYOUTS: Final = {
    1: _Layout(bits=32, header="16xHH4xII10xHH6x", segment="III4xI12x", tag="iI"),
    2: _Layout(bits=64, header="16xHH4xQQ14xHH6x", segment="I4xQQ8xQ16x", tag="qQ"),
}
_ORDERS: Final[dict[int, tuple[str, ByteOrder]]] = {1: ("<", "little"), 2: (">", "big")}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Executable:
    """An ELF file as the kernel's program loader sees it.

    ``machine`` is ``e_machine``. ``runnable`` says that it is of a type and has
    segments that can be started. ``interpreter`` is the dynamic linker it asks for;
    ``needed`` are the shared libraries. ``soname`` is what others call a library;
    ``rpath`` and ``runpath`` are directories to find libraries in, as ld.so(8) has them.
    """

    machine: int
    bits: int
    byteorder: ByteOrder
    runnable: bool
    interpreter: str | None
    needed: tuple[str, ...]
    soname: str | None = None
    rpath: tuple[str, ...] = ()
    runpath: tuple[str, ...] = ()

    @property
    def static(self) -> bool:
        """Whether it runs without any other file."""
        return self.interpreter is None and not self.needed


def is_elf(data: bytes) -> bool:
    """Whether the data starts as an ELF file does."""
    return data.startswith(b"\x7fELF")


def read_executable(data: bytes) -> Executable:
    """Read the headers of a program.

    :raises FormatError: it is no ELF file, or its headers point outside of it.
    """
    if not is_elf(data):
        raise FormatError("no ELF file: it starts with " + (data[:4].hex(" ") or "nothing"))
    layout = _LAYOUTS.get(data[4]) if len(data) > 4 else None
    order = _ORDERS.get(data[5]) if len(data) > 5 else None
    if layout is None or order is None:
        raise FormatError("the ELF file is damaged (its class or its byte order is unknown)")
    sign, byteorder = order
    header = struct.Struct(sign + layout.header)
    if len(data) < header.size:
        raise FormatError(f"the ELF file is damaged (it ends after {len(data)} bytes)")
    kind, machine, entry, offset, size, count = header.unpack_from(data)
    segments = _segments(data, struct.Struct(sign + layout.segment), offset, size, count)
    interpreter: str | None = None
    tags: dict[int, tuple[str, ...]] = {}
    for segment in segments:
        if segment.kind == _PT_INTERP:
            interpreter = _name(data[: segment.offset + segment.size], segment.offset)
        elif segment.kind == _PT_DYNAMIC:
            tags = _dynamic_names(data, struct.Struct(sign + layout.tag), segment, segments)
    loadable = any(segment.kind == _PT_LOAD for segment in segments)
    return Executable(
        machine=machine,
        bits=layout.bits,
        byteorder=byteorder,
        # A plain shared library has no entry point.
        runnable=loadable and kind in {_ET_EXEC, _ET_DYN} and entry != 0,
        interpreter=interpreter,
        needed=tags.get(_DT_NEEDED, ()),
        soname=next(iter(tags.get(_DT_SONAME, ())), None),
        rpath=_directories(tags.get(_DT_RPATH, ())),
        runpath=_directories(tags.get(_DT_RUNPATH, ())),
    )


def _directories(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(part for value in values for part in value.split(":") if part)


class _Segment(NamedTuple):
    kind: int
    offset: int
    address: int
    size: int


def _segments(
    data: bytes, record: struct.Struct, offset: int, size: int, count: int
) -> list[_Segment]:
    """Read the program headers: ``count`` of ``size`` bytes each, from ``offset`` on."""
    if count > _MAX_SEGMENTS:
        raise FormatError(f"the ELF file has {count} segments")
    if count and size != record.size:
        raise FormatError("the ELF file has program headers of an unknown size")
    if count and offset + count * size > len(data):
        raise _beyond("program headers", offset)
    return [_Segment(*record.unpack_from(data, offset + number * size)) for number in range(count)]


def _dynamic_names(
    data: bytes, record: struct.Struct, dynamic: _Segment, segments: list[_Segment]
) -> dict[int, tuple[str, ...]]:
    """Return the texts of a dynamic segment by their tags, of each in its order."""
    names: list[tuple[int, int]] = []
    strings = 0
    for number in range(min(dynamic.size // record.size, _MAX_TAGS + 1)):
        if number == _MAX_TAGS:
            raise FormatError(f"the ELF file has over {_MAX_TAGS} dynamic tags")
        position = dynamic.offset + number * record.size
        if position + record.size > len(data):
            raise _beyond("dynamic table", dynamic.offset)
        tag, value = record.unpack_from(data, position)
        if tag == _DT_NULL:
            break
        if tag in _TEXTS:
            names.append((tag, value))
        elif tag == _DT_STRTAB:
            strings = value
    start = next(
        (
            strings - segment.address + segment.offset
            for segment in segments
            if segment.kind == _PT_LOAD and 0 <= strings - segment.address < segment.size
        ),
        len(data),
    )
    found: dict[int, tuple[str, ...]] = {}
    for tag, offset in names:
        found[tag] = (*found.get(tag, ()), _name(data, start + offset))
    return found


def _beyond(what: str, offset: int) -> FormatError:
    return FormatError(f"the ELF file is damaged (its {what} at {offset} goes beyond its end)")


def _name(data: bytes, offset: int) -> str:
    """Return the NUL-terminated text at an offset, for messages; bounded, never refused."""
    return data[offset : offset + _MAX_NAME].partition(b"\0")[0].decode("utf-8", "replace")
