"""The table of symbols that a kernel exports to its modules, found inside an unpacked kernel.

Layout: ``include/linux/export-internal.h`` and ``include/asm-generic/vmlinux.lds.h`` of
Linux 5.19 and later. ``__ksymtab`` and ``__ksymtab_gpl`` stand side by side, each sorted by
name; a record is three words: value, name and namespace, which are distances from the word
itself or, without ``CONFIG_HAVE_ARCH_PREL32_RELOCATIONS``, addresses. Behind them stand the
CRCs, one 32-bit word a symbol in the same order, and then the names. Linux 7 has one
``__ksymtab`` for all, and behind the CRCs ``__kflagstab``, a byte a symbol. Without
``CONFIG_MODVERSIONS`` there are no CRCs.

Kernels are stripped of what would tell where this is, so it is found by a symbol that every
kernel with modules has. A table that is not as described is not found, or
has CRCs that do not fit: the caller compares those with what the kernel's own modules have.
"""

from __future__ import annotations

import array
import dataclasses
import re
import struct
import sys
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# The first is of kernels with symbol versions only.
ANCHORS: Final = (b"module_layout\0", b"_printk\0")
# KSYM_FLAG_GPL_ONLY of include/linux/module_symbol.h
GPL_ONLY: Final = 1
_NAME: Final = re.compile(rb"([A-Za-z_.][A-Za-z0-9_.]{0,510})\0")
_NAMESPACE: Final = re.compile(rb"([A-Za-z0-9_.:,*-]{1,255})\0")
# The table of a kernel with 15 000 symbols and their names are half of this.
_REACH: Final = 1 << 20
# Kernels are linked to addresses that have the last bits of their places in the file.
_PAGE: Final = 4096
_FEWEST: Final = 16


@dataclasses.dataclass(frozen=True, slots=True)
class KernelSymbol:
    """A symbol that the kernel exports; ``crc`` is 0 without symbol versions."""

    crc: int
    gpl: bool
    namespace: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Form:
    """How the words of a record are to be read; ``base`` is ``None`` for distances."""

    order: str
    size: int
    base: int | None

    def target(self, data: bytes, at: int) -> int:
        """Return where the word at an offset leads to."""
        letter = "i" if self.base is None else "I" if self.size == 4 else "Q"
        (word,) = struct.unpack_from(self.order + letter, data, at)
        return int(word) + at if self.base is None else int(word) - self.base


def read_kernel_symbols(
    data: bytes,
    *,
    bits: Literal[32, 64],
    byteorder: Literal["little", "big"],
    versioned: bool = True,
) -> Mapping[str, KernelSymbol] | None:
    """Return the symbols of an unpacked kernel by name; ``None`` if there is no such table.

    ``versioned`` says whether it has CRCs.
    """
    for anchor in ANCHORS:
        at = data.find(anchor)
        while at >= 0:
            for form, record in _candidates(data, at, bits, byteorder):
                found = _table(data, record, form, versioned=versioned)
                if found is not None:
                    return found
            at = data.find(anchor, at + 1)
    return None


def _candidates(
    data: bytes, name: int, bits: Literal[32, 64], byteorder: Literal["little", "big"]
) -> Iterator[tuple[_Form, int]]:
    """Yield records that may have the name at an offset, and how to read them."""
    order = "<" if byteorder == "little" else ">"
    start = max(0, name - _REACH) & ~7
    for letter in ("i", "I") if bits == 32 else ("i", "Q"):
        words = array.array(letter, data[start : name & ~7])
        if byteorder != sys.byteorder:
            words.byteswap()
        size = words.itemsize
        if letter == "i":
            hits = [
                index for index, word in enumerate(words) if word + size * index == name - start
            ]
        else:
            hits = [index for index, word in enumerate(words) if (word - name) % _PAGE == 0]
        for index in hits:
            base = None if letter == "i" else words[index] - name
            record = start + size * (index - 1)
            if record >= 0:
                yield _Form(order=order, size=size, base=base), record


def _table(
    data: bytes, record: int, form: _Form, *, versioned: bool
) -> dict[str, KernelSymbol] | None:
    size = 3 * form.size
    first = record
    while _name(data, first - size, form) is not None:
        first -= size
    names: list[bytes] = []
    namespaces: list[str] = []
    end = first
    while (name := _name(data, end, form)) is not None:
        names.append(name)
        namespaces.append(_namespace(data, end, form))
        end += size
    count = len(names)
    # Sorted by name, once in each part.
    parts = [index for index in range(1, count) if names[index] <= names[index - 1]]
    if count < _FEWEST or len(parts) > 1 or end + 4 * count > len(data):
        return None
    crcs: tuple[int, ...] = (0,) * count
    if versioned:
        crcs = struct.unpack_from(f"{form.order}{count}I", data, end)
        end += 4 * count
    flags = _flags(data[end : end + count], parts, count)
    return {
        name.decode("ascii"): KernelSymbol(crc, gpl, namespace)
        for name, crc, gpl, namespace in zip(names, crcs, flags, namespaces, strict=True)
    }


def _flags(behind: bytes, parts: list[int], count: int) -> list[bool]:
    """Tell which symbols are for the GPL: those of the second part, or by their flags."""
    if parts:
        return [number >= parts[0] for number in range(count)]
    if len(behind) == count and set(behind) <= {0, GPL_ONLY}:
        return [flag == GPL_ONLY for flag in behind]
    return [False] * count


def _name(data: bytes, record: int, form: _Form) -> bytes | None:
    """Return the name in a record; ``None`` if there is none within reach."""
    if record < 0 or record + 3 * form.size > len(data):
        return None
    target = form.target(data, record + form.size)
    if not record < target < record + _REACH:
        return None
    found = _NAME.match(data, target)
    return None if found is None else found[1]


def _namespace(data: bytes, record: int, form: _Form) -> str:
    target = form.target(data, record + 2 * form.size)
    if not record + 3 * form.size < target < record + _REACH:
        return ""  # a null pointer
    found = _NAMESPACE.match(data, target)
    return "" if found is None else found[1].decode("ascii")
