"""The options of ``rdcompose outdated``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final

from rdcompose.cli.archive_options import add_archive_options

_EPILOG: Final = """\
exit status: 0 nothing is newer, 3 something is, 1 it could not be found out, 2 wrong usage
"""


def add_outdated(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "outdated",
        help="say whether the archive has a newer kernel or newer programs",
        description="Compare what builds were made from with what the archive has now: the kernel "
        "with the newest of its flavour, programs with the newest version, in the release of "
        "Debian that they are from, with its security suite. Nothing is built.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "paths",
        metavar="MANIFEST|DIR|rdcompose.toml",
        nargs="*",
        type=Path,
        help="manifest of a build or a release, a directory with such, or a project file, of which "
        "the builds that are there and kernels given by release are looked at (default: "
        "rdcompose.toml in the current directory)",
    )
    parser.add_argument(
        "--security",
        action="store_true",
        help="let only what a security suite has newer count",
    )
    add_archive_options(parser)
    group = parser.add_argument_group("how it runs")
    group.add_argument("-q", "--quiet", action="store_true", help="print errors only")
    group.add_argument("-v", "--verbose", action="store_true", help="also print what is not newer")
    group.add_argument("--no-progress", action="store_true", help="show no progress")
    group.add_argument("--json", action="store_true", help="print the result as JSON")
