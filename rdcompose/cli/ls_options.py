"""The options of ``rdcompose ls``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rdcompose.cli.unpack_options import IMAGE_FILE, add_patterns, given

if TYPE_CHECKING:
    import argparse


def add_ls(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "ls",
        help="list what is in an initramfs, disk, package or boot folder of any maker",
        description="Say what a file is, of which kernel release and for which architecture, of "
        "which segments it is made, and list what is in it. What can be read of a damaged "
        "file is listed, then where and how it breaks; the exit status is 1 then.",
    )
    parser.add_argument(
        "file",
        metavar="FILE|DIR",
        type=given,
        help=f"{IMAGE_FILE}; a kernel, a configuration or a device tree; a directory",
    )
    add_patterns(parser, "list")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("-s", "--summary", action="store_true", help="leave out the list of files")
    form.add_argument(
        "--names", action="store_true", help="print paths only, one a line, as they are stored"
    )
    form.add_argument(
        "--tree", action="store_true", help="draw the tree that the kernel makes of it"
    )
    form.add_argument(
        "--modules",
        action="store_true",
        help="list the modules: name, size, version, built in or not, and why each is there",
    )
    parser.add_argument("--json", action="store_true", help="print all of it as JSON")
