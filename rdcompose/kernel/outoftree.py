"""Whether modules that were built outside of a kernel's tree fit this kernel.

The kernel compares vermagic, without the release, and the CRCs of symbols when it loads a
module, and it can be told not to. What it does not notice ends in an oops; what it does notice
shows long after the boot, as a module that does not load. So all of it is compared here, and
the release, too. Reference: ``check_version`` and ``same_magic`` (``kernel/module/version.c``),
``verify_namespace_is_imported`` and ``license_is_gpl_compatible`` of the kernel.
"""

from __future__ import annotations

import dataclasses
import fnmatch
from typing import TYPE_CHECKING, Final

from rdcompose.errors import ReleaseError
from rdcompose.kernel.module import modname
from rdcompose.kernel.release import machine_name
from rdcompose.kernel.symbols import module_versions, shown
from rdcompose.kernel.taints import GPL_COMPATIBLE
from rdcompose.kernel.vermagic import differences

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from rdcompose.formats.modversions import ModuleVersions
    from rdcompose.kernel.module import Module
    from rdcompose.kernel.package import KernelPackage
    from rdcompose.kernel.symbols import KernelSymbols

_BY_NAME: Final = "module:"
_SHOWN: Final = 3


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Given:
    """An out-of-tree module and its symbol versions."""

    module: Module
    versions: ModuleVersions

    @property
    def file(self) -> str:
        return self.module.path.rpartition("/")[2]


def check_out_of_tree(
    package: KernelPackage,
    modules: Sequence[Module],
    symbols: KernelSymbols,
    *,
    proof: bool = True,
) -> None:
    """Check that modules fit a kernel, its modules and each other.

    Without ``proof``, what cannot be compared passes.

    :raises ReleaseError: one does not fit, or it cannot be proved; says which part of its
        vermagic or which symbols differ.
    """
    given = [_Given(module=module, versions=module_versions(module)) for module in modules]
    check = _Check(package, given, symbols, proof=proof)
    faults = {entry.file: tuple(check.faults(entry)) for entry in given}
    faults = {file: found for file, found in faults.items() if found}
    if not faults:
        return
    if len(faults) == 1:
        ((file, found),) = faults.items()
        message = f"the module {file} does not fit the kernel {package.release}: {'; '.join(found)}"
    else:
        told = [f"{file}: {'; '.join(found)}" for file, found in list(faults.items())[:_SHOWN]]
        more = f". And {len(faults) - _SHOWN} more" if len(faults) > _SHOWN else ""
        message = (
            f"{len(faults)} of {len(given)} modules do not fit the kernel {package.release}: "
            f"{'. '.join(told)}{more}"
        )
    raise ReleaseError(message, hint=check.hint)


