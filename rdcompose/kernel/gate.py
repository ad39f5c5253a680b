"""The release gate: kernel, modules and configuration of exactly one release, or nothing.

The kernel does not protect its users here: with ``CONFIG_MODVERSIONS`` it skips the
release when it compares a module's vermagic (``same_magic`` in
``kernel/module/version.c``), so a mismatch shows, if at all, as a module that fails to
load long after the boot.
"""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING, Final

from rdcompose.errors import ReleaseError
from rdcompose.kernel.release import machine_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rdcompose.kernel.module import Module
    from rdcompose.kernel.release import Architecture

# What a package with a part of a kernel is called, in front of the release.
_PACKAGE: Final = re.compile(
    r"linux-(?:image-unsigned|image|binary|base|modules-extra|modules)-(\d.*?)(?:-unsigned)?"
)
# As many offending files as fit a message that is still read.
_SHOWN = 3

_HINT = (
    "all parts must come from the build of one kernel: take the package as it was published, "
    "and rebuild or leave out what was added to it"
)


@dataclasses.dataclass(frozen=True, slots=True)
class Claim:
    """What one part of a package says its release is."""

    where: str
    release: str


def check_claims(claims: Sequence[Claim]) -> str:
    """Return the one release that every part claims.

    :raises ReleaseError: two parts differ; names both releases and where they stand.
    """
    first = claims[0]
    for claim in claims[1:]:
        if claim.release != first.release:
            raise ReleaseError(
                f"{first.where} is of {first.release}, but {claim.where} is of {claim.release}",
                hint=_HINT,
            )
    return first.release


def package_release(package: str, release: str) -> str | None:
    """Return the release that a package's name tells; ``None`` if it tells none.

    Names of packages are in lower case and without ``_``: that of ``release`` tells it.
    """
    found = _PACKAGE.fullmatch(package)
    if found is None:
        return None  # other distributions have names of their own
    same = found[1].lower() == release.lower().replace("_", "-")
    return release if same else found[1]


def check_machine(architecture: Architecture, bits: int | None, modules: Iterable[Module]) -> None:
    """Check that every module is for the machine of the kernel, of which ``bits`` is told.

    :raises ReleaseError: names the first that is for another one.
    """
    wanted = (architecture.elf_machine, bits or architecture.bits, architecture.byteorder)
    for module in modules:
        elf = module.elf
        if (elf.machine, elf.bits, elf.byteorder) != wanted:
            raise ReleaseError(
                f"the kernel is for {architecture.name} ({machine_name(*wanted)}), but the module "
                f"{module.path} is for {machine_name(elf.machine, elf.bits, elf.byteorder)}"
            )


def check_modules(release: str, modules: Iterable[Module]) -> None:
    """Check the vermagic of every module: the release, and one string for all of them.

    :raises ReleaseError: names the releases or strings, the first files and their number.
    """
    by_vermagic: dict[str, list[str]] = {}
    for module in modules:
        by_vermagic.setdefault(module.elf.vermagic or "", []).append(module.path)
    total = sum(len(paths) for paths in by_vermagic.values())
    foreign: set[str] = set()
    offenders: list[str] = []
    for vermagic, paths in by_vermagic.items():
        theirs = vermagic.partition(" ")[0]
        if theirs != release:
            foreign.add(theirs)
            offenders += paths
    if offenders:
        releases = " and ".join(name or "no release at all" for name in sorted(foreign))
        raise ReleaseError(
            f"the kernel is {release}, but {_count(offenders, total)} {_are(offenders)} "
            f"of {releases}: {_first(offenders)}",
            hint=_HINT,
        )
    if len(by_vermagic) > 1:
        usual = max(by_vermagic, key=lambda text: len(by_vermagic[text]))
        offenders = [path for text, found in by_vermagic.items() if text != usual for path in found]
        other = next(text for text in by_vermagic if text != usual)
        raise ReleaseError(
            f"{_count(offenders, total)} {_are(offenders)} built for another kernel {release}: "
            f"vermagic {other.strip()!r} instead of {usual.strip()!r}: {_first(offenders)}",
            hint=_HINT,
        )


def _count(offenders: Sequence[str], total: int) -> str:
    return f"{len(offenders)} of {total} modules"


def _are(offenders: Sequence[str]) -> str:
    return "is" if len(offenders) == 1 else "are"


def _first(offenders: Sequence[str]) -> str:
    shown = sorted(offenders)[:_SHOWN]
    return ", ".join(shown) + (", …" if len(offenders) > len(shown) else "")
