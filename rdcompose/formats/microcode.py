"""Processor microcode as Intel and AMD publish it, and as the kernel reads it at its start.

Formats: Intel's Software Developer's Manual, volume 3, section "Microcode Update Facilities",
with the checks of ``intel_microcode_sanity_check`` in the kernel; for AMD's containers
``arch/x86/kernel/cpu/microcode/amd.c``. Numbers are little-endian in both.

The kernel takes, of what stands one after the other, what fits the processor; what it cannot
parse ends its search without a word. So all of it is checked here.
"""

from __future__ import annotations

import array
import dataclasses
import enum
import struct
import sys
from typing import TYPE_CHECKING, Final

from rdcompose.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Iterable

_DAMAGED: Final = "it is damaged or incomplete: fetch it again"

# hdrver rev date sig cksum ldrver pf datasize totalsize metasize minrev reserved
_INTEL_HEADER: Final = struct.Struct("<12I")
_INTEL_VERSION: Final = 1
# What 0 means in headers of old updates, in bytes: data, and all.
_INTEL_SIZES: Final = (2000, 2048)
_INTEL_UNIT: Final = 1024
_EXTENDED_HEADER: Final = struct.Struct("<2I12x")  # count cksum
_EXTENDED_ENTRY: Final = struct.Struct("<3I")  # sig pf cksum

AMD_MAGIC: Final = b"DMA\0"
_AMD_SECTION: Final = struct.Struct("<2I")  # type, size of what follows
_AMD_TABLE: Final = 0
_AMD_PATCH: Final = 1
_AMD_TABLE_ENTRY: Final = 16
_AMD_PATCH_HEADER: Final = 64


class Vendor(enum.StrEnum):
    """Makers of processors, as these name themselves to the kernel."""

    INTEL = "GenuineIntel"
    AMD = "AuthenticAMD"


@dataclasses.dataclass(frozen=True, slots=True)
class Update:
    """One update of Intel: for which processors it is (signature and platform flags)."""

    processors: frozenset[tuple[int, int]]
    revision: int
    data: bytes


def vendor_of(data: bytes) -> Vendor | None:
    """Return whose microcode begins so, ``None`` if it is no microcode."""
    if data.startswith(AMD_MAGIC):
        return Vendor.AMD
    # Header and loader version; both have been 1 ever since.
    if len(data) >= _INTEL_HEADER.size:
        fields = _INTEL_HEADER.unpack_from(data)
        if fields[0] == fields[5] == _INTEL_VERSION:
            return Vendor.INTEL
    return None


def read_intel(data: bytes) -> tuple[Update, ...]:
    """Read updates that stand one after the other.

    :raises FormatError: it is no such file, or damaged.
    """
    updates: list[Update] = []
    position = 0
    while position < len(data):
        update = _intel_update(data, position)
        updates.append(update)
        position += len(update.data)
    return tuple(updates)


def _intel_update(data: bytes, position: int) -> Update:
    where = f"Intel microcode at offset {position}"
    if len(data) - position < _INTEL_HEADER.size:
        raise FormatError(f"{where} is cut short", hint=_DAMAGED)
    header = _INTEL_HEADER.unpack_from(data, position)
    version, revision, _, signature, _, loader, flags, data_size, total = header[:9]
    if version != _INTEL_VERSION or loader != _INTEL_VERSION:
        raise FormatError(f"{where} has header version {version} and loader version {loader}")
    if data_size == 0:
        data_size, total = _INTEL_SIZES
    extended = total - _INTEL_HEADER.size - data_size
    if data_size % 4 or total % _INTEL_UNIT or extended < 0:
        raise FormatError(
            f"{where} has {data_size} bytes of data in {total}, which cannot be", hint=_DAMAGED
        )
    update = data[position : position + total]
    if len(update) < total:
        raise FormatError(f"{where} is cut short: {len(update)} of {total} bytes", hint=_DAMAGED)
    if _sum(update[: total - extended]):
        raise FormatError(f"{where} has a wrong checksum", hint=_DAMAGED)
    processors = {(signature, flags)}
    if extended:
        processors |= _extended(
            update[total - extended :], where, sum(header[i] for i in (3, 4, 6))
        )
    return Update(frozenset(processors), revision, update)


def _extended(table: bytes, where: str, own: int) -> set[tuple[int, int]]:
    """Return the further processors of an update; ``own`` is what each entry must add up to."""
    fault = FormatError(f"{where} has a damaged table of processors", hint=_DAMAGED)
    if len(table) < _EXTENDED_HEADER.size:
        raise fault
    count, _ = _EXTENDED_HEADER.unpack_from(table)
    end = _EXTENDED_HEADER.size + count * _EXTENDED_ENTRY.size
    if end > len(table) or _sum(table[:end]):
        raise fault
    entries = list(_EXTENDED_ENTRY.iter_unpack(table[_EXTENDED_HEADER.size : end]))
    if any((sum(entry) - own) & 0xFFFFFFFF for entry in entries):
        raise fault
    return {(signature, flags) for signature, flags, _ in entries}


def _sum(data: bytes) -> int:
    numbers = array.array("I", data)
    if sys.byteorder == "big":
        numbers.byteswap()
    return sum(numbers) & 0xFFFFFFFF


def join_intel(updates: Iterable[Update]) -> tuple[Update, ...]:
    """Return updates in their order, without repeated ones and those that newer ones replace."""
    distinct = list({update.data: update for update in updates}.values())
    newest: dict[tuple[int, int], int] = {}
    for update in distinct:
        for processor in update.processors:
            newest[processor] = max(newest.get(processor, 0), update.revision)
    return tuple(
        update
        for update in distinct
        if any(newest[processor] == update.revision for processor in update.processors)
    )


def read_amd(data: bytes) -> tuple[bytes, ...]:
    """Split what stands one after the other into AMD's containers, and check each.

    :raises FormatError: it is no such file, or damaged.
    """
    containers: list[bytes] = []
    start = 0
    while start < len(data):
        end = _amd_container(data, start)
        containers.append(data[start:end])
        start = end
    return tuple(containers)


def _amd_container(data: bytes, start: int) -> int:
    """Check a container; returns where it ends."""
    where = f"AMD microcode at offset {start}"
    if not data.startswith(AMD_MAGIC, start):
        raise FormatError(f"{where} does not begin with {AMD_MAGIC!r}")
    kind, size, position = _amd_section(data, start + len(AMD_MAGIC), where)
    if kind != _AMD_TABLE or size < _AMD_TABLE_ENTRY or size % _AMD_TABLE_ENTRY:
        raise FormatError(f"{where} has no sound table of processors", hint=_DAMAGED)
    position += size
    while position < len(data) and not data.startswith(AMD_MAGIC, position):
        kind, size, inside = _amd_section(data, position, where)
        if kind != _AMD_PATCH or size < _AMD_PATCH_HEADER:
            raise FormatError(
                f"{where} has no sound update at offset {position}: type {kind}, {size} bytes",
                hint=_DAMAGED,
            )
        position = inside + size
    return position


def _amd_section(data: bytes, position: int, where: str) -> tuple[int, int, int]:
    """Return type and size of a section, and where its content begins."""
    inside = position + _AMD_SECTION.size
    if inside > len(data):
        raise FormatError(f"{where} is cut short", hint=_DAMAGED)
    kind, size = _AMD_SECTION.unpack_from(data, position)
    if size > len(data) - inside:
        raise FormatError(
            f"{where} is cut short: {len(data) - inside} of {size} bytes", hint=_DAMAGED
        )
    return kind, size, inside
