"""``rdcompose outdated``: whether the archive has a newer kernel or newer programs."""

from __future__ import annotations

import dataclasses
import json
import sys
from typing import TYPE_CHECKING, Any, Final

from rdcompose.errors import FetchError, SpecError, UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence
    from pathlib import Path

    from rdcompose.cli.outdated_sources import Sources
    from rdcompose.compose.outdated import Finding, Offer

_OUTDATED: Final = 3


def outdated(arguments: argparse.Namespace) -> int:
    """Run the command; returns the exit status.

    :raises UsageError: there is nothing to look at.
    :raises SpecError: a manifest or project file is wrong.
    :raises FetchError: nothing newer was found, but a suite could not be searched.
    :raises RdcomposeError: as the archive does; see :mod:`rdcompose.archive`.
    """
    paths = _paths(arguments)
    # Not before it is clear that there is something to do: they take longer than the check.
    from rdcompose.cli.archive import archive_session
    from rdcompose.cli.outdated_sources import find_sources
    from rdcompose.compose.outdated import look

    shown = not (arguments.quiet or arguments.no_progress or arguments.json)
    with archive_session(arguments, shown=shown) as session:
        sources = find_sources(paths, lambda: session.archive.suite)
        findings = [look(row, session.archive, arguments.suite) for row in sources.builds_of]
        unknown = dict.fromkeys(session.archive.left_out)
    for name in (name for found in findings for name in found.unsearched):
        # A mirror need not have it; then it is asked for what it has.
        if arguments.security:
            unknown[name] = None
    counting = [found for found in findings if _counts(found, security=arguments.security)]
    if arguments.json:
        print(json.dumps(_as_json(findings, counting, sources), indent=2, ensure_ascii=False))
    elif not arguments.quiet:
        _print(findings if arguments.verbose else counting, sources, known=not unknown)
    if counting:
        return _OUTDATED
    if unknown:
        raise FetchError(
            f"whether anything is newer is not known: {', '.join(unknown)} could not be searched",
            hint="try again later, or name another mirror with --mirror",
        )
    return 0


def _paths(arguments: argparse.Namespace) -> list[Path]:
    from rdcompose.cli.project import PROJECT_FILE

    paths: list[Path] = arguments.paths or [PROJECT_FILE]
    missing = [path for path in paths if not path.exists()]
    if missing and not arguments.paths:
        raise UsageError(
            "there is nothing to compare", hint="name a manifest-R.json, or a directory with one"
        )
    if missing:
        raise SpecError(f"cannot read {missing[0]}: there is no such file or directory")
    return paths


def _counts(found: Finding, *, security: bool) -> bool:
    return (found.security if security else found.newest) is not None


def _print(findings: Sequence[Finding], sources: Sources, *, known: bool) -> None:
    for note in sources.notes:
        print(f"note: {note}", file=sys.stderr)
    if not findings:
        if known:
            print("nothing is newer")
        return
    from rdcompose.cli.terminal import table

    print(table([_row(found, sources) for found in findings]))


def _row(found: Finding, sources: Sources) -> tuple[str, ...]:
    used = found.used
    old = f"{used.package} {used.version}".rstrip()
    builds = ", ".join(sources.builds_of[used])
    if (offer := found.newest) is None:
        said = "newest" if found.offered else "not in the archive any more"
        return (used.role, "", old, said, builds)
    new = offer.version if offer.package == used.package else f"{offer.package} {offer.version}"
    where = offer.suite
    if found.security is not None and found.security.suite != offer.suite:
        where += f", {found.security.suite}"
    return (used.role, "", old, f"-> {new} ({where})", builds)


def _as_json(
    findings: Sequence[Finding], counting: Sequence[Finding], sources: Sources
) -> dict[str, Any]:
    return {
        "outdated": bool(counting),
        "packages": [
            {
                "role": found.used.role,
                "package": found.used.package,
                "version": found.used.version or None,
                "architecture": found.used.architecture,
                "suite": found.used.suite,
                "builds": sources.builds_of[found.used],
                "newest": _offer(found.newest),
                "security": _offer(found.security),
                "offered": found.offered,
            }
            for found in findings
        ],
        "notes": list(sources.notes),
    }


def _offer(offer: Offer | None) -> dict[str, str] | None:
    return None if offer is None else dataclasses.asdict(offer)
