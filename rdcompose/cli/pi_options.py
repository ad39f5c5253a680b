"""The options of ``rdcompose pi``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from rdcompose.cli.archive_options import add_archive_options
from rdcompose.cli.content_options import add_content_options
from rdcompose.cli.netboot_options import add_netboot_options
from rdcompose.cli.pi_card_options import add_card_options

if TYPE_CHECKING:
    from collections.abc import Callable


def add_pi(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    *,
    add_format: Callable[[argparse.ArgumentParser], object],
    add_common: Callable[[argparse.ArgumentParser], None],
) -> None:
    """Add the command; the functions add options that other commands have, too."""
    parser = commands.add_parser(
        "pi",
        help="write a boot folder for the Raspberry Pi",
        description="Write a boot folder for the Raspberry Pi: for each kernel a directory with "
        "kernel, initramfs, device trees and command line of one release, and config.txt that "
        "leads each board to its own.",
    )
    parser.add_argument(
        "kernel",
        metavar="KERNEL",
        nargs="*",
        help="as rdcompose build takes it, but any number: rpi armmp arm64; the .deb files of a "
        "kernel belong together by their names",
    )
    parser.add_argument(
        "-o", "--output", metavar="DIR", type=Path, help="the boot folder: made, or added to"
    )
    parser.add_argument(
        "--board",
        metavar="NAMES",
        type=_names,
        help="boards, with commas between: zero, 1, zero2, 2, 3, 4, 5 (default: all that the "
        "kernels run on)",
    )
    parser.add_argument(
        "--arch",
        metavar="ARCH",
        help="Debian's name of the architecture, where the name of a kernel does not tell",
    )
    parser.add_argument(
        "--release",
        metavar="R",
        help="the kernel to take where a file or directory holds several (default: all of a "
        "file's)",
    )
    parser.add_argument(
        "--locked",
        metavar="FILE",
        type=Path,
        action="append",
        help="use exactly the inputs that the manifest-R.json of a set names, or fail; once for "
        "each kernel",
    )
    _add_boot(parser)
    _add_folder(parser)
    add_card_options(parser)
    add_netboot_options(parser)
    add_content_options(parser, profile="pi")
    add_format(parser)
    add_archive_options(parser)
    add_common(parser)
    # Options of build's that say what other machines start from.
    parser.set_defaults(
        image=None,
        emit=None,
        disk_format=None,
        uki=False,
        uki_stub=None,
        cmdline=None,
        os_release=None,
    )


def _add_boot(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("how a board boots it")
    group.add_argument(
        "--root",
        metavar="ROOT",
        help="the root file system, as root= of the kernel command line has it; on a server, "
        "nbd:SERVER[:PORT]/NAME or nfs:SERVER:/PATH; or 'none' (default: /dev/mmcblk0p2)",
    )
    # build has another option of this name.
    group.add_argument(
        "--cmdline",
        metavar="WORDS",
        dest="words",
        help="more words for the kernel command line; its own console= and root= count instead of "
        "the usual ones",
    )
    group.add_argument(
        "--kernel-name",
        metavar="NAME",
        help="file name of the kernel (default: the one that the boards' firmware looks for)",
    )
    group.add_argument(
        "--device-tree",
        metavar="NAME",
        help="the one device tree of the package to load, on whatever board (default: the board's "
        "own)",
    )
    group.add_argument(
        "--pi-firmware",
        metavar="PACKAGE|DIR|none",
        help="where the files of the firmware come from: a package, a local .deb or a directory "
        "(default: raspi-firmware)",
    )
    group.add_argument(
        "--flat",
        action="store_true",
        help="put the one kernel into the folder itself, not into a directory of its release",
    )


def _add_folder(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("a folder that exists")
    what = group.add_mutually_exclusive_group()
    what.add_argument(
        "--edit",
        action="store_true",
        help="change only what must change in config.txt, whoever made it, and take over the "
        "command line",
    )
    what.add_argument(
        "--switch",
        metavar="RELEASE",
        help="boot the kernel of this release that is in the folder already",
    )
    what.add_argument(
        "--rollback", action="store_true", help="boot again what was booted before the last change"
    )
    group.add_argument(
        "--remove-stale",
        action="store_true",
        help="remove kernels that neither config.txt nor config.previous.txt leads to",
    )


def _names(text: str) -> list[str]:
    names = text.replace(",", " ").split()
    if not names:
        raise argparse.ArgumentTypeError(f"{text!r} names no board")
    return names
