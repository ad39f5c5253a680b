"""Kernel modules from nothing: minimal valid relocatable ELF files, no compiler.

Layout: ELF gABI, chapters 4 and 5. What a kernel build puts into a module and its
readers look at is there: ``.modinfo``, ``__ksymtab_strings``, the ``__crc_`` and the
undefined symbols, ``__versions`` and, on demand, an appended signature.
"""

from __future__ import annotations

import dataclasses
import struct
import zlib
from collections.abc import Iterable, Mapping
from typing import Final, Literal

ET_REL: Final = 1
EM_X86_64: Final = 62
EM_AARCH64: Final = 183

_SHT_PROGBITS: Final = 1
_SHT_SYMTAB: Final = 2
_SHT_STRTAB: Final = 3
_STB_GLOBAL: Final = 1
_STB_WEAK: Final = 2
_SHN_ABS: Final = 0xFFF1

SIGNATURE_MARKER: Final = b"~Module signature appended~\n"

VersionForm = Literal["records", "extended", "chained"]
Modinfo = Mapping[str, str] | Iterable[tuple[str, str] | str]


@dataclasses.dataclass(frozen=True, slots=True)
class Section:
    """A section by its header fields; the offsets are computed."""

    name: str
    data: bytes
    kind: int = _SHT_PROGBITS
    link: int = 0
    info: int = 0
    entry_size: int = 0


def make_ko(
    modinfo: Modinfo = (),
    exports: Iterable[str] | Mapping[str, int] = (),
    imports: Iterable[str] = (),
    *,
    weak_imports: Iterable[str] = (),
    versions: Iterable[str] | Mapping[str, int] = (),
    version_form: VersionForm = "records",
    crcs: bool | Literal["section"] = True,
    bits: int = 64,
    byteorder: Literal["little", "big"] = "little",
    machine: int = EM_X86_64,
    elf_type: int = ET_REL,
    signature: bytes | None = None,
    padding: int = 0,
) -> bytes:
    """Return a module file.

    ``modinfo`` is a mapping, pairs, or ``"key=value"`` texts, in file order. Exported
    symbols get a ``__crc_`` symbol each unless ``crcs`` is off, in a section of their own
    for ``section``; imports become undefined symbols, ``versions`` are what the module was
    built against. CRCs that are not given follow from the names. ``signature``
    appends a signature of these bytes with its trailer; ``padding`` adds that many
    bytes of ``.text``, so that modules differ in size and content.
    """
    order: Literal["<", ">"] = "<" if byteorder == "little" else ">"
    exported = with_crcs(exports)
    symbols: list[tuple[str, int, int, int]] = []  # name, bind, section, value
    table = b""
    if crcs == "section":
        table = b"".join(struct.pack(order + "I", crc) for crc in exported.values())
        # The section is the first one.
        symbols += [
            ("__crc_" + name, _STB_GLOBAL, 1, 4 * number) for number, name in enumerate(exported)
        ]
    elif crcs:
        symbols += [("__crc_" + name, _STB_GLOBAL, _SHN_ABS, crc) for name, crc in exported.items()]
    symbols += [(name, _STB_GLOBAL, 0, 0) for name in imports]
    symbols += [(name, _STB_WEAK, 0, 0) for name in weak_imports]
    symtab, strtab = _symbol_table(symbols, bits, order)
    sections = [
        Section("__kcrctab", table),
        Section(".text", b"\x90" * padding),
        Section(".modinfo", b"".join(f"{line}\0".encode() for line in _lines(modinfo))),
        Section("__ksymtab_strings", b"".join(name.encode() + b"\0" for name in exported)),
        *_versions(with_crcs(versions), version_form, bits, order),
    ]
    sections = [section for section in sections if section.data]
    symbol_size = 24 if bits == 64 else 16
    sections.append(
        Section(".symtab", symtab, _SHT_SYMTAB, len(sections) + 2, 1, symbol_size),
    )
    sections.append(Section(".strtab", strtab, _SHT_STRTAB))
    data = make_elf(sections, bits=bits, order=order, machine=machine, elf_type=elf_type)
    if signature is not None:
        # struct module_signature: algo, hash, id_type PKCS#7, three unused, be32 length
        trailer = struct.pack(">BBBBB3xI", 0, 0, 2, 0, 0, len(signature))
        data += signature + trailer + SIGNATURE_MARKER
    return data


