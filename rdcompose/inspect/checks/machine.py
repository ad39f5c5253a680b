"""Whether modules and programs are for the machine of the kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rdcompose.inspect.artifact import Kind
from rdcompose.inspect.findings import Check, Finding, contradiction, count, some
from rdcompose.kernel.release import (
    architecture_of_release,
    architectures_of_elf,
    architectures_of_image,
    machine_name,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rdcompose.formats.elf import ModuleElf
    from rdcompose.formats.executable import Executable
    from rdcompose.inspect.collection import ArtifactSet
    from rdcompose.inspect.contents import ModuleFile, Program
    from rdcompose.kernel.release import Architecture

_Machine = tuple[int, int, str]

# 64-bit kernels run these 32-bit programs, too: e_machine of both.
_ALSO_32_BIT: Final = {62: {3, 62}, 183: {40}, 8: {8}, 21: {20}, 22: {22}, 243: {243}}


def architectures(group: ArtifactSet) -> tuple[Architecture, ...]:
    """Return the architectures that the kernel can be of, or else the modules, or none."""
    for artifact in group.of(Kind.KERNEL):
        if artifact.image is not None:
            return _by_flavour(architectures_of_image(artifact.image), artifact.image.release)
    programs = (program for _, held in group.holders for program in held.programs)
    known = [_machine(module.elf) for _, module in group.modules]
    known += [_machine(program.elf) for program in programs]
    return architectures_of_elf(*known[0]) if known else ()


def _by_flavour(
    possible: tuple[Architecture, ...], release: str | None
) -> tuple[Architecture, ...]:
    """Put first what the flavour tells: kernels of armhf and armel look the same."""
    told = None if release is None else architecture_of_release(release)
    return tuple(sorted(possible, key=lambda row: row is not told))


def check_machine(group: ArtifactSet) -> Check:
    """Compare the machine of the kernel with those of all modules and programs."""
    possible = architectures(group)
    if not possible:
        return Check(name="machine", summary="nothing tells a machine", done=False)
    native: set[_Machine] = {(row.elf_machine, row.bits, row.byteorder) for row in possible}
    wanted = possible[0].description
    whose = "the kernel" if group.of(Kind.KERNEL) else "most"
    findings: list[Finding] = []
    modules = programs = 0
    for artifact, contents in group.holders:
        # A disk can be for several kernels, of several machines.
        meant = [module for module in contents.modules if group.is_meant(module.release)]
        modules += len(meant)
        programs += len(contents.programs)
        wrong = list(_wrong(meant, contents.programs, native))
        if wrong:
            findings.append(
                contradiction(
                    f"{whose} is for {wanted}, but {some([path for path, _ in wrong])} in "
                    f"{artifact.name} {'is' if len(wrong) == 1 else 'are'} for "
                    f"{machine_name(*wrong[0][1])}"
                )
            )
    summary = f"{count(modules, 'module')} and {count(programs, 'program')} for {wanted}"
    return Check(name="machine", summary=summary, findings=tuple(findings))


def _wrong(
    modules: Iterable[ModuleFile], programs: Iterable[Program], native: set[_Machine]
) -> Iterator[tuple[str, _Machine]]:
    for module in modules:
        if (found := _machine(module.elf)) not in native:
            yield module.path, found
    for program in programs:
        found = _machine(program.elf)
        if found not in native and not _runs_beside(found, native):
            yield program.path, found


def _machine(elf: ModuleElf | Executable) -> _Machine:
    return elf.machine, elf.bits, elf.byteorder


def _runs_beside(found: _Machine, native: Iterable[_Machine]) -> bool:
    machine, bits, byteorder = found
    return bits == 32 and any(
        machine in _ALSO_32_BIT.get(theirs, ()) and (width, order) == (64, byteorder)
        for theirs, width, order in native
    )
