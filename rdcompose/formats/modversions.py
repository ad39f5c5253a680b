"""Symbol versions of a kernel module: the CRC of each symbol that it needs and offers.

Reference: the kernel's ``check_version`` (``kernel/module/version.c``) and ``modpost``
for what a module needs, kmod's ``kmod_elf_resolve_crc`` (``libkmod-elf.c``) for what it
offers. Three forms of the former are about:

- ``__versions``: records of 64 bytes, an ``unsigned long`` with the CRC and a name;
- ``__version_ext_crcs`` and ``__version_ext_names``, since Linux 6.14: words and
  NUL-terminated names, for names of any length. The kernel believes them alone;
- ``__versions`` of Ubuntu's kernels 23.04 to 24.10: the length of the record, a CRC
  and a padded name, and a record of length 0 behind the last.

The CRC of a symbol that is offered is the value of the symbol ``__crc_NAME`` or, if that
lies in a section, the word at this place. A kernel without ``CONFIG_MODVERSIONS`` makes
modules without versions.
"""

from __future__ import annotations

import dataclasses
import struct
from typing import TYPE_CHECKING, Final

from rdcompose.errors import FormatError
from rdcompose.formats.elf import CRC_PREFIX, EM_SPARC, EM_SPARCV9, STT_REGISTER
from rdcompose.formats.elf_sections import read_relocatable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from rdcompose.formats.elf_sections import Relocatable, Symbols

STB_WEAK: Final = 2
SHN_UNDEF: Final = 0
SHN_ABS: Final = 0xFFF1

# As in modpost's ignore_undef_symbol: what the linker or the loader makes.
_MADE: Final = frozenset({b"__this_module", b"_GLOBAL_OFFSET_TABLE_", b".TOC."})
_MADE_PREFIXES: Final = (
    b"_restgpr", b"_savegpr", b"_rest32gpr_", b"_save32gpr_", b"_restvr_", b"_savevr_",
    b"__s390_indirect_jump_",
)  # fmt: skip
_RECORD: Final = 64
_EXTENDED_CRCS: Final = b"__version_ext_crcs"
_EXTENDED_NAMES: Final = b"__version_ext_names"
_WANTED: Final = (b".symtab", b".strtab", b"__versions", _EXTENDED_CRCS, _EXTENDED_NAMES)


@dataclasses.dataclass(frozen=True, slots=True, weakref_slot=True, kw_only=True)
class ModuleVersions:
    """CRCs by symbol, in the order of the file.

    ``imports`` has ``module_layout``, too, which no code refers to. Without symbol versions
    both are empty. ``needed`` are the symbols without which the module does not load, with a
    version or not; weak ones and those that only the linker knows are not among them.
    """

    imports: Mapping[str, int]
    exports: Mapping[str, int]
    needed: tuple[str, ...]


def read_versions(data: bytes) -> ModuleVersions:
    """Read the symbol versions of a module file, decompressed.

    :raises FormatError: the bytes are no relocatable ELF file, or its tables are damaged.
    """
    file = read_relocatable(data)
    found = file.sections(_WANTED)
    symbols = file.symbols(found)
    return ModuleVersions(
        imports=_imports(file, found),
        exports=_exports(file, symbols),
        needed=_needed(file, symbols),
    )


def _imports(file: Relocatable, found: Mapping[bytes, bytes]) -> dict[str, int]:
    order = _order(file)
    if _EXTENDED_CRCS in found:
        return _by_name(_extended(found, order))
    section = found.get(b"__versions", b"")
    chained = _chained(section, order)
    return _by_name(_records(file, section) if chained is None else chained)


def _order(file: Relocatable) -> str:
    return "<" if file.layout.byteorder == "little" else ">"


def _by_name(pairs: Iterable[tuple[bytes, int]]) -> dict[str, int]:
    """Return the pairs by name; of two with one, the first, as the kernel searches."""
    found: dict[str, int] = {}
    for name, crc in pairs:
        # On PowerPC, ".name" is the code of the function "name".
        text = name.removeprefix(b".").decode("utf-8", "surrogateescape")
        found.setdefault(text, crc)
    return found


def _records(file: Relocatable, section: bytes) -> Iterator[tuple[bytes, int]]:
    if len(section) % _RECORD:
        raise FormatError(f"the symbol versions of {len(section)} bytes are of an unknown form")
    width = file.layout.bits // 8
    record = struct.Struct(f"{_order(file)}{'Q' if width == 8 else 'I'}{_RECORD - width}s")
    for number, (crc, padded) in enumerate(record.iter_unpack(section)):
        name, nul, _ = padded.partition(b"\0")
        if not name or not nul or crc >> 32:
            raise FormatError(f"the symbol version number {number} is damaged")
        yield name, crc


def _extended(found: Mapping[bytes, bytes], order: str) -> Iterator[tuple[bytes, int]]:
    crcs = found[_EXTENDED_CRCS]
    names = found.get(_EXTENDED_NAMES, b"").split(b"\0")[:-1]
    count, rest = divmod(len(crcs), 4)
    if rest or count > len(names):
        raise FormatError(f"{len(crcs)} bytes of symbol versions for {len(names)} names")
    # Names without a version, behind the others, mean nothing to the kernel either.
    return zip(names[:count], struct.unpack(f"{order}{count}I", crcs), strict=True)


def _chained(section: bytes, order: str) -> list[tuple[bytes, int]] | None:
    """Return records that begin with their length; ``None`` if these are no such records."""
    head = struct.Struct(f"{order}II")
    found: list[tuple[bytes, int]] = []
    at = 0
    while at + head.size <= len(section):
        length, crc = head.unpack_from(section, at)
        if not length:
            break
        name = section[at + head.size : at + length].rstrip(b"\0")
        # The name is padded by one to four bytes, which no CRC in their place looks like.
        if not name or b"\0" in name or length != head.size + len(name) + 4 - len(name) % 4:
            return None
        found.append((name, crc))
        at += length
    return found if found and not any(section[at:]) else None


def _needed(file: Relocatable, symbols: Symbols) -> tuple[str, ...]:
    found: list[str] = []
    for index in symbols.undefined():
        info = symbols.infos[index]
        name = symbols.name(symbols.offsets[index])
        register = file.machine in {EM_SPARC, EM_SPARCV9} and info & 15 == STT_REGISTER
        made = not name or name in _MADE or name.startswith(_MADE_PREFIXES)
        if info >> 4 != STB_WEAK and not register and not made:
            found.append(name.removeprefix(b".").decode("utf-8", "surrogateescape"))
    return tuple(found)


def _exports(file: Relocatable, symbols: Symbols) -> dict[str, int]:
    places = symbols.places(CRC_PREFIX)
    if not places:
        return {}
    indexes = [index for index, at in enumerate(symbols.offsets) if at in places and index]
    names = [symbols.name(symbols.offsets[index] + len(CRC_PREFIX)) for index in indexes]
    sections: dict[int, bytes] = {}
    return {
        name.decode("utf-8", "surrogateescape"): _crc(file, symbols, index, sections)
        for name, index in zip(names, indexes, strict=True)
    }


def _crc(file: Relocatable, symbols: Symbols, index: int, sections: dict[int, bytes]) -> int:
    number, value = symbols.value(index)
    if number in {SHN_UNDEF, SHN_ABS}:
        return value
    if number not in sections:
        sections[number] = file.section(number)
    word = sections[number][value : value + 4]
    if len(word) != 4:
        raise FormatError(
            f"a symbol version at {value} is outside of its section, which has "
            f"{len(sections[number])} bytes"
        )
    return int.from_bytes(word, file.layout.byteorder)
