"""``rdcompose verify``: whether files are of one release and fit together."""

from __future__ import annotations

import json
from contextlib import ExitStack
from typing import TYPE_CHECKING

from rdcompose.errors import ReleaseError
from rdcompose.inspect.bootfolder import open_boot_folders
from rdcompose.inspect.boots import BootFacts
from rdcompose.inspect.collection import Collection, collect
from rdcompose.inspect.verify import as_json, as_lines, verify
from rdcompose.kernel.release import check_release

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence
    from pathlib import Path


def verify_files(arguments: argparse.Namespace) -> int:
    """Run the command; returns the exit status.

    :raises ReleaseError: the files contradict each other; the first contradiction.
    """
    if arguments.release is not None:
        check_release(arguments.release)
    with ExitStack() as stack:
        report = verify(*_found(arguments.paths, arguments.release, stack))
        if arguments.json:
            print(json.dumps(as_json(report), indent=2, ensure_ascii=False))
        elif not arguments.quiet:
            for line in as_lines(report, verbose=arguments.verbose):
                print(line)
    if report.contradictions:
        raise ReleaseError(report.contradictions[0].message)
    return 0


def _found(
    paths: Sequence[Path], release: str | None, stack: ExitStack
) -> tuple[Collection, list[BootFacts]]:
    """Return what there is to verify: sets of files, and boot folders of a Raspberry Pi."""
    folders: list[BootFacts] = []
    others: list[Path] = []
    for path in paths:
        found = open_boot_folders(path, stack)
        folders += [BootFacts(folder, release) for folder in found]
        if not found:
            others.append(path)
    return collect(others, release) if others else Collection((), ()), folders
