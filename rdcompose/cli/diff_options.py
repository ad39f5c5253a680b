"""The options of ``rdcompose diff``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import argparse

SECTIONS: Final = ("sizes", "packages", "modules", "files", "config", "programs")
_EPILOG: Final = """\
exit status: 0 it was compared, 1 it could not be compared, or differs and --exit-code is given,
2 wrong usage, 130 interrupted
"""


def add_diff(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "diff",
        help="compare two images or builds, whoever made them",
        description="Say what differs between two initramfs, modules disks, kernels, unified "
        "kernel images, Debian packages, directories or manifests: sizes, modules, files, options "
        "of the configuration, programs. Without a difference nothing is printed.",
        epilog=_EPILOG,
    )
    parser.add_argument("before", metavar="A", type=Path, help="what there was before")
    parser.add_argument("now", metavar="B", type=Path, help="what it is compared with")
    parser.add_argument(
        "--only",
        metavar="WHAT",
        choices=SECTIONS,
        action="append",
        help=f"compare only this, of {', '.join(SECTIONS)}; may be given several times",
    )
    parser.add_argument(
        "--exit-code",
        action="store_true",
        help="end with 1 if there are differences, as git diff does",
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print all that differs as JSON")
    form.add_argument(
        "--markdown", action="store_true", help="print it as Markdown, for notes on a release"
    )
    talk = parser.add_mutually_exclusive_group()
    talk.add_argument("-q", "--quiet", action="store_true", help="print errors only")
    talk.add_argument(
        "-v", "--verbose", action="store_true", help="print every line, however many there are"
    )
