"""The options of ``rdcompose report``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable


def add_report(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    *,
    add_threads: Callable[[argparse._ActionsContainer], None],
) -> None:
    """Add the command; ``add_threads`` adds the option that other commands have, too."""
    parser = commands.add_parser(
        "report",
        help="say where the bytes of images are, and all else that there is to know of them",
        description="Tell of images, whoever made them, where their bytes are, which modules and "
        "programs they hold and why, of which segments they are, and what rdcompose verify finds: "
        "tables on standard output, or a page to look at with a browser.",
    )
    parser.add_argument(
        "paths",
        metavar="FILE|DIR",
        nargs="+",
        type=Path,
        help="initramfs, modules disk, unified kernel image, Debian package; a directory with "
        "such files, or a tree of files; given together, files are to fit together",
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        default="-",
        help="write a page if the name ends in .html, JSON if it ends in .json, else tables "
        "(default: tables on standard output)",
    )
    parser.add_argument("--release", metavar="R", help="the kernel to take where there are several")
    add_threads(parser)