class _Check:
    """What modules are held against; ``hint`` is what to do about the faults so far."""

    def __init__(
        self,
        package: KernelPackage,
        given: Sequence[_Given],
        symbols: KernelSymbols,
        *,
        proof: bool,
    ) -> None:
        self._proof = proof
        self._package = package
        self._symbols = symbols
        own = package.tree.modules
        self._vermagic = own[0].elf.vermagic if own else None
        replaced = {entry.module.name for entry in given}
        self._names = {module.name for module in own} | replaced
        self._names |= {modname(path) for path in package.tree.builtin}
        self._exported = {
            name: symbol
            for name, symbol in symbols.exported.items()
            if modname(symbol.owner) not in replaced
        }
        self._offered = {
            name: crc for entry in given for name, crc in entry.versions.exports.items()
        }
        self._provided = {name for entry in given for name in entry.module.elf.exports}
        self.hint = f"build it for this kernel, against linux-headers-{package.release}"

    def faults(self, entry: _Given) -> Iterator[str]:
        """Yield what does not fit of one module, in words about it."""
        elf, architecture = entry.module.elf, self._package.architecture
        wanted = (architecture.elf_machine, architecture.bits, architecture.byteorder)
        if (elf.machine, elf.bits, elf.byteorder) != wanted:
            theirs = machine_name(elf.machine, elf.bits, elf.byteorder)
            yield f"it is for {theirs}, not for {architecture.description}"
            return  # nothing else can be compared
        yield from self._of_vermagic(elf.vermagic or "")
        if self._versioned:
            yield from self._of_versions(entry)
        yield from self._of_names(entry)
        yield from self._of_permissions(entry)
        yield from self._of_replaced(entry)

    @property
    def _versioned(self) -> bool:
        return self._package.config.builtin("MODVERSIONS")

    def _of_vermagic(self, vermagic: str) -> Iterable[str]:
        if self._vermagic is not None:
            return differences(vermagic, self._vermagic)
        release = vermagic.partition(" ")[0]
        # A kernel without modules of its own shows no more of it than the release.
        return (
            () if release == self._package.release else differences(release, self._package.release)
        )

    def _of_versions(self, entry: _Given) -> Iterator[str]:
        imports = entry.versions.imports
        other = [name for name, crc in imports.items() if self._crc(name) not in {None, crc}]
        if other:
            yield (
                f"of its {len(imports)} symbols, {len(other)} have other versions in this kernel: "
                f"{shown(other)}"
            )
        bare = [
            name
            for name in entry.versions.needed
            if name not in imports and name not in self._provided
        ]
        if bare:
            yield (
                f"it was built without versions of {len(bare)} symbols, which the kernel then "
                f"does not check: {shown(bare)}"
            )

    def _crc(self, name: str) -> int | None:
        if name in self._offered:
            return self._offered[name]
        if name in self._exported:
            return self._exported[name].crc
        return self._symbols.used.get(name)

    def _of_names(self, entry: _Given) -> Iterator[str]:
        unknown = [
            name
            for name in entry.versions.needed
            if name not in self._provided and not self._is_known(name)
        ]
        if unknown and self._symbols.complete:
            yield f"{len(unknown)} of its symbols are exported by nothing: {shown(unknown)}"
        elif unknown and self._proof:
            yield (
                f"{len(unknown)} of its symbols are used by no module of this kernel, so their "
                f"versions cannot be compared: {shown(unknown)}"
            )
            self.hint = (
                f"give Module.symvers, or the linux-headers-{self._package.release} package that "
                "holds it, with --symvers"
            )
        depends = (entry.module.elf.value("depends") or "").split(",")
        missing = [name for name in depends if name and modname(name) not in self._names]
        if missing:
            yield f"it depends on modules that are not there: {shown(missing)}"
            self.hint = "give what it depends on, too, with --module"

    def _is_known(self, name: str) -> bool:
        return name in self._exported or name in self._symbols.used

    def _of_permissions(self, entry: _Given) -> Iterator[str]:
        elf, config = entry.module.elf, self._package.config
        exported = self._exported
        found = {name: exported[name] for name in entry.versions.needed if name in exported}
        licence = elf.value("license") or "unspecified"
        forbidden = [name for name, symbol in found.items() if symbol.gpl]
        if forbidden and licence not in GPL_COMPATIBLE:
            yield (
                f"its licence is {licence!r}, and {len(forbidden)} of its symbols are for the GPL "
                f"only: {shown(forbidden)}"
            )
        if not config.builtin("MODULE_ALLOW_MISSING_NAMESPACE_IMPORTS"):
            spaces = [symbol.namespace for symbol in found.values() if symbol.namespace]
            imported = elf.values("import_ns")
            closed = [space for space in spaces if not _may_use(entry.module, space, imported)]
            if closed:
                yield f"it does not import the namespaces {shown([*dict.fromkeys(closed)])}"
        if config.builtin("MODULE_SIG_FORCE") and not elf.signed:
            yield "it is not signed, and this kernel loads only what is (CONFIG_MODULE_SIG_FORCE)"

    def _of_replaced(self, entry: _Given) -> Iterator[str]:
        """Tell what the kernel's own modules miss if this one takes the place of another."""
        before: Mapping[str, int] = self._symbols.offered.get(entry.module.name, {})
        exports: Mapping[str, int] = entry.versions.exports
        if not self._versioned:
            exports = dict.fromkeys(entry.module.elf.exports, 0)
        lost = [
            name
            for name, crc in before.items()
            if name in self._symbols.used and exports.get(name) != crc
        ]
        if lost:
            yield (
                f"it takes the place of the kernel's own {entry.module.name}, whose symbols other "
                f"modules need: {shown(lost)}"
            )


def _may_use(module: Module, namespace: str, imported: Sequence[str]) -> bool:
    if namespace.startswith(_BY_NAME):
        # A list of the modules that may.
        patterns = namespace.removeprefix(_BY_NAME).split(",")
        return any(fnmatch.fnmatchcase(module.name, modname(pattern)) for pattern in patterns)
    return namespace in imported
