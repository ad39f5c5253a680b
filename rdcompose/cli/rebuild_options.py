"""The options of ``rdcompose rebuild``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rdcompose.cli.archive_options import add_archive_options
from rdcompose.cli.content_options import add_content_options
from rdcompose.cli.image_options import add_image_options

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable


def add_rebuild(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    *,
    add_common: Callable[[argparse.ArgumentParser], None],
) -> None:
    """Add the command; ``add_common`` adds the options that other commands have, too."""
    parser = commands.add_parser(
        "rebuild",
        help="build again what a manifest names, and compare",
        description="Fetch the inputs that a manifest locks, build again with its options, and say "
        "of every file whether it is the same, or where it first differs from the one beside the "
        "manifest.",
        epilog="exit status: 0 all is the same, 1 something differs, or it could not be built, "
        "2 wrong usage, 130 interrupted",
    )
    parser.add_argument(
        "manifest",
        metavar="MANIFEST",
        type=Path,
        help="manifest-R.json of a build, or manifest.json of a release",
    )
    parser.add_argument(
        "kernel",
        metavar="KERNEL",
        nargs="*",
        help="files or directory of the kernel, where it came from no archive; programs and the "
        "like are given with the options below, as to rdcompose build",
    )
    parser.add_argument(
        "--check", action="store_true", help="only compare, and keep nothing of what is built"
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="DIR",
        type=Path,
        help="where the files go; of a release, each build in a directory of its name in it",
    )
    parser.add_argument(
        "--only",
        metavar="NAME",
        action="append",
        help="of a release, only the build of this name; may be given several times",
    )
    add_content_options(parser, profile="the manifest's")
    add_image_options(parser)
    add_archive_options(parser)
    add_common(parser)
