"""From what a user calls a kernel to the package of it, and to the programs beside it.

Debian names the package of a kernel ``linux-image-RELEASE``; a metapackage
``linux-image-FLAVOUR`` depends on the newest one of its suite. Of kernels that Debian
signs for Secure Boot there is a twin ``…-unsigned`` with the same modules, which comes
first while a new version waits for its signature.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from rdcompose.archive.search import Found, newest
from rdcompose.archive.suites import base_suite, family, guess_suites, other_suites
from rdcompose.archive.version import version_key
from rdcompose.compose.kernelname import PREFIX, UNSIGNED
from rdcompose.errors import FetchError, NotFoundError
from rdcompose.kernel.package import PART_PREFIXES, other_packages
from rdcompose.kernel.release import flavour_of_release

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rdcompose.archive.history import History
    from rdcompose.archive.packages import Package
    from rdcompose.archive.repository import Suite
    from rdcompose.archive.search import Archive
    from rdcompose.kernel.release import Architecture

# Debug files, and what the signing service is fed with.
_NO_IMAGES: Final = ("-dbg", "-signed-template")
_KERNEL_DEPENDENCY: Final = re.compile(r"(?:^|[,|])\s*(linux-image-[^\s,|(]+)")
# Flavours can begin with a digit, too: 686-pae.
_RELEASE: Final = re.compile(r"[0-9]+\.")
# A metapackage that got another name depends on the one that has it.
_MAX_METAPACKAGES: Final = 4
_UPDATING: Final = "the mirror is incomplete or is being updated: try later, or another --mirror"
# Names that a message about a wrong one suggests.
_SUGGESTIONS: Final = 4


class KernelRow(NamedTuple):
    """A kernel that a suite has; ``size`` is that of all its packages together, in bytes."""

    release: str
    found: Found
    size: int


def kernels(suites: Iterable[Suite], architecture: str) -> list[KernelRow]:
    """List the kernels of suites, each once per suite, newest package version first."""
    rows = [row for suite in suites for row in _rows(suite, architecture)]
    # By release for equal versions: all flavours of a version are built together.
    rows.sort(key=lambda row: row.release)
    rows.sort(key=lambda row: version_key(row.found.package.version), reverse=True)
    return rows


def _rows(suite: Suite, architecture: str) -> Iterator[KernelRow]:
    images = list(_images(suite, architecture))
    parts: dict[tuple[str, str], int] = {}
    if any(other_packages(image.depends) for image in images):
        parts = {
            (package.name, package.version): package.size
            for prefix in PART_PREFIXES
            for package in suite.matching(prefix, architecture)
        }
    for image in images:
        keys = [(name, image.version) for name in other_packages(image.depends)]
        # In backports a linux-image stays for a while when its parts have left.
        if all(key in parts for key in keys):
            size = image.size + sum(parts[key] for key in keys)
            yield KernelRow(_release(image.name), Found(package=image, suite=suite), size)


def _images(suite: Suite, architecture: str) -> Iterator[Package]:
    """Yield the packages with kernels: no metapackages, no debug files, no unsigned twins."""
    packages = [
        package
        for package in suite.matching(PREFIX, architecture)
        if package.name[len(PREFIX) :][:1].isdigit()
        and not package.name.endswith(_NO_IMAGES)
        and _dependency(package) is None
    ]
    names = {package.name for package in packages}
    for package in packages:
        if not (package.name.endswith(UNSIGNED) and package.name.removesuffix(UNSIGNED) in names):
            yield package


def _release(package: str) -> str:
    return package.removeprefix(PREFIX).removesuffix(UNSIGNED)


def _dependency(package: Package) -> str | None:
    """Return the kernel that a metapackage depends on, ``None`` for a kernel itself."""
    found = _KERNEL_DEPENDENCY.search(package.depends)
    return found[1] if found else None


def resolve_kernel(
    name: str, architecture: Architecture, archive: Archive, history: History | None
) -> tuple[Found, ...]:
    """Find the packages of a kernel by release, flavour or package name.

    The first is ``linux-image``; more where that depends on others with its parts.

    A flavour is looked for in the suite asked for. A release is looked for there, then in
    what else is configured, then in all other suites of the archive, then in what the
    snapshot service remembers, if ``history`` is given.

    :raises NotFoundError: there is none; the message says what there is.
    :raises FetchError: a suite that must be searched cannot be fetched.
    :raises TrustError: it is not signed as it must be.
    """
    wanted = name.removeprefix(PREFIX)
    suites = archive.family(archive.suite, architecture.name)
    found = _in_suites(wanted, architecture.name, suites)
    beyond = ""
    if found is None and _RELEASE.match(wanted) is None:
        found = _newest_of_flavour(wanted, architecture.name, suites)
    elif found is None:
        suites = tuple(archive.configured(architecture.name))
        found = _image(PREFIX + wanted, architecture.name, suites)
        if found is None:
            found, beyond = _beyond(wanted, architecture.name, archive, history)
        if found is None and (image := newest(PREFIX + wanted, architecture.name, suites)):
            beyond += f"; {_incomplete(image, str(_missing_part(image)))}"
    if found is None:
        raise _not_found(wanted, architecture, archive, suites, beyond)
    return (found, *kernel_parts(found))


def newest_kernel(flavour: str, architecture: str, suites: Iterable[Suite]) -> Found | None:
    """Return what :func:`resolve_kernel` takes for a flavour, from suites that are open."""
    suites = tuple(suites)
    found = _in_suites(flavour, architecture, suites)
    return found or _newest_of_flavour(flavour, architecture, suites)


def kernel_parts(image: Found) -> Iterator[Found]:
    """Yield the other packages of a kernel, which are where the first is, of its version.

    :raises NotFoundError: one is not there.
    """
    for name in other_packages(image.package.depends):
        part = _part(image, name)
        if part is None:
            raise NotFoundError(_incomplete(image, name), hint=_UPDATING)
        yield part


def _part(image: Found, name: str) -> Found | None:
    for package in image.suite.find(name, image.package.architecture):
        if package.version == image.package.version:
            return Found(package=package, suite=image.suite)
    return None


def _missing_part(image: Found) -> str | None:
    """Return the first package with a part of a kernel that is not there with it."""
    names = other_packages(image.package.depends)
    return next((name for name in names if _part(image, name) is None), None)


def _incomplete(image: Found, name: str) -> str:
    package = image.package
    return (
        f"{package.name} {package.version} of {image.suite.name} needs {name} of the same "
        "version, which is not there"
    )


def _beyond(
    wanted: str, architecture: str, archive: Archive, history: History | None
) -> tuple[Found | None, str]:
    """Look for a release everywhere else; returns also what to say if it is nowhere."""
    found = _elsewhere(wanted, architecture, archive, history)
    said = ", nor in the archive's other suites"
    if archive.left_out:
        said += f" ({', '.join(archive.left_out)} could not be searched; -v tells why)"
    if found is not None or history is None:
        return found, said
    try:
        found = _in_history(wanted, architecture, history)
    except FetchError as error:
        return None, f"{said}; the snapshot service did not answer: {error.message}"
    return found, f"{said}, and the snapshot service never had it"


def _in_suites(wanted: str, architecture: str, suites: tuple[Suite, ...]) -> Found | None:
    """Return a kernel by the name of its package, or of a metapackage."""
    name = PREFIX + wanted
    for _ in range(_MAX_METAPACKAGES):
        # A metapackage of a suite in the middle of an update may be ahead of its kernel.
        found = _image(name, architecture, suites)
        kernel = None if found is None else _dependency(found.package)
        if kernel is None:
            return found
        name = kernel
    return None


def _image(package: str, architecture: str, suites: tuple[Suite, ...]) -> Found | None:
    """Return the newest kernel or metapackage of a name whose parts are all there."""
    for name in (package, package + UNSIGNED):
        whole = (suite for suite in suites if _whole(name, architecture, suite))
        if (found := newest(name, architecture, whole)) is not None:
            return found
    return None


def _whole(name: str, architecture: str, suite: Suite) -> bool:
    found = newest(name, architecture, [suite])
    return found is not None and _missing_part(found) is None


def _newest_of_flavour(wanted: str, architecture: str, suites: tuple[Suite, ...]) -> Found | None:
    """Return the newest kernel of a flavour that has no metapackage."""
    rows = kernels(suites, architecture)
    return next((row.found for row in rows if flavour_of_release(row.release) == wanted), None)


def _elsewhere(
    wanted: str, architecture: str, archive: Archive, history: History | None
) -> Found | None:
    """Look where it was found before, then in all other suites, likely ones first."""
    for place in (archive, history):
        for name in (PREFIX + wanted, PREFIX + wanted + UNSIGNED):
            found = None if place is None else place.recall(name, architecture)
            if found is not None and _missing_part(found) is None:
                return found
    likely = [suite for guess in guess_suites(wanted) for suite in family(guess)]
    rest = [name for name in other_suites() if name not in likely]
    for names in (likely, rest):
        for suite in archive.suites(names, architecture):
            if (found := _image(PREFIX + wanted, architecture, (suite,))) is not None:
                archive.remember(found)
                return found
    return None


def _in_history(wanted: str, architecture: str, history: History) -> Found | None:
    name = PREFIX + wanted
    return history.find(name, architecture) or history.find(name + UNSIGNED, architecture)


def _not_found(
    wanted: str,
    architecture: Architecture,
    archive: Archive,
    suites: Iterable[Suite],
    beyond: str,
) -> NotFoundError:
    """Return the error that says where it was looked for, and what there is instead."""
    here = list(dict.fromkeys(row.release for row in kernels(suites, architecture.name)))
    if here:
        hint = f"available here: {', '.join(_near(wanted, here))}"
    else:
        hint = f"these suites have no kernels for {architecture.name}: name another with --suite"
    names = ", ".join(suite.name for suite in suites)
    return NotFoundError(
        f"no kernel {wanted} for {architecture.name} in {names} of "
        f"{archive.place.description}{beyond}",
        hint=hint,
    )


def _near(wanted: str, releases: list[str]) -> list[str]:
    """Return what may have been meant, newest first; else the newest there are."""
    flavours = {flavour for release in releases if (flavour := flavour_of_release(release))}
    names = [*releases, *sorted(flavours)]
    import difflib

    close = difflib.get_close_matches(wanted, names, _SUGGESTIONS, 0.5)
    return sorted(close, key=names.index) or releases[:_SUGGESTIONS]


def resolve_program(package: str, kernel_suite: str, architecture: str, archive: Archive) -> Found:
    """Find the package of a program in the release of Debian that a kernel is of.

    Where the archive has that release no more, in the suite asked for: the programs are
    static and run on older kernels, too.

    :raises NotFoundError: there is none.
    """
    tried = []
    for suite in dict.fromkeys((base_suite(kernel_suite), base_suite(archive.suite))):
        try:
            suites = archive.family(suite, architecture)
        except NotFoundError as error:
            tried.append(error.message)
            continue
        if (found := newest(package, architecture, suites)) is not None:
            return found
        tried.append(f"{suite} has none")
    raise NotFoundError(
        f"no package {package} for {architecture} in {archive.place.description}: "
        + "; ".join(tried),
        hint=f"give the program, or 'none', with --{package.removesuffix('-static')}",
    )
