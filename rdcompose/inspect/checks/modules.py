"""Whether modules are of one build, and find what they depend on."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from rdcompose.inspect.artifact import Kind
from rdcompose.inspect.findings import (
    Check,
    Finding,
    contradiction,
    contradictions,
    count,
    remark,
    some,
)
from rdcompose.kernel.module import modname
from rdcompose.kernel.moduletree import plain_module_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rdcompose.inspect.artifact import Artifact
    from rdcompose.inspect.collection import ArtifactSet
    from rdcompose.inspect.contents import Contents, ModuleFile


def check_vermagic(group: ArtifactSet) -> Check:
    """Compare the vermagic of every module with the release, and with each other."""
    release = group.release
    modules = group.modules
    if not modules or release is None:
        return Check(name="vermagic", summary="there are no modules", done=False)
    usual, _ = Counter(_features(module) for _, module in modules).most_common(1)[0]
    findings: list[Finding] = []
    for artifact in _places(modules):
        mine = [module for where, module in modules if where is artifact]
        foreign = [module for module in mine if _word(module) != release]
        if foreign:
            theirs = sorted({_word(module) or "no release at all" for module in foreign})
            findings.append(
                contradiction(
                    f"{_of(foreign, mine)} in {artifact.name} {_are(foreign)} of "
                    f"{' and '.join(theirs)}, not of {release}: {_paths(foreign)}"
                )
            )
        others = [m for m in mine if _word(m) == release and _features(m) != usual]
        if others:
            findings.append(
                contradiction(
                    f"{_of(others, mine)} in {artifact.name} {_are(others)} built for another "
                    f"kernel {release}: vermagic {_features(others[0])!r} instead of {usual!r}: "
                    f"{_paths(others)}"
                )
            )
    summary = f"{count(len(modules), 'module')}: {release} {usual}"
    return Check(name="vermagic", summary=summary, findings=tuple(findings))


def _places(modules: Iterable[tuple[Artifact, ModuleFile]]) -> list[Artifact]:
    found: list[Artifact] = []
    for artifact, _ in modules:
        if artifact not in found:
            found.append(artifact)
    return found


def _word(module: ModuleFile) -> str:
    return (module.elf.vermagic or "").partition(" ")[0]


def _features(module: ModuleFile) -> str:
    return (module.elf.vermagic or "").partition(" ")[2].strip()


def _of(some_of: list[ModuleFile], mine: list[ModuleFile]) -> str:
    return f"{len(some_of)} of {count(len(mine), 'module')}"


def _are(modules: list[ModuleFile]) -> str:
    return "is" if len(modules) == 1 else "are"


def _paths(modules: Iterable[ModuleFile]) -> str:
    return some(sorted(module.path for module in modules))


def check_dependencies(group: ArtifactSet) -> Check:
    """Look whether what modules and indexes name is there."""
    modules = group.modules
    indexes = list(group.index("modules.dep"))
    if not modules and not indexes:
        return Check(name="dependencies", summary="there are no modules", done=False)
    findings = [*_named_by_modules(group, modules), *_named_by_indexes(group, indexes)]
    if not indexes:
        findings.append(remark("there is no modules.dep, so modprobe finds no module"))
    else:
        findings += _in_no_index(modules, indexes)
    summary = f"{count(len(modules), 'module')} with all that they need"
    return Check(name="dependencies", summary=summary, findings=tuple(findings))


def _named_by_modules(
    group: ArtifactSet, modules: list[tuple[Artifact, ModuleFile]]
) -> Iterator[Finding]:
    built_in = {modname(line) for _, lines in group.index("modules.builtin") for line in lines}
    early = {module.name for where, module in modules if where.kind is Kind.INITRAMFS} | built_in
    known = early | {module.name for _, module in modules}
    late: list[str] = []
    missing: list[tuple[Artifact, ModuleFile, list[str]]] = []
    for artifact, module in modules:
        needs = {modname(name) for name in module.depends}
        if needs - known:
            missing.append((artifact, module, sorted(needs - known)))
        elif artifact.kind is Kind.INITRAMFS and needs - early:
            late.append(module.path)
    yield from _missing(missing, whole=bool(group.of(Kind.INITRAMFS)))
    if late:
        yield remark(
            f"{count(len(late), 'module')} of the initramfs {'needs' if len(late) == 1 else 'need'}"
            f" others that are on the disk only: {some(sorted(late))}"
        )


def _missing(
    missing: list[tuple[Artifact, ModuleFile, list[str]]], *, whole: bool
) -> Iterator[Finding]:
    if missing and not whole:
        needed = sorted({name for _, _, names in missing for name in names})
        yield remark(
            f"{count(len(missing), 'module')} {'needs' if len(missing) == 1 else 'need'} "
            f"{some(needed)}, which may be in an initramfs that was not given"
        )
        return
    messages = (
        f"{module.path} in {artifact.name} needs {some(names)}, which {_is(names)} nowhere"
        for artifact, module, names in missing
    )
    yield from contradictions(messages, more="modules")


def _is(names: list[str]) -> str:
    return "is" if len(names) == 1 else "are"


def _named_by_indexes(
    group: ArtifactSet, indexes: list[tuple[Artifact, list[str]]]
) -> Iterator[Finding]:
    there = {module.inner for _, module in group.modules}
    # What is on no disk may be in the root, or in an initramfs that was not given.
    whole = bool(group.of(Kind.INITRAMFS)) and bool(group.of(Kind.DISK))
    for artifact, lines in indexes:
        named = {
            _inner(path, group.release)
            for line in lines
            for path in line.replace(":", " ", 1).split()
        }
        nowhere = sorted(named - there)
        if not nowhere:
            continue
        what = f"modules.dep of {artifact.name} names {count(len(nowhere), 'module')}"
        if whole:
            yield contradiction(f"{what} that {_is(nowhere)} nowhere: {some(nowhere)}")
        else:
            yield remark(f"{what} that {_is(nowhere)} not among the files: {some(nowhere)}")


def _inner(path: str, release: str | None) -> str:
    """Return a path of an index as seen from the module directory."""
    return path.rpartition(f"lib/modules/{release}/")[2]


def _in_no_index(
    modules: list[tuple[Artifact, ModuleFile]], indexes: list[tuple[Artifact, list[str]]]
) -> Iterator[Finding]:
    named = {
        modname(plain_module_path(line.partition(":")[0]) or "")
        for _, lines in indexes
        for line in lines
    }
    unknown = sorted({module.path for _, module in modules if module.name not in named})
    if unknown:
        yield remark(
            f"{count(len(unknown), 'module')} {_is(unknown)} in no modules.dep, so modprobe does "
            f"not find {'it' if len(unknown) == 1 else 'them'}: {some(unknown)}"
        )


def modules_of(contents: Contents, release: str | None) -> set[str]:
    """Return the inner paths, without compression, of the modules of a release."""
    return {
        plain_module_path(module.inner) or module.inner
        for module in contents.modules
        if module.release in {release, None}
    }
