"""Judge an ELF program: what it runs on, and what it needs to start.

Reference: the gABI, chapters "ELF Header", "Program Header" and "Dynamic Section",
read with pyelftools. Only what the kernel's ``fs/binfmt_elf.c`` and a dynamic linker
look at counts: a program with neither interpreter nor needed libraries runs alone,
whether it has a fixed address or not (static-pie).
"""

from __future__ import annotations

import dataclasses
import io
from typing import TYPE_CHECKING, Final

from rdcompose.errors import FormatError

if TYPE_CHECKING:
    from elftools.elf.elffile import ELFFile

    from rdcompose.formats.image import ByteOrder

# Real programs have about ten; the kernel takes 64 KiB of program headers at most.
_MAX_SEGMENTS: Final = 256
_MAX_TAGS: Final = 4096
_MAX_NAME: Final = 4096
# Tags whose value is an offset in the string table.
_TEXTS: Final = frozenset({"DT_NEEDED", "DT_SONAME", "DT_RPATH", "DT_RUNPATH"})


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
    from elftools.common.exceptions import ELFError
    from elftools.elf.elffile import ELFFile

    if not is_elf(data):
        raise FormatError("no ELF file: it starts with " + (data[:4].hex(" ") or "nothing"))
    try:
        return _read(data, ELFFile(io.BytesIO(data)))
    # OverflowError: an offset that is too big to seek to.
    except (ELFError, OverflowError) as error:
        raise FormatError(f"the ELF file is damaged ({error})") from error


def _read(data: bytes, elf: ELFFile) -> Executable:
    segments = _segments(elf)
    interpreter: str | None = None
    tags: dict[str, tuple[str, ...]] = {}
    for segment in segments:
        if segment.kind == "PT_INTERP":
            interpreter = _name(data[: segment.offset + segment.size], segment.offset)
        elif segment.kind == "PT_DYNAMIC":
            tags = _dynamic_names(data, elf, segment, segments)
    byteorder: ByteOrder = "little" if elf.little_endian else "big"
    loadable = any(segment.kind == "PT_LOAD" for segment in segments)
    header = elf.header
    return Executable(
        machine=int.from_bytes(data[18:20], byteorder),
        bits=elf.elfclass,
        byteorder=byteorder,
        # A plain shared library has no entry point.
        runnable=loadable and header["e_type"] in {"ET_EXEC", "ET_DYN"} and header["e_entry"] != 0,
        interpreter=interpreter,
        needed=tags.get("DT_NEEDED", ()),
        soname=next(iter(tags.get("DT_SONAME", ())), None),
        rpath=_directories(tags.get("DT_RPATH", ())),
        runpath=_directories(tags.get("DT_RUNPATH", ())),
    )


def _directories(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(part for value in values for part in value.split(":") if part)


@dataclasses.dataclass(frozen=True, slots=True)
class _Segment:
    kind: str | int
    offset: int
    address: int
    size: int


def _segments(elf: ELFFile) -> list[_Segment]:
    """Read the program headers.

    Not with ``iter_segments()``: for a dynamic segment that walks the section headers,
    which a hostile file makes endless.
    """
    from elftools.common.utils import struct_parse

    count, step = elf.header["e_phnum"], elf.structs.Elf_Phdr.sizeof()
    if count > _MAX_SEGMENTS:
        raise FormatError(f"the ELF file has {count} segments")
    if count and elf.header["e_phentsize"] != step:
        raise FormatError("the ELF file has program headers of an unknown size")
    out = []
    for number in range(count):
        position = elf.header["e_phoff"] + number * step
        row = struct_parse(elf.structs.Elf_Phdr, elf.stream, stream_pos=position)
        out.append(_Segment(row["p_type"], row["p_offset"], row["p_vaddr"], row["p_filesz"]))
    return out


def _dynamic_names(
    data: bytes, elf: ELFFile, dynamic: _Segment, segments: list[_Segment]
) -> dict[str, tuple[str, ...]]:
    """Return the texts of a dynamic segment by their tags, of each in its order."""
    from elftools.common.utils import struct_parse

    step = elf.structs.Elf_Dyn.sizeof()
    names: list[tuple[str, int]] = []
    strings = 0
    for number in range(min(dynamic.size // step, _MAX_TAGS + 1)):
        if number == _MAX_TAGS:
            raise FormatError(f"the ELF file has over {_MAX_TAGS} dynamic tags")
        position = dynamic.offset + number * step
        tag = struct_parse(elf.structs.Elf_Dyn, elf.stream, stream_pos=position)
        if tag["d_tag"] == "DT_NULL":
            break
        if tag["d_tag"] in _TEXTS:
            names.append((tag["d_tag"], tag["d_val"]))
        elif tag["d_tag"] == "DT_STRTAB":
            strings = tag["d_ptr"]
    start = next(
        (
            strings - segment.address + segment.offset
            for segment in segments
            if segment.kind == "PT_LOAD" and 0 <= strings - segment.address < segment.size
        ),
        len(data),
    )
    found: dict[str, tuple[str, ...]] = {}
    for tag_name, offset in names:
        found[tag_name] = (*found.get(tag_name, ()), _name(data, start + offset))
    return found


def _name(data: bytes, offset: int) -> str:
    """Return the NUL-terminated text at an offset, for messages; bounded, never refused."""
    return data[offset : offset + _MAX_NAME].partition(b"\0")[0].decode("utf-8", "replace")
