"""The options of ``rdcompose suggest``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rdcompose.cli.archive_options import add_archive_options
from rdcompose.cli.boot_options import add_machine, add_timeout

if TYPE_CHECKING:
    from collections.abc import Callable

_EPILOG: Final = """\
exit status: 0 done, 1 it could not be done or the lists do not boot, 2 wrong usage,
130 interrupted
"""


def add_suggest(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    *,
    add_common: Callable[[argparse.ArgumentParser], None],
) -> None:
    """Add the command; ``add_common`` adds the options that other commands have, too."""
    parser = commands.add_parser(
        "suggest",
        help="make module lists for a machine: from lsmod, from its /sys, or by a trial boot",
        description="Make modules.ramfs and modules.autoload for a kernel and a machine, with a "
        "comment on each module: from what is loaded or found on that machine, or from what a "
        "machine of QEMU turns out to need.",
        epilog=_EPILOG,
    )
    parser.add_argument(
        "kernel",
        metavar="KERNEL",
        nargs="+",
        help="the kernel that the lists are for, as rdcompose build takes it",
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="DIR",
        type=Path,
        help="write a profile: a directory that rdcompose build --profile takes (default: print "
        "both lists)",
    )
    parser.add_argument(
        "--force", action="store_true", help="replace the lists that DIR has already"
    )
    parser.add_argument(
        "--arch",
        metavar="ARCH",
        help="Debian's name of the architecture, where the name of the kernel does not tell",
    )
    parser.add_argument(
        "--release", metavar="R", help="the kernel to take where a file or directory holds several"
    )
    _add_sources(parser.add_argument_group("what the lists are made from"))
    group = parser.add_argument_group("the machine, for --boot and --prove")
    add_machine(group)
    add_timeout(group)
    _add_programs(parser.add_argument_group("programs of the images that are booted"))
    add_archive_options(parser)
    add_common(parser)


def _add_sources(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--lsmod",
        metavar="FILE",
        help="what lsmod printed there, or /proc/modules; '-' for standard input",
    )
    group.add_argument(
        "--sys",
        metavar="DIR|FILE",
        help="/sys of a machine: this one's, a copy, a tar archive, or a text of its modaliases; "
        "'-' for standard input",
    )
    group.add_argument(
        "--boot",
        action="store_true",
        help="boot a machine of QEMU, with any module that its devices ask for, until none is "
        "missing",
    )
    group.add_argument(
        "--prove",
        action=argparse.BooleanOptionalAction,
        help="boot with just these lists, and say what is missing if that fails (default: after "
        "--boot)",
    )


def _add_programs(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--template", metavar="DIR", type=Path, help="files for the initramfs, as build takes them"
    )
    group.add_argument(
        "--busybox", metavar="FILE", help="program file, .deb or .apk (default: Debian's)"
    )
