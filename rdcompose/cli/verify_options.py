"""The options of ``rdcompose verify``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse


def add_verify(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "verify",
        help="check that kernel, initramfs and modules disk fit together, whoever made them",
        description="Read files back and say whether they are all of one kernel release: a "
        "directory, in which each release is judged by itself, or files that are to fit together. "
        "A boot folder, SD image or TFTP directory of a Raspberry Pi is read as its firmware does.",
    )
    parser.add_argument(
        "paths",
        metavar="DIR|FILE",
        nargs="+",
        type=Path,
        help="kernel, initramfs, modules disk, configuration, device tree, manifest, SHA256SUMS; "
        "boot folder, SD image or TFTP directory of a Raspberry Pi",
    )
    parser.add_argument("--release", metavar="R", help="the kernel release that is meant")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.add_argument("-q", "--quiet", action="store_true", help="print errors only")
    parser.add_argument(
        "-v", "--verbose", action="store_true", help="also print what there was nothing to check of"
    )
