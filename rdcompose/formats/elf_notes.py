"""Notes of an ELF file: where a hypervisor may enter a kernel, for one.

Layout: ELF gABI, chapter 5, "Note Section"; 32 and 64 bit, both byte orders, aligned to four
bytes or to what the segment says. ``XEN_ELFNOTE_PHYS32_ENTRY`` is of Xen's
``include/public/elfnote.h``: the address of the PVH entry.
"""

from __future__ import annotations

import dataclasses
import struct
from typing import TYPE_CHECKING, Final

from rdcompose.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Iterator

PT_NOTE: Final = 4
XEN_NAME: Final = b"Xen"
XEN_PHYS32_ENTRY: Final = 18
# Real kernels have about five segments and twenty notes.
_MAX_SEGMENTS: Final = 256
_MAX_NOTES: Final = 1024


@dataclasses.dataclass(frozen=True, slots=True)
class Note:
    """A note: whose it is, its type in the words of that owner, and what it says."""

    owner: bytes
    kind: int
    content: bytes


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Layout:
    """Records of one class; ``x`` skips what nothing here reads."""

    header: str  # e_entry e_phoff e_phentsize e_phnum
    segment: str  # p_type p_offset p_filesz p_align


# By EI_CLASS; p_type and p_offset are at the start of both.
_LAYOUTS: Final = {
    1: _Layout(header="24xII10xHH", segment="II8xI8xI"),
    2: _Layout(header="24xQQ14xHH", segment="I4xQ16xQ8xQ"),
}
_ORDERS: Final = {1: "<", 2: ">"}


def entry_address(data: bytes) -> int:
    """Return the address that the header of an ELF file names as its entry.

    :raises FormatError: it is no ELF file, or cut.
    """
    return _header(data)[0]


def pvh_entry(data: bytes) -> int | None:
    """Return the physical address of the PVH entry, ``None`` without one.

    :raises FormatError: it is no ELF file, or its notes are damaged.
    """
    order = "little" if data[5:6] == b"\1" else "big"
    for note in read_notes(data):
        if note.owner == XEN_NAME and note.kind == XEN_PHYS32_ENTRY and len(note.content) in {4, 8}:
            return int.from_bytes(note.content, "little" if order == "little" else "big")
    return None


def read_notes(data: bytes) -> tuple[Note, ...]:
    """Read the notes of all segments that hold some.

    :raises FormatError: it is no ELF file, or its headers point outside of it.
    """
    _, offset, size, count = _header(data)
    order, layout = _ORDERS[data[5]], _LAYOUTS[data[4]]
    segment = struct.Struct(order + layout.segment)
    if count > _MAX_SEGMENTS or (count and size != segment.size):
        raise FormatError(f"the ELF file has {count} segments with headers of {size} bytes")
    if offset + count * size > len(data):
        raise FormatError(f"the ELF file is cut: its program headers are at {offset}")
    notes: list[Note] = []
    for number in range(count):
        kind, start, length, align = segment.unpack_from(data, offset + number * size)
        if kind != PT_NOTE:
            continue
        if start + length > len(data):
            raise FormatError(f"the ELF file is cut: its notes of {length} bytes are at {start}")
        notes += _notes(data[start : start + length], order, 8 if align == 8 else 4)
    return tuple(notes)


def _header(data: bytes) -> tuple[int, int, int, int]:
    """Return the entry, and where the program headers are, their size and number."""
    if data[:4] != b"\x7fELF" or data[4:5] not in {b"\1", b"\2"} or data[5:6] not in {b"\1", b"\2"}:
        raise FormatError("no ELF file: it starts with " + (data[:6].hex(" ") or "nothing"))
    form = struct.Struct(_ORDERS[data[5]] + _LAYOUTS[data[4]].header)
    if len(data) < form.size:
        raise FormatError(f"the ELF header is cut off after {len(data)} bytes")
    found: tuple[int, int, int, int] = form.unpack_from(data)
    return found


def _notes(data: bytes, order: str, align: int) -> Iterator[Note]:
    sizes = struct.Struct(order + "III")
    position = 0
    for _ in range(_MAX_NOTES):
        if position + sizes.size > len(data):
            return
        name_size, size, kind = sizes.unpack_from(data, position)
        name = position + sizes.size
        content = _up(name + name_size, align)
        if content + size > len(data):
            raise FormatError(f"the ELF note at offset {position} of its segment is cut")
        owner = data[name : name + name_size].rstrip(b"\0")
        yield Note(owner, kind, data[content : content + size])
        position = _up(content + size, align)
    raise FormatError(f"the ELF file has over {_MAX_NOTES} notes in a segment")


def _up(number: int, step: int) -> int:
    return -(-number // step) * step
