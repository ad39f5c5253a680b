"""What modules say of themselves, as columns that load fast.

Every text stands once, in one string; what refers to it are numbers of 32 bits. The same few
thousand symbols occur in all modules of a kernel, so that this is half the size of any form that
repeats them, and loads several times faster than JSON. It is read on the machine that wrote it:
numbers have its byte order.
"""

from __future__ import annotations

import itertools
from array import array
from typing import TYPE_CHECKING, Final, NamedTuple

from rdcompose.formats.elf import ModuleElf

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Literal

    from rdcompose.kernel.module import Module

# Path, machine, bits, byte order, signed; numbers of texts in modinfo, exports and imports.
_COLUMNS: Final = 8
_NUMBERS: Final = "I"
_SEPARATOR: Final = "\0"
_ORDERS: Final[tuple[Literal["little"], Literal["big"]]] = ("little", "big")
_BITS: Final[dict[int, Literal[32, 64]]] = {32: 32, 64: 64}


class Table(NamedTuple):
    """The columns: texts, a row of numbers for each module, and which texts are whose."""

    texts: bytes
    rows: bytes
    uses: bytes


class Row(NamedTuple):
    """A module without its content."""

    path: str
    elf: ModuleElf


def write_table(modules: Iterable[Module]) -> Table:
    """Return what modules say, in their order."""
    numbers: dict[str, int] = {}
    rows = array(_NUMBERS)
    uses = array(_NUMBERS)
    for module in modules:
        elf = module.elf
        fields = tuple(itertools.chain.from_iterable(elf.modinfo))
        for text in (module.path, *fields, *elf.exports, *elf.imports):
            uses.append(numbers.setdefault(text, len(numbers)))
        rows.extend(
            (uses[-1 - len(fields) - len(elf.exports) - len(elf.imports)], elf.machine, elf.bits)
        )
        rows.extend((_ORDERS.index(elf.byteorder), elf.signed))
        rows.extend((len(fields), len(elf.exports), len(elf.imports)))
    texts = _SEPARATOR.join(numbers).encode("utf-8", "surrogateescape")
    return Table(texts, rows.tobytes(), uses.tobytes())


def read_table(table: Table) -> Iterator[Row]:
    """Yield what modules say, in the order that they were written in.

    :raises ValueError: this is no such table.
    :raises IndexError: it is damaged.
    :raises KeyError: it is damaged.
    """
    texts = table.texts.decode("utf-8", "surrogateescape").split(_SEPARATOR)
    rows = _array(table.rows)
    used = list(map(texts.__getitem__, _array(table.uses)))
    at = 0
    for start in range(0, len(rows), _COLUMNS):
        _, machine, bits, order, signed, *counts = rows[start : start + _COLUMNS]
        path = used[at]
        first = at + 1
        middle = first + counts[0]
        last = middle + counts[1]
        at = last + counts[2]
        fields = used[first:middle]
        yield Row(
            path,
            ModuleElf(
                machine=machine,
                bits=_BITS[bits],
                byteorder=_ORDERS[order],
                modinfo=tuple(zip(fields[::2], fields[1::2], strict=True)),
                exports=tuple(used[middle:last]),
                imports=tuple(used[last:at]),
                signed=bool(signed),
            ),
        )


def _array(data: bytes) -> array[int]:
    found = array(_NUMBERS)
    found.frombytes(data)
    return found
