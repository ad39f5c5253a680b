"""Whether modules want the symbols of others, and of the kernel, in the versions there are."""

from __future__ import annotations

import dataclasses
from collections import Counter
from typing import TYPE_CHECKING, Final

from rdcompose.inspect.artifact import Kind
from rdcompose.inspect.findings import Check, contradictions, count, some
from rdcompose.kernel.module import modname

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from rdcompose.inspect.artifact import Artifact
    from rdcompose.inspect.collection import ArtifactSet
    from rdcompose.inspect.contents import ModuleFile

    _Modules = Iterable[tuple[Artifact, ModuleFile]]

# Kernels years apart have a fifth of their symbols in the same versions; what was taken for a
# table of symbols and is none has no more than chance.
_TRUSTED: Final = 1 / 16


@dataclasses.dataclass(slots=True)
class _Symbol:
    """The versions of a symbol that modules offer, and how often each is asked for."""

    offered: set[int] = dataclasses.field(default_factory=set)
    wanted: Counter[int] = dataclasses.field(default_factory=Counter)


@dataclasses.dataclass(frozen=True, slots=True)
class _Truth:
    """The versions that a symbol may be wanted in, and who says so."""

    versions: frozenset[int]
    says: str


def check_symbols(group: ArtifactSet) -> Check:
    """Compare the versions of symbols between the kernel and all modules, wherever they are.

    Where the kernel does not tell, every module must want its symbols in the same version.
    """
    modules = group.modules
    symbols = _collected(modules)
    if not symbols:
        return Check(name="symbols", summary="no module has symbol versions", done=False)
    kernel = _trusted(group, symbols)
    truth = {name: _truth(name, symbol, kernel) for name, symbol in symbols.items()}
    reasons = (
        (artifact, module, _misfit(module, truth) or _unknown(group, module, truth, kernel))
        for artifact, module in modules
    )
    wrong = (f"{row.path} in {where.name} {reason}" for where, row, reason in reasons if reason)
    findings = tuple(contradictions(wrong, more="modules"))
    whose = "of the kernel and of modules" if kernel else "of modules"
    summary = f"{count(len(symbols), 'symbol')} {whose} in one version each"
    return Check(name="symbols", summary=summary, findings=findings)


def _collected(modules: _Modules) -> dict[str, _Symbol]:
    symbols: dict[str, _Symbol] = {}
    for _, module in modules:
        for name, crc in module.versions.exports.items():
            symbols.setdefault(name, _Symbol()).offered.add(crc)
        for name, crc in module.versions.imports.items():
            symbols.setdefault(name, _Symbol()).wanted[crc] += 1
    return symbols


def _trusted(group: ArtifactSet, symbols: Mapping[str, _Symbol]) -> Mapping[str, int]:
    """Return what the kernel says, if it can be what it looks like."""
    for artifact in group.of(Kind.KERNEL):
        common = [name for name in artifact.exports if name in symbols]
        same = sum(artifact.exports[name] in symbols[name].wanted for name in common)
        if common and same >= len(common) * _TRUSTED:
            return artifact.exports
    return {}


def _truth(name: str, symbol: _Symbol, kernel: Mapping[str, int]) -> _Truth:
    if name in kernel:
        return _Truth(frozenset({kernel[name]}), "the kernel has")
    if symbol.offered:
        return _Truth(frozenset(symbol.offered), "the module that has it has")
    return _Truth(
        frozenset(crc for crc, _ in symbol.wanted.most_common(1)), "the other modules have"
    )


def _misfit(module: ModuleFile, truth: Mapping[str, _Truth]) -> str:
    wanted = module.versions.imports
    bad = [name for name, crc in wanted.items() if crc not in truth[name].versions]
    if not bad:
        return ""
    first = truth[bad[0]]
    return (
        f"is of another build: it wants {count(len(bad), 'symbol')} in other versions, {bad[0]} "
        f"with {wanted[bad[0]]:#010x} where {first.says} {min(first.versions):#010x}"
    )


def _unknown(
    group: ArtifactSet,
    module: ModuleFile,
    truth: Mapping[str, _Truth],
    kernel: Mapping[str, int],
) -> str:
    """Say which symbols nobody has; that modules are missing is found elsewhere."""
    if not kernel:
        return ""
    nowhere = [name for name in module.versions.imports if truth[name].says.startswith("the other")]
    if not nowhere:
        return ""
    there = {other.name for _, other in group.modules}
    if any(modname(name) not in there for name in module.depends):
        return ""
    return (
        f"is of another build: it needs {some(nowhere)}, which neither the kernel nor a module has"
    )
