"""The options of ``rdcompose supports``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rdcompose.cli.archive_options import add_archive_options

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

_EPILOG: Final = """\
exit status: 0 every kernel has every feature, 1 one lacks some, or it could not be found out,
2 wrong usage, 130 interrupted
"""


def add_supports(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    *,
    add_common: Callable[[argparse.ArgumentParser], None],
) -> None:
    """Add the command; ``add_common`` adds the options that other commands have, too."""
    parser = commands.add_parser(
        "supports",
        help="say what kernels can do: nbd, squashfs, overlay, nfs, ext4, …",
        description="Say of kernels whether features are built in, modules, or lacking, and then "
        "by which option of the configuration.",
        epilog=_EPILOG,
    )
    parser.add_argument(
        "word",
        metavar="KERNEL|FEATURE",
        nargs="+",
        help="kernels as rdcompose build takes them, any number, and features: nbd, nfs, squashfs, "
        "overlay, ext4, btrfs, vfat, …, or any CONFIG_NAME (default: nbd squashfs overlay, what "
        "PiNet needs)",
    )
    parser.add_argument(
        "--arch",
        metavar="ARCH",
        help="Debian's name of the architecture, where the name of a kernel does not tell",
    )
    parser.add_argument(
        "--release", metavar="R", help="the kernel to take where a file or directory holds several"
    )
    add_archive_options(parser)
    add_common(parser)
