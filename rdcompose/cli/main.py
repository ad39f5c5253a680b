"""The ``rdcompose`` command: errors and exit status.

Exit status: 0 done, 1 it could not be done (one clear message), 2 wrong usage, 130
interrupted. Heavy modules are imported by the command that needs them, so that
``--version``, ``--help`` and a mistyped option answer at once.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING, NoReturn

from rdcompose.cli.options import make_parser
from rdcompose.errors import RdcomposeError, UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence
    from types import FrameType


class _Terminated(KeyboardInterrupt):
    """SIGTERM or SIGHUP: unwinds like an interrupt, so that nothing is left behind."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


def _on_signal(number: int, _frame: FrameType | None) -> NoReturn:
    raise _Terminated(number)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status; a bug keeps its traceback."""
    arguments = make_parser().parse_args(argv)
    try:
        status = _run(arguments)
        sys.stdout.flush()
    except RdcomposeError as error:
        print(f"rdcompose: error: {error.message}", file=sys.stderr)
        if error.hint is not None:
            print(f"  hint: {error.hint}", file=sys.stderr)
        return 2 if isinstance(error, UsageError) else 1
    except BrokenPipeError:
        # The reader of standard output has gone, as in "rdcompose … | head -1".
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    except KeyboardInterrupt as interrupt:
        print("rdcompose: interrupted", file=sys.stderr)
        return 128 + (interrupt.number if isinstance(interrupt, _Terminated) else signal.SIGINT)
    return status


def _run(arguments: argparse.Namespace) -> int:
    if arguments.command == "build":
        from rdcompose.cli.build import build

        return build(arguments)
    if arguments.command == "kernels":
        from rdcompose.cli.kernels import list_kernels

        return list_kernels(arguments)
    if arguments.command.startswith("update-"):
        from rdcompose.cli.update import update

        return update(arguments)
    if arguments.command == "cache":
        from rdcompose.cli.cache import cache

        return cache(arguments)
    from rdcompose.cli.minivm import COMMANDS

    return COMMANDS[arguments.command](arguments)


def entrypoint() -> NoReturn:
    """Start the program from the command line."""
    signal.signal(signal.SIGTERM, _on_signal)
    signal.signal(signal.SIGHUP, _on_signal)
    sys.exit(main())
