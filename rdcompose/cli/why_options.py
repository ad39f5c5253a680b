"""The options of ``rdcompose why``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rdcompose.cli.archive_options import add_archive_options

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

_EPILOG: Final = """\
exit status: 0 all is explained, 1 there is no such module, or it could not be found out,
2 wrong usage, 130 interrupted
"""


def add_why(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    *,
    add_common: Callable[[argparse.ArgumentParser], None],
) -> None:
    """Add the command; ``add_common`` adds the options that other commands have, too."""
    parser = commands.add_parser(
        "why",
        help="say why a module is in an initramfs, or why it is not",
        description="Follow a module from the line of a list over dependencies, say what would "
        "leave without that line, and of what is not there where it is and which line to add. "
        "Of a kernel, what build would make of it; of what was built, or others made, what is in "
        "the files.",
        epilog=_EPILOG,
    )
    add_about(parser, "MODULE", "modules by name or path, or aliases of them")
    parser.add_argument(
        "--profile",
        metavar="NAME|DIR",
        help="module lists, as for build (default: minivm; of what was built, those of its "
        "manifest)",
    )
    parser.add_argument(
        "--feature",
        metavar="NAME",
        action="append",
        default=[],
        help="feature of the init script, as for build; may be given several times",
    )
    parser.add_argument(
        "--disk",
        choices=("remaining", "all", "none"),
        help="modules on the disk, as for build (default: remaining)",
    )
    parser.add_argument(
        "--all", action="store_true", help="show all chains of dependencies, not just the reason"
    )
    parser.add_argument(
        "--dot", action="store_true", help="print the chains as a graph for Graphviz (dot -Tsvg)"
    )
    finish(parser, add_common)


def add_about(parser: argparse.ArgumentParser, word: str, what: str) -> None:
    """Add what is asked about, and what is asked."""
    parser.add_argument(
        "word",
        metavar="KERNEL|FILE|DIR",
        help="a kernel as rdcompose build takes it, several packages where it is in several; or "
        "initramfs and modules disk, or a directory with them, whoever made them",
    )
    parser.add_argument("rest", metavar=word, nargs="+", help=what)
    parser.add_argument(
        "--arch",
        metavar="ARCH",
        help="Debian's name of the architecture, where the name of a kernel does not tell",
    )
    parser.add_argument(
        "--release", metavar="R", help="the kernel to take where files or a directory have several"
    )


def finish(
    parser: argparse.ArgumentParser, add_common: Callable[[argparse.ArgumentParser], None]
) -> None:
    """Add where kernels come from, and how a command runs."""
    add_archive_options(parser)
    add_common(parser)
