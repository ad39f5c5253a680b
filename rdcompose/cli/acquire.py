"""The files that a composition is made from: local ones, or fetched from an archive."""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING

from rdcompose.archive.addresses import printable
from rdcompose.archive.obtain import Wanted, obtain_found, obtain_wanted
from rdcompose.archive.suites import base_suite
from rdcompose.archive.together import run_together
from rdcompose.cli.archive import archive_session
from rdcompose.cli.kernel_input import KERNEL
from rdcompose.cli.sources import given_sources, with_origin
from rdcompose.compose import microcode, uki
from rdcompose.compose.additions import Additions, resolve_additions
from rdcompose.compose.contents import ADDED, common_path
from rdcompose.compose.dependencies import ArchiveSupplier, Dependencies, FixedSupplier
from rdcompose.compose.filesource import MICROCODE, STUB, locked_source, resolve_source
from rdcompose.compose.inputs import LOCAL_DIRECTORY, ArchiveOrigin, InputFile, digest, read_file
from rdcompose.compose.programs import PATHS, ProgramName
from rdcompose.compose.resolve import architecture_of_name, resolve_kernel, resolve_program
from rdcompose.compose.template import read_template
from rdcompose.errors import SpecError, UsageError
from rdcompose.kernel.release import architecture_by_name

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from rdcompose.archive.cache import Cache
    from rdcompose.archive.search import Found
    from rdcompose.cli.archive import Session
    from rdcompose.cli.asked import Asked
    from rdcompose.compose.additions import Supplier
    from rdcompose.compose.filesource import Source
    from rdcompose.compose.inputs import Input
    from rdcompose.compose.lock import Lock
    from rdcompose.kernel.release import Architecture


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Acquired:
    """The files, all local now; a program that is not wanted is ``None``.

    ``kernel`` are the packages of the kernel, none where it was at hand. While ``cache`` lives,
    no other process cleans away what is in it of them.
    """

    kernel: tuple[InputFile, ...]
    busybox: InputFile | None
    e2fsck: InputFile | None
    additions: Additions
    sources: tuple[Source, ...]
    cache: Cache | None

    def of_role(self, role: str) -> tuple[Source, ...]:
        """Return the sources for a role: microcode or firmware."""
        return tuple(source for source in self.sources if source.request.role == role)


def acquire(
    arguments: argparse.Namespace,
    asked: Asked,
    lock: Lock | None,
    architecture: Architecture,
    *,
    shown: bool,
) -> Acquired:
    """Find and fetch what is asked for and left to the archive, for an architecture.

    :raises UsageError: the options contradict each other.
    :raises RdcomposeError: as the archive does; see :mod:`rdcompose.archive`.
    """
    if lock is not None:
        return _locked(arguments, lock, asked, shown=shown)
    return _resolved(arguments, asked, architecture, shown=shown)


def architecture_asked_for(asked: Asked, lock: Lock | None) -> Architecture:
    """Return the architecture of a kernel that is to be fetched.

    :raises UsageError: neither name nor option tells it, or there is no name.
    """
    if lock is not None:
        return architecture_by_name(lock.architecture)
    if asked.name is None:
        raise UsageError(
            "no KERNEL is given", hint="a release, a flavour, a .deb file or a directory"
        )
    found = asked.architecture or architecture_of_name(asked.name)
    if found is None:
        raise UsageError(
            f"the name {asked.name!r} does not tell its architecture",
            hint="name it with --arch; or give a flavour (cloud-amd64), a release "
            "(6.1.0-18-cloud-amd64), a .deb file or a directory (./DIR)",
        )
    return found


def _resolved(
    arguments: argparse.Namespace, asked: Asked, architecture: Architecture, *, shown: bool
) -> Acquired:
    roles = {request.role for request in asked.sources}
    for role, check in ((MICROCODE, microcode.check_architecture), (STUB, uki.check_architecture)):
        if role in roles:
            check(architecture)
    packages = [request for request in asked.sources if request.package]
    nothing = not (asked.requests or packages)
    if asked.is_local and nothing and set(asked.programs) == set(ProgramName):
        sources = given_sources(asked.sources, {})
        return _acquired((), asked.programs, Additions(), sources, None)
    with archive_session(arguments, shown=shown) as session:
        archive = session.archive
        kernel: tuple[Found, ...] = ()
        if asked.name is not None:
            kernel = resolve_kernel(asked.name, architecture, archive, session.history)

        # Asked only where something is looked up: to answer it, suites may be fetched.
        def suite() -> str:
            return kernel[0].suite.name_today if kernel else archive.suite

        additions = _additions(asked, suite, architecture, session)
        missing = _missing(asked, additions)
        programs = [
            resolve_program(f"{name}-static", suite(), architecture.name, archive)
            for name in missing
        ]
        rows = [resolve_source(request, suite(), architecture, archive) for request in packages]
        files = iter(fetch([*kernel, *programs, *rows], session))
    return _acquired(
        [next(files) for _ in kernel],
        asked.programs | {name: next(files) for name in missing},
        additions,
        given_sources(asked.sources, dict(zip(packages, files, strict=True))),
        session.archive.access.cache,
    )


def _acquired(
    kernel: Iterable[InputFile],
    programs: Mapping[ProgramName, InputFile | None],
    additions: Additions,
    sources: tuple[Source, ...],
    cache: Cache | None,
) -> Acquired:
    return Acquired(
        kernel=tuple(kernel),
        busybox=programs.get(ProgramName.BUSYBOX),
        e2fsck=programs.get(ProgramName.E2FSCK),
        additions=additions,
        sources=sources,
        cache=cache,
    )


