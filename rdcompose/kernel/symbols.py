"""The symbols of one kernel and their versions, from all that tells of them.

What the kernel's own modules need and offer is always known. What the kernel itself offers
stands in the kernel's image or, where that cannot be read, in ``Module.symvers``; without both
it is known as far as the kernel's own modules use it.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final, Literal

from rdcompose.errors import ReleaseError
from rdcompose.formats.image_payload import layers
from rdcompose.formats.ksymtab import read_kernel_symbols
from rdcompose.formats.modversions import read_versions
from rdcompose.formats.symvers import KERNEL, SymbolVersion
from rdcompose.tree import read_all

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rdcompose.formats.modversions import ModuleVersions
    from rdcompose.kernel.module import Module
    from rdcompose.kernel.package import KernelPackage

# As many as fit a message that is still read.
_SHOWN: Final = 5


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class KernelSymbols:
    """CRCs by symbol.

    ``used`` are those that the kernel's own modules need, ``offered`` those that they export,
    by module name. ``exported`` are all that are known to be exported; if ``complete``, there
    are no others. In a kernel without symbol versions, all CRCs are 0.
    """

    used: Mapping[str, int]
    offered: Mapping[str, Mapping[str, int]]
    exported: Mapping[str, SymbolVersion]
    complete: bool


def module_versions(module: Module) -> ModuleVersions:
    """Read the symbol versions of a module.

    :raises FormatError: its tables are damaged.
    """
    return read_versions(read_all(module.content))


def kernel_symbols(
    package: KernelPackage, symvers: Mapping[str, SymbolVersion] | None
) -> KernelSymbols:
    """Collect what is known of a kernel's symbols; ``symvers`` is of ``Module.symvers``.

    :raises ReleaseError: ``symvers`` is of another kernel.
    """
    used, offered = _of_modules(package)
    exports = {
        symbol: SymbolVersion(crc, owner, gpl=False, namespace="")
        for owner, symbols in offered.items()
        for symbol, crc in symbols.items()
    }
    known = used | {symbol: found.crc for symbol, found in exports.items()}
    if symvers is not None:
        _check_symvers(package.release, known, symvers)
        more = symvers
    else:
        more = _of_image(package, known)
    return KernelSymbols(
        used=used, offered=offered, exported={**exports, **more}, complete=bool(more)
    )


def _of_modules(
    package: KernelPackage,
) -> tuple[dict[str, int], dict[str, Mapping[str, int]]]:
    versioned = package.config.builtin("MODVERSIONS")
    used: dict[str, int] = {}
    offered: dict[str, Mapping[str, int]] = {}
    for module in package.tree.modules:
        if versioned:
            versions = module_versions(module)
            used |= versions.imports
            offered[module.name] = versions.exports
        else:
            used |= dict.fromkeys(module.elf.imports, 0)
            offered[module.name] = dict.fromkeys(module.elf.exports, 0)
    return used, offered


def _check_symvers(
    release: str, known: Mapping[str, int], symvers: Mapping[str, SymbolVersion]
) -> None:
    other = [name for name, crc in known.items() if name in symvers and symvers[name].crc != crc]
    if other:
        raise ReleaseError(
            f"Module.symvers is not of {release}: the kernel has other versions of "
            f"{len(other)} symbols: {shown(other)}",
            hint=f"take it from linux-headers-{release}",
        )


def _of_image(package: KernelPackage, known: Mapping[str, int]) -> Mapping[str, SymbolVersion]:
    """Return what the kernel itself exports, if its image tells so in a way that fits."""
    architecture = package.architecture
    bits: Literal[32, 64] = 32 if architecture.bits == 32 else 64
    versioned = package.config.builtin("MODVERSIONS")
    for data in layers(package.image):
        table = read_kernel_symbols(
            data, bits=bits, byteorder=architecture.byteorder, versioned=versioned
        )
        if table is None:
            continue
        if all(found.crc == known.get(name, found.crc) for name, found in table.items()):
            return {
                name: SymbolVersion(found.crc, KERNEL, found.gpl, found.namespace)
                for name, found in table.items()
            }
    return {}


def shown(names: list[str]) -> str:
    """Return the first of some names, for a message."""
    return ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")
