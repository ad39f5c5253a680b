"""Whether an archive has newer packages than those that something was made from.

A kernel is compared with what its flavour would give today, anything else with the newest
version of its package. Both are looked for in the release of Debian that they were from, with its
security and updates suites.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final

from rdcompose.archive.search import newest
from rdcompose.archive.suites import base_suite, family, is_security, is_suite_name
from rdcompose.archive.version import version_key
from rdcompose.compose.kernelname import PREFIX
from rdcompose.compose.resolve import newest_kernel
from rdcompose.errors import SpecError
from rdcompose.kernel.release import flavour_of_release

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from rdcompose.archive.repository import Suite
    from rdcompose.archive.search import Archive, Found
    from rdcompose.compose.inputs import Input
    from rdcompose.compose.lock import Lock

KERNEL: Final = "kernel"
_COMPONENTS: Final = frozenset({"contrib", "non-free", "non-free-firmware"})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """A package that something was made from; ``component`` is that of the archive.

    Of a kernel ``flavour`` is set. ``version`` is empty if only the name is known.
    """

    role: str
    package: str
    version: str
    architecture: str
    suite: str
    flavour: str | None = None
    component: str = "main"


@dataclasses.dataclass(frozen=True, slots=True)
class Offer:
    """A package that a suite has."""

    package: str
    version: str
    suite: str


@dataclasses.dataclass(frozen=True, slots=True)
class Finding:
    """What there is instead of a package that was used.

    ``newest`` is ``None`` if nothing is newer; ``security`` is what a security suite has that is
    newer, which need not be the newest. ``offered`` says whether the archive has it, or
    something newer, at all. ``unsearched`` are the security suites that belong to where it was
    looked for, but are not there.
    """

    used: Used
    newest: Offer | None
    security: Offer | None
    offered: bool
    unsearched: tuple[str, ...]


def used_packages(lock: Lock) -> tuple[list[Used], list[Input]]:
    """Return what a manifest says that came from an archive, and the packages that did not.

    :raises SpecError: it names a suite that no archive can have.
    """
    used: list[Used] = []
    others: list[Input] = []
    for item in lock.inputs:
        if item.archive is None:
            others += [item] if item.package else []
            continue
        # It becomes part of addresses.
        if not is_suite_name(item.archive.suite):
            raise SpecError(f"{lock.path}: {item.archive.suite!r} is no name of a suite")
        is_kernel = item.role == KERNEL
        if is_kernel and not item.package.startswith(PREFIX):
            continue  # another part of the same kernel, of the same version
        used.append(
            Used(
                role=item.role,
                package=item.package,
                version=item.version,
                # A package for all architectures is in the index of each.
                architecture=lock.architecture,
                suite=item.archive.suite,
                flavour=flavour_of_release(lock.release) if is_kernel else None,
                component=_component(item.archive.path),
            )
        )
    return used, others


def look(used: Used, archive: Archive, suite: str | None = None) -> Finding:
    """Compare a package that was used with what an archive has, in another suite if one is given.

    :raises NotFoundError: the archive has the release of Debian no more.
    :raises FetchError: a suite cannot be fetched.
    :raises TrustError: a suite is not signed as it must be.
    """
    also = (used.component,) if used.component != "main" else ()
    where = suite or used.suite
    suites = tuple(_suites(where, used.architecture, archive, also))
    found = _newest(used, suites, also)
    security = _newest(used, [suite for suite in suites if is_security(suite.name)], also)
    return Finding(
        used,
        newest=_newer(used, found),
        security=_newer(used, security),
        offered=found is not None,
        unsearched=_unsearched(where, suites),
    )


def _unsearched(where: str, suites: Iterable[Suite]) -> tuple[str, ...]:
    if any(is_security(suite.name) for suite in suites):
        return ()
    return tuple(name for name in family(base_suite(where)) if is_security(name))


def _suites(
    suite: str, architecture: str, archive: Archive, also: tuple[str, ...]
) -> Iterator[Suite]:
    """Yield the suites of a release of Debian, and the one that it was from, like backports."""
    base = base_suite(suite)
    yield from archive.family(base, architecture, also)
    if suite not in family(base):
        yield from archive.family(suite, architecture, also)


def _newest(used: Used, suites: Sequence[Suite], also: tuple[str, ...]) -> Found | None:
    own = newest(used.package, used.architecture, suites, also)
    if used.flavour is None:
        return own
    kernel = newest_kernel(used.flavour, used.architecture, suites)
    # A package may be made again under its name while the metapackage waits.
    if own is None or kernel is None:
        return kernel or own
    return max(kernel, own, key=lambda found: version_key(found.package.version))


def _newer(used: Used, found: Found | None) -> Offer | None:
    if found is None:
        return None
    package = found.package
    if used.version:
        newer = version_key(package.version) > version_key(used.version)
    else:
        newer = package.name != used.package
    return Offer(package.name, package.version, found.suite.name) if newer else None


def _component(path: str) -> str:
    """Return the component in a path of the pool: ``pool/non-free-firmware/f/…``."""
    return next((part for part in path.split("/")[1:3] if part in _COMPONENTS), "main")