def make_elf(
    sections: Iterable[Section],
    *,
    bits: int,
    order: Literal["<", ">"],
    machine: int,
    elf_type: int,
) -> bytes:
    """Return an ELF file of these sections, a null one in front, the names behind."""
    listed = [Section("", b"", 0), *sections]
    names, offsets = _strings([*(section.name for section in listed), ".shstrtab"])
    listed.append(Section(".shstrtab", names, _SHT_STRTAB))
    header_size = 64 if bits == 64 else 52
    record = struct.Struct(order + ("IIQQQQIIQQ" if bits == 64 else "10I"))
    body = bytearray()
    headers = bytearray()
    for section, name in zip(listed, offsets, strict=True):
        body += bytes(-len(body) % 8)
        at = header_size + len(body) if section.kind else 0
        headers += record.pack(
            name, section.kind, 0, 0, at, len(section.data), section.link, section.info, 1,
            section.entry_size,
        )  # fmt: skip
        body += section.data
    body += bytes(-(header_size + len(body)) % 8)
    ident = bytes([0x7F, *b"ELF", 2 if bits == 64 else 1, 1 if order == "<" else 2, 1])
    header = ident.ljust(16, b"\0") + struct.pack(
        order + ("HHIQQQIHHHHHH" if bits == 64 else "HHIIIIIHHHHHH"),
        elf_type, machine, 1, 0, 0, header_size + len(body), 0, header_size, 0, 0,
        record.size, len(listed), len(listed) - 1,
    )  # fmt: skip
    return header + bytes(body) + bytes(headers)


def with_crcs(symbols: Iterable[str] | Mapping[str, int]) -> dict[str, int]:
    """Return symbols with their CRCs; those that have none get one by their names."""
    if isinstance(symbols, Mapping):
        return dict(symbols)
    return {name: zlib.crc32(name.encode()) for name in symbols}


def _lines(modinfo: Modinfo) -> list[str]:
    items = modinfo.items() if isinstance(modinfo, Mapping) else modinfo
    return [item if isinstance(item, str) else "=".join(item) for item in items]


def _strings(names: Iterable[str]) -> tuple[bytes, list[int]]:
    table = bytearray(b"\0")
    offsets: list[int] = []
    for name in names:
        offsets.append(len(table) if name else 0)
        table += name.encode() + b"\0" if name else b""
    return bytes(table), offsets


def _symbol_table(
    symbols: list[tuple[str, int, int, int]], bits: int, order: str
) -> tuple[bytes, bytes]:
    strtab, offsets = _strings(name for name, _, _, _ in symbols)
    out = bytearray(24 if bits == 64 else 16)
    for offset, (_, bind, section, value) in zip(offsets, symbols, strict=True):
        info = bind << 4
        if bits == 64:
            out += struct.pack(order + "IBBHQQ", offset, info, 0, section, value, 0)
        else:
            out += struct.pack(order + "IIIBBH", offset, value, 0, info, 0, section)
    return bytes(out), strtab


def _versions(
    versions: Mapping[str, int], form: VersionForm, bits: int, order: str
) -> list[Section]:
    if form == "extended":
        crcs = struct.pack(f"{order}{len(versions)}I", *versions.values())
        names = b"".join(name.encode() + b"\0" for name in versions)
        return [Section("__version_ext_crcs", crcs), Section("__version_ext_names", names)]
    if form == "chained":
        rows = [(crc, name.encode() + bytes(4 - len(name) % 4)) for name, crc in versions.items()]
        chain = [struct.pack(order + "II", 8 + len(name), crc) + name for crc, name in rows]
        return [Section("__versions", b"".join(chain) + bytes(9))]
    record = struct.Struct(order + ("Q56s" if bits == 64 else "I60s"))
    data = b"".join(record.pack(crc, name.encode()) for name, crc in versions.items())
    return [Section("__versions", data)]
