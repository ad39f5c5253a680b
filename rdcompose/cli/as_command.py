"""Arguments of one command as another one has them, which it is to run a part of."""

from __future__ import annotations

import argparse

from rdcompose.cli.options import make_parser


def as_command(
    command: str, arguments: argparse.Namespace, **changes: object
) -> argparse.Namespace:
    """Return what a command would have been given: its defaults, these arguments, the changes."""
    base = vars(make_parser().parse_args([command]))
    given = {name: value for name, value in vars(arguments).items() if name in base}
    return argparse.Namespace(**{**base, **given, "command": command, **changes})
