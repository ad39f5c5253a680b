"""What a kernel module's ELF file says about itself, fast enough for thousands.

Contents: ``.modinfo`` holds NUL-separated ``key=value`` texts; which symbols a
module offers and needs is told as kmod's depmod tells it (``libkmod-elf.c``): offered
is what has a ``__crc_`` symbol, or, in a kernel without symbol versions, what
``__ksymtab_strings`` lists; needed are the undefined symbols and whatever else
``__versions`` names. A signature, if any, stands behind the ELF file and ends in
:data:`SIGNATURE_MARKER`.

Only relocatable files with ``.modinfo`` and a symbol table are modules.
"""

from __future__ import annotations

import dataclasses
import struct
import sys
from typing import TYPE_CHECKING, Final, Literal

from rdcompose.errors import FormatError
from rdcompose.formats.elf_sections import read_relocatable

if TYPE_CHECKING:
    from rdcompose.formats.elf_sections import Symbols

SIGNATURE_MARKER: Final = b"~Module signature appended~\n"
EM_SPARC: Final = 2
EM_SPARCV9: Final = 43
STT_REGISTER: Final = 13
CRC_PREFIX: Final = b"__crc_"

# Records of __versions: an unsigned long with the CRC, which does not matter here, and a name.
_VERSIONS: Final = {32: struct.Struct("4x60s"), 64: struct.Struct("8x56s")}
_WANTED: Final = (b".modinfo", b".symtab", b".strtab", b"__ksymtab_strings", b"__versions")


@dataclasses.dataclass(frozen=True, slots=True, weakref_slot=True, kw_only=True)
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
    file = read_relocatable(data)
    found = file.sections(_WANTED)
    modinfo = found.get(b".modinfo")
    if modinfo is None:
        raise FormatError("not a kernel module: there is no section .modinfo")
    symbols = file.symbols(found)
    return ModuleElf(
        machine=file.machine,
        bits=file.layout.bits,
        byteorder=file.layout.byteorder,
        modinfo=_modinfo(modinfo),
        exports=_exports(found, symbols),
        imports=_imports(found, symbols, file.machine),
        signed=data.endswith(SIGNATURE_MARKER),
    )


def _modinfo(section: bytes) -> tuple[tuple[str, str], ...]:
    text = section.decode("utf-8", "surrogateescape")
    pairs = [line.partition("=") for line in text.split("\0") if line]
    return tuple([(key, value) for key, _, value in pairs])


def _exports(found: dict[bytes, bytes], symbols: Symbols) -> tuple[str, ...]:
    places = symbols.places(CRC_PREFIX)
    exported = [at for at in symbols.offsets[1:] if at in places] if places else []
    if exported:
        return _decoded([symbols.name(at + len(CRC_PREFIX)) for at in exported])
    return _decoded(found.get(b"__ksymtab_strings", b"").split(b"\0"))


def _imports(found: dict[bytes, bytes], symbols: Symbols, machine: int) -> tuple[str, ...]:
    undefined = symbols.undefined()
    if machine in {EM_SPARC, EM_SPARCV9}:
        # There, global registers that the code uses stand among the undefined symbols.
        undefined = [index for index in undefined if symbols.infos[index] & 15 != STT_REGISTER]
    offsets = symbols.offsets
    names = [symbols.name(offsets[index]) for index in undefined]
    versions = found.get(b"__versions", b"")
    record = _VERSIONS[symbols.layout.bits]
    if len(versions) % record.size == 0:
        # Mostly just module_layout, which the kernel checks though no code refers to it.
        known = set(names)
        named = [name.partition(b"\0")[0] for (name,) in record.iter_unpack(versions)]
        names += [name for name in named if name not in known]
    return _decoded(names)


def _decoded(names: list[bytes]) -> tuple[str, ...]:
    text = b"\0".join(names).decode("utf-8", "surrogateescape")
    # The same few thousand names occur in all modules of a kernel.
    return tuple([sys.intern(name) for name in text.split("\0") if name])
