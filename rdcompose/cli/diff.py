"""``rdcompose diff``: what differs between two images or builds."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from rdcompose.cli.diff_forms import as_markdown, as_text
from rdcompose.cli.diff_json import as_json
from rdcompose.cli.diff_row import SHOWN
from rdcompose.cli.diff_sections import sections
from rdcompose.cli.terminal import progress
from rdcompose.inspect.compare.comparison import compare
from rdcompose.inspect.findings import printable

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from rdcompose.cli.diff_sections import Section
    from rdcompose.inspect.compare.results import Comparison, GroupDifference
    from rdcompose.inspect.compare.sides import Group
    from rdcompose.release.changes import Difference
    from rdcompose.release.records import BuildRecord


Told = tuple["GroupDifference", "Difference | None", tuple["Section", ...]]


def diff(arguments: argparse.Namespace) -> int:
    """Run the command; returns the exit status."""
    with progress("comparing", shown=not arguments.quiet):
        comparison = compare(arguments.before, arguments.now)
    only = arguments.only or ()
    told = [_told(group, only, whole=arguments.verbose) for group in comparison.groups]
    different = any(_differs(*row, only) for row in told)
    if not arguments.quiet:
        _print(arguments, comparison, told, different=different)
    return int(different and arguments.exit_code)


def _told(group: GroupDifference, only: Sequence[str], *, whole: bool) -> Told:
    manifests = _manifests(group)
    return group, manifests, tuple(sections(group, manifests, only, whole=whole))


def _differs(
    group: GroupDifference,
    manifests: Difference | None,
    found: Sequence[Section],
    only: Sequence[str],
) -> bool:
    if only:
        return bool(found)
    return group.different or bool(found) or (manifests is not None and bool(manifests.sizes))


def _manifests(group: GroupDifference) -> Difference | None:
    """Compare what the manifests of both sides say."""
    if group.before is None or group.now is None:
        return None
    if group.before.manifest is None or group.now.manifest is None:
        return None
    from rdcompose.release.changes import compared

    before, now = _record(group.before), _record(group.now)
    return None if before is None or now is None else compared(now, before)


def _record(group: Group) -> BuildRecord | None:
    from rdcompose.release.records import read_record

    assert group.manifest is not None
    builds = read_record(group.manifest).builds
    return next((row for row in builds if row.name == group.build), None)


def _print(
    arguments: argparse.Namespace,
    comparison: Comparison,
    told: Sequence[Told],
    *,
    different: bool,
) -> None:
    if arguments.json:
        data = as_json(comparison, [row[:2] for row in told], different=different)
        print(json.dumps(data, indent=2, ensure_ascii=False))
        return
    only = arguments.only or ()
    limit = None if arguments.verbose else SHOWN
    form = as_markdown if arguments.markdown else as_text
    shown = [
        (group, found)
        for group, manifests, found in told
        if _differs(group, manifests, found, only)
    ]
    for number, (group, found) in enumerate(shown):
        if number and not arguments.markdown:
            print()
        for line in form(group, found, limit, titled=len(told) > 1):
            print(printable(line))
