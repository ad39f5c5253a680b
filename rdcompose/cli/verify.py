"""``rdcompose verify``: whether files are of one release and fit together."""

from __future__ import annotations

import json
from contextlib import ExitStack
from typing import TYPE_CHECKING

from rdcompose.errors import ReleaseError
from rdcompose.inspect.gathering import gather
from rdcompose.inspect.verify import as_json, as_lines, verify
from rdcompose.kernel.release import check_release

if TYPE_CHECKING:
    import argparse


def verify_files(arguments: argparse.Namespace) -> int:
    """Run the command; returns the exit status.

    :raises ReleaseError: the files contradict each other; the first contradiction.
    """
    if arguments.release is not None:
        check_release(arguments.release)
    with ExitStack() as stack:
        report = verify(*gather(arguments.paths, arguments.release, stack))
        if arguments.json:
            print(json.dumps(as_json(report), indent=2, ensure_ascii=False))
        elif not arguments.quiet:
            for line in as_lines(report, verbose=arguments.verbose):
                print(line)
    if report.contradictions:
        raise ReleaseError(report.contradictions[0].message)
    return 0
