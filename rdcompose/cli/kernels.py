"""``rdcompose kernels``: what an archive offers, newest first."""

from __future__ import annotations

import fnmatch
import json
import platform
import sys
from typing import TYPE_CHECKING, Any

from rdcompose.archive.suites import family, other_suites
from rdcompose.cli.archive import archive_session
from rdcompose.cli.terminal import size_text, table
from rdcompose.compose.kernelname import architecture_of_name
from rdcompose.compose.resolve import kernels
from rdcompose.errors import NotFoundError, UsageError
from rdcompose.kernel.release import architecture_by_name, architecture_of_machine

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from rdcompose.archive.repository import Suite
    from rdcompose.cli.archive import Session
    from rdcompose.compose.resolve import KernelRow
    from rdcompose.kernel.release import Architecture

_HEADINGS = ("release", "size", "version", "suite", "date")


def list_kernels(arguments: argparse.Namespace) -> int:
    """Run the command; returns the exit status."""
    architecture = host_architecture(arguments.arch, arguments.pattern)
    shown = not (arguments.quiet or arguments.no_progress)
    with archive_session(arguments, shown=shown) as session:
        suites = _suites(session, architecture.name, everywhere=arguments.all)
        rows = _merged(kernels(suites, architecture.name))
        if arguments.all and (left_out := session.archive.left_out):
            session.archive.access.warn(f"left out, -v tells why: {', '.join(left_out)}")
    found = [row for row in rows if _matches(row["release"], arguments.pattern)]
    if arguments.json:
        print(json.dumps(found, indent=2))
        return 0
    if not found:
        raise _nothing(arguments.pattern, architecture, suites)
    cells = [
        (
            row["release"],
            size_text(row["size"]),
            row["version"],
            ", ".join(row["suites"]),
            row["date"][:10],
        )
        for row in found
    ]
    print(table([_HEADINGS, *cells] if sys.stdout.isatty() else cells))
    return 0


def host_architecture(option: str | None, name: str | None) -> Architecture:
    """Return the architecture that an option names, a kernel's name tells, or the host has.

    :raises SpecError: the option names none.
    :raises UsageError: the host's is none of Debian's.
    """
    if option is not None:
        return architecture_by_name(option)
    if name is not None and (told := architecture_of_name(name)) is not None:
        return told
    machine = platform.machine()
    if (own := architecture_of_machine(machine)) is None:
        raise UsageError(f"no architecture of Debian is {machine}: name one with --arch")
    return own


def _suites(session: Session, architecture: str, *, everywhere: bool) -> tuple[Suite, ...]:
    archive = session.archive
    if not everywhere:
        return archive.family(archive.suite, architecture)
    names = (*family(archive.suite), *archive.place.suites, *other_suites())
    # Where nothing can be used, the suite asked for says why.
    return tuple(archive.suites(names, architecture)) or archive.family(archive.suite, architecture)


def _merged(rows: Iterable[KernelRow]) -> list[dict[str, Any]]:
    """Return each kernel once, with all suites that have it."""
    merged: dict[tuple[str, str], dict[str, Any]] = {}
    for release, found, size in rows:
        package, suite = found.package, found.suite
        row = merged.setdefault(
            (release, package.version),
            {
                "release": release,
                "package": package.name,
                "version": package.version,
                "architecture": package.architecture,
                "suites": [],
                "size": size,
                "sha256": package.sha256,
                "date": suite.release.date.isoformat(),
            },
        )
        if suite.name not in row["suites"]:
            row["suites"].append(suite.name)
    return list(merged.values())


def _matches(release: str, pattern: str | None) -> bool:
    if pattern is None:
        return True
    pattern = pattern.removeprefix("linux-image-")
    if any(character in pattern for character in "*?["):
        return fnmatch.fnmatchcase(release, pattern)
    return pattern in release


def _nothing(
    pattern: str | None, architecture: Architecture, suites: Iterable[Suite]
) -> NotFoundError:
    names = ", ".join(suite.name for suite in suites)
    what = "no kernel" if pattern is None else f"no kernel that matches {pattern!r}"
    return NotFoundError(
        f"{what} for {architecture.name} in {names}",
        hint="look elsewhere with --suite, --all or --arch",
    )
