"""The files of a composition that an archive has: found in it, and fetched."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from rdcompose.archive.addresses import printable
from rdcompose.archive.obtain import Wanted, obtain_found, obtain_wanted
from rdcompose.archive.suites import base_suite
from rdcompose.archive.together import run_together
from rdcompose.cli.acquired import Acquired, add_requested, gather
from rdcompose.cli.archive import archive_session
from rdcompose.cli.sources import given_sources
from rdcompose.compose.contents import common_path
from rdcompose.compose.dependencies import ArchiveSupplier, Dependencies
from rdcompose.compose.filesource import resolve_source
from rdcompose.compose.inputs import ArchiveOrigin, InputFile
from rdcompose.compose.programname import PATHS, ProgramName
from rdcompose.compose.resolve import resolve_kernel, resolve_program
from rdcompose.errors import SpecError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

    from rdcompose.archive.search import Found
    from rdcompose.cli.archive import Session
    from rdcompose.cli.asked import Asked
    from rdcompose.cli.terminal import Say
    from rdcompose.compose.added import Additions
    from rdcompose.compose.inputs import Input
    from rdcompose.compose.lock import Lock
    from rdcompose.kernel.release import Architecture


def acquire_from_archive(
    arguments: argparse.Namespace,
    asked: Asked,
    architecture: Architecture,
    *,
    shown: bool,
    say: Say,
) -> Acquired:
    """Find and fetch what is asked for and not at hand, for an architecture.

    :raises RdcomposeError: as the archive does; see :mod:`rdcompose.archive`.
    """
    packages = [request for request in asked.sources if request.package]
    with archive_session(arguments, shown=shown, say=say) as session:
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
    return gather(
        [next(files) for _ in kernel],
        asked.programs | {name: next(files) for name in missing},
        additions,
        given_sources(asked.sources, dict(zip(packages, files, strict=True))),
        session.archive.access.cache,
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
    return add_requested(asked, supplier, architecture)


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


def fetch_wanted(items: Sequence[Input], lock: Lock, session: Session) -> list[InputFile]:
    """Fetch the inputs of a lock side by side; returns their files in the same order."""
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
