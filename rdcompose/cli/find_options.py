"""The options of ``rdcompose find``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rdcompose.cli.why_options import add_about, finish

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

_EPILOG: Final = """\
exit status: 0 all was found, 1 something was not, or it could not be found out, 2 wrong usage,
130 interrupted
"""


def add_find(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    *,
    add_common: Callable[[argparse.ArgumentParser], None],
) -> None:
    """Add the command; ``add_common`` adds the options that other commands have, too."""
    parser = commands.add_parser(
        "find",
        help="look up modules by name, alias, modalias of a device, or firmware",
        description="Say which modules of a kernel, or built-in parts, a name stands for, as "
        "modprobe resolves it, and what they say of themselves: description, aliases, parameters, "
        "firmware, what they need and what needs them.",
        epilog=_EPILOG,
    )
    what = (
        "names or paths of modules, shell patterns of them ('virtio*'), aliases, modaliases as the "
        "kernel prints them, or names of firmware"
    )
    add_about(parser, "NAME|ALIAS", what)
    finish(parser, add_common)