def _missing(asked: Asked, additions: Additions) -> list[ProgramName]:
    """Return the programs that the archive is to give: not those that are added."""
    added = {common_path(row.entry.path) for row in additions.files}
    return [name for name in ProgramName if name not in asked.programs and PATHS[name] not in added]


def _additions(
    asked: Asked, suite: Callable[[], str], architecture: Architecture, session: Session
) -> Additions:
    archive = session.archive

    def dependencies() -> Dependencies:
        return Dependencies(
            archive.family(base_suite(suite()), architecture.name), architecture.name
        )

    supplier = ArchiveSupplier(
        functools.cache(dependencies), lambda rows: fetch(rows, session), architecture
    )
    return _resolve(asked, supplier, architecture)


def _resolve(asked: Asked, supplier: Supplier, architecture: Architecture) -> Additions:
    if not asked.requests:
        return Additions()
    template = None if asked.template is None else read_template(asked.template)
    return resolve_additions(asked.requests, supplier, architecture, template)


def fetch(found: Sequence[Found], session: Session) -> tuple[InputFile, ...]:
    """Fetch packages side by side; returns their files in the same order."""
    access = session.archive.access
    jobs = [functools.partial(obtain_found, row, access) for row in found]
    paths = run_together(jobs, session.cancelled)
    return tuple(
        InputFile(path=path, archive=_origin(row)) for row, path in zip(found, paths, strict=True)
    )


def _origin(found: Found) -> ArchiveOrigin:
    return ArchiveOrigin(
        label=found.suite.release.label,
        suite=found.suite.name,
        path=found.package.filename,
        verified=found.suite.verified,
    )


def _locked(arguments: argparse.Namespace, lock: Lock, asked: Asked, *, shown: bool) -> Acquired:
    """Return the files that a lock names, whatever is newer by now."""
    if asked.name is not None and asked.name.removeprefix("linux-image-") != lock.release:
        raise UsageError(
            f"{lock.path} is of {lock.release}, not of {asked.name}", hint="leave KERNEL out"
        )
    kernel = lock.of_role(KERNEL)
    if not kernel:
        raise SpecError(f"{lock.path} names no kernel")
    if not asked.is_local and kernel[0].source == LOCAL_DIRECTORY:
        raise UsageError(
            f"the kernel that {lock.path} locks was below a directory", hint="give that as KERNEL"
        )
    programs = {
        name: with_origin(file, lock) if file is not None else None
        for name, file in asked.programs.items()
    }
    wanted: list[Input] = [] if asked.is_local else [*kernel]
    missing: list[ProgramName] = []
    for name in ProgramName:
        if name not in programs and (locked := lock.of_role(name.value)):
            wanted.append(locked[0])
            missing.append(name)
    own = _own_files(asked, lock)
    wanted += (item for item in lock.of_role(ADDED) if item.sha256 not in own)
    items = {
        request: locked_source(request, lock.of_role(request.role), str(lock.path))
        for request in asked.sources
        if request.path is None or not request.path.exists()
    }
    wanted += items.values()
    if not wanted:
        sources = given_sources(asked.sources, {}, lock)
        return _acquired((), programs, _locked_additions(asked, lock, own), sources, None)
    with archive_session(arguments, shown=shown) as session:
        files = _fetch_wanted(wanted, lock, session)
    found = {item.sha256: file for item, file in zip(wanted, files, strict=True)}
    fetched = {request: found[item.sha256] for request, item in items.items()}
    return _acquired(
        [] if asked.is_local else [found[item.sha256] for item in kernel],
        programs | {name: found[lock.of_role(name.value)[0].sha256] for name in missing},
        _locked_additions(asked, lock, found | own),
        given_sources(asked.sources, fetched, lock),
        session.archive.access.cache,
    )


def _own_files(asked: Asked, lock: Lock) -> dict[str, InputFile]:
    """Return the local files that are to be added and are at hand, by digest."""
    files = [request.file for request in asked.requests]
    own = [InputFile(path=file) for file in files if file is not None and file.is_file()]
    return {digest(read_file(file.path, "file")): with_origin(file, lock) for file in own}


def _locked_additions(asked: Asked, lock: Lock, files: Mapping[str, InputFile]) -> Additions:
    architecture = architecture_by_name(lock.architecture)
    rows = [(item, files[item.sha256]) for item in lock.of_role(ADDED)]
    supplier = FixedSupplier(rows, architecture, str(lock.path))
    return _resolve(asked, supplier, architecture)


def local_packages(asked: Asked, lock: Lock | None) -> tuple[InputFile, ...]:
    """Return the packages of a kernel that is at hand, with what a lock knows of them."""
    if lock is None:
        return asked.packages
    return tuple(with_origin(file, lock) for file in asked.packages)


def _fetch_wanted(items: Sequence[Input], lock: Lock, session: Session) -> list[InputFile]:
    jobs = [
        functools.partial(obtain_wanted, _wanted(lock, item), session.archive, session.snapshot)
        for item in items
    ]
    for item in items:
        if item.archive is not None and not item.archive.verified:
            name = printable(item.file)
            session.archive.access.warn(f"UNVERIFIED, as {lock.path} says: {name}")
    paths = run_together(jobs, session.cancelled)
    return [
        InputFile(path=path, archive=item.archive) for item, path in zip(items, paths, strict=True)
    ]


def _wanted(lock: Lock, item: Input) -> Wanted:
    if item.size is None:
        raise SpecError(f"{lock.path} does not tell the size of {item.file!r}: it is too old")
    origin = item.archive
    return Wanted(
        file=item.file,
        sha256=item.sha256,
        size=item.size,
        package=item.package,
        version=item.version,
        architecture=item.architecture,
        suite=origin.suite if origin is not None else "",
        path=origin.path if origin is not None else "",
    )
