"""The options of ``rdcompose unpack`` and ``rdcompose cat``."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import Final

_UNITS: Final = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
_SIZE: Final = re.compile(r"([0-9]{1,18})([KMGT]?)", re.ASCII | re.IGNORECASE)
IMAGE_FILE: Final = (
    "an initramfs of any maker, a modules disk, a unified kernel image, a .deb, another image of "
    "a filesystem or of a disk with partitions; '-' for standard input"
)


def add_unpack(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add both commands to the parser."""
    _add_unpack(commands)
    _add_cat(commands)


def add_patterns(parser: argparse.ArgumentParser, verb: str) -> None:
    """Add the patterns that choose files of an image, for what the verb says."""
    parser.add_argument(
        "pattern",
        metavar="PATTERN",
        nargs="*",
        default=(),
        type=given,
        help=f"what to {verb}, and all below it: a name anywhere (*.ko), or a path from the root "
        "(lib/modules/*/kernel/fs, /init); *, ? and [...] stay within a name, ** is any number of "
        "directories (default: everything)",
    )


def _add_unpack(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "unpack",
        help="unpack an initramfs, disk or package of any maker to a directory",
        description="Write what is in a file to a directory. Nothing is written outside of it, "
        "wherever names and links lead. Device nodes, owners and other things that a directory of "
        "an ordinary user does not hold go to DIR/template.list, which build --template DIR reads.",
    )
    parser.add_argument("file", metavar="FILE", type=given, help=IMAGE_FILE)
    parser.add_argument(
        "directory", metavar="DIR", type=Path, help="an empty directory, or one to be made"
    )
    add_patterns(parser, "unpack")
    parser.add_argument(
        "--segments",
        action="store_true",
        help="keep the segments of an initramfs apart, as unmkinitramfs does: early, early2, main",
    )
    parser.add_argument(
        "--preserve",
        action="store_true",
        help="as root: make owners, device nodes and setuid bits as they are, and no list",
    )
    parser.add_argument(
        "-f",
        "--force",
        action="store_true",
        help="write into a directory that holds something; files of the same names make way",
    )
    parser.add_argument(
        "--max-size",
        metavar="SIZE",
        type=_size,
        help="the most bytes to unpack, with K, M, G or T (default: 4G)",
    )
    parser.add_argument(
        "--max-entries",
        metavar="N",
        type=_number,
        help="the most entries to unpack (default: 1048576)",
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="print errors only")
    parser.add_argument("-v", "--verbose", action="store_true", help="print the path of each entry")


def _add_cat(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "cat",
        help="print a file that is in an initramfs, disk or package of any maker",
        description="Write files that are in an image, or in a directory that is to be a root, to "
        "standard output. Links are followed as the booted system would.",
    )
    parser.add_argument("file", metavar="FILE", type=given, help=f"{IMAGE_FILE}; a directory")
    parser.add_argument(
        "path", metavar="PATH", nargs="+", type=given, help="a path in it, from its root"
    )
    parser.add_argument(
        "-d",
        "--decompress",
        action="store_true",
        help="unpack what is packed, as modules and firmware often are (.ko.xz)",
    )


def given(text: str) -> str:
    """Return what may be the name of a file, or a pattern of paths.

    :raises ArgumentTypeError: it is empty.
    """
    if not text:
        raise argparse.ArgumentTypeError("it is empty")
    return text


def _size(text: str) -> int:
    found = _SIZE.fullmatch(text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no size like 500M or 16G")
    return int(found[1]) * _UNITS[found[2].upper()]


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise argparse.ArgumentTypeError(f"{text!r} is no number")
    return int(text)
