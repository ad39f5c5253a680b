"""The ``rdcompose`` command: errors and exit status.

Exit status: 0 done, 1 it could not be done (one clear message), 2 wrong usage, 130 (143,
129) interrupted. Heavy modules are imported by the command that needs them, so that
``--version``, ``--help`` and a mistyped option answer at once.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING, NoReturn

from rdcompose.cli.interrupts import arrived, catch, release
from rdcompose.errors import RdcomposeError, UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status; a bug keeps its traceback."""
    try:
        # Imported here, where an interrupt is caught.
        from rdcompose.cli.options import make_parser

        status = _run(make_parser().parse_args(argv))
        sys.stdout.flush()
    except RdcomposeError as error:
        if (number := arrived()) is not None:
            return _interrupted(number)
        print(f"rdcompose: error: {error.message}", file=sys.stderr)
        if error.hint is not None:
            print(f"  hint: {error.hint}", file=sys.stderr)
        return 2 if isinstance(error, UsageError) else 1
    except BrokenPipeError:
        # The reader of standard output has gone, as in "rdcompose … | head -1".
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    except KeyboardInterrupt as interrupt:
        return _interrupted(getattr(interrupt, "number", signal.SIGINT))
    return status


def _interrupted(number: int) -> int:
    release()
    print("rdcompose: interrupted", file=sys.stderr)
    return 128 + number


def _run(arguments: argparse.Namespace) -> int:
    command: str = arguments.command
    run: Callable[[argparse.Namespace], int]
    if command == "build":
        from rdcompose.cli.build import build as run
    elif command == "boot":
        from rdcompose.cli.boot import boot as run
    elif command == "verify":
        from rdcompose.cli.verify import verify_files as run
    elif command == "upload":
        from rdcompose.cli.upload import upload_directory as run
    elif command == "supports":
        from rdcompose.cli.supports import supports as run
    elif command == "pi":
        from rdcompose.cli.pi import pi as run
    elif command == "kernels":
        from rdcompose.cli.kernels import list_kernels as run
    elif command == "cache":
        from rdcompose.cli.cache import cache as run
    elif command == "release":
        from rdcompose.cli.release import release as run
    elif command.startswith("update-"):
        from rdcompose.cli.update import update as run
    else:
        from rdcompose.cli.minivm import COMMANDS

        run = COMMANDS[command]
    return run(arguments)


def entrypoint() -> NoReturn:
    """Start the program from the command line."""
    catch()
    status = main()
    # The interpreter's own end would show a traceback.
    release()
    sys.exit(status)
