"""``Module.symvers``: the symbols that a kernel and its modules export, and their CRCs.

Reference: ``Documentation/kbuild/modules.rst`` and ``read_dump`` of ``scripts/mod/modpost.c``.
Lines of fields with tabs between them: CRC in hexadecimal, symbol, exporting module without
``.ko`` (``vmlinux`` for the kernel itself), type of export and namespace. The namespace came
with Linux 5.4, at first in front of the module.
"""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING, Final

from rdcompose.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Mapping

KERNEL: Final = "vmlinux"
_CRC: Final = re.compile(r"0x[0-9a-f]{8}")
_TYPE: Final = "EXPORT_"
# Module, type and namespace; without the last before 5.4, which goes in front until 5.7.
_FIELDS: Final = (4, 5)


@dataclasses.dataclass(frozen=True, slots=True)
class SymbolVersion:
    """One line; ``crc`` is 0 in a kernel without symbol versions."""

    crc: int
    owner: str
    gpl: bool
    namespace: str


def parse_symvers(data: bytes) -> Mapping[str, SymbolVersion]:
    """Return the lines by symbol.

    :raises FormatError: it is no such file; names the line.
    """
    found: dict[str, SymbolVersion] = {}
    for number, line in enumerate(data.decode("utf-8", "replace").splitlines(), 1):
        fields = line.split("\t")
        if len(fields) not in _FIELDS or _CRC.fullmatch(fields[0]) is None:
            raise FormatError(f"line {number} is none of Module.symvers: {line[:80]!r}")
        owner, kind, namespace = (*fields[2:], "")[:3]
        if namespace.startswith(_TYPE):
            namespace, owner, kind = owner, kind, namespace
        if not kind.startswith(_TYPE) or not fields[1]:
            raise FormatError(f"line {number} is none of Module.symvers: {line[:80]!r}")
        found[fields[1]] = SymbolVersion(
            crc=int(fields[0], 16), owner=owner, gpl="_GPL" in kind, namespace=namespace
        )
    if not found:
        raise FormatError("it is empty")
    return found
