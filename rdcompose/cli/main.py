"""The ``rdcompose`` command: errors and exit status.

Exit status: 0 done, 1 it could not be done (one clear message), 2 wrong usage, 130 (143,
129) interrupted. Heavy modules are imported by the command that needs them, so that
``--version``, ``--help`` and a mistyped option answer at once.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
from typing import TYPE_CHECKING, Final, NoReturn

from rdcompose.cli.interrupts import arrived, catch, release
from rdcompose.errors import RdcomposeError, UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence


# Module and function of each command.
_COMMANDS: Final = {
    "boot": ("boot", "boot"),
    "build": ("build", "build"),
    "cache": ("cache", "cache"),
    "cat": ("cat", "cat"),
    "diff": ("diff", "diff"),
    "find": ("find", "find"),
    "kernels": ("kernels", "list_kernels"),
    "ls": ("ls", "list_files"),
    "matrix": ("matrix", "matrix"),
    "mkinitramfs": ("minivm", "mkinitramfs"),
    "modules2qcow2": ("minivm", "modules2qcow2"),
    "outdated": ("outdated", "outdated"),
    "pi": ("pi", "pi"),
    "rebuild": ("rebuild", "rebuild"),
    "release": ("release", "release"),
    "report": ("report", "report"),
    "suggest": ("suggest", "suggest"),
    "supports": ("supports", "supports"),
    "unpack": ("unpack", "unpack"),
    "update-busybox": ("update", "update"),
    "update-e2fsck": ("update", "update"),
    "upload": ("upload", "upload_directory"),
    "verify": ("verify", "verify_files"),
    "why": ("why", "why"),
}
# Those that are given files to read.
_READING: Final = frozenset(
    {"boot", "build", "cat", "diff", "ls", "pi", "report", "unpack", "verify"}
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status; a bug keeps its traceback."""
    try:
        return _status(argv)
    except KeyboardInterrupt as interrupt:
        return _interrupted(getattr(interrupt, "number", signal.SIGINT))


def _status(argv: Sequence[str] | None) -> int:
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
        _discard_output()
        return 128 + signal.SIGPIPE
    except OSError as error:
        if error.filename is not None or not _output_fails():
            raise
        _discard_output()
        why = f"cannot write to standard output: {error.strerror}"
        print(f"rdcompose: error: {why}", file=sys.stderr)
        return 1
    return status


def _output_fails() -> bool:
    """Whether it was standard output that failed; what it has lost cannot tell."""
    try:
        print(flush=True)
    except OSError:
        return True
    return False


def _discard_output() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _interrupted(number: int) -> int:
    release()
    print("rdcompose: interrupted", file=sys.stderr)
    return 128 + number


def _run(arguments: argparse.Namespace) -> int:
    if arguments.command in _READING:
        from rdcompose.cli.given import check_files

        check_files(arguments)
    module, function = _COMMANDS[arguments.command]
    loaded = importlib.import_module(f"rdcompose.cli.{module}")
    run: Callable[[argparse.Namespace], int] = getattr(loaded, function)
    return run(arguments)


def _open_closed() -> None:
    """Open what the caller has closed (``>&-``), before another file takes its place."""
    for name, mode in (("stdin", os.O_RDONLY), ("stdout", os.O_WRONLY), ("stderr", os.O_WRONLY)):
        if getattr(sys, name) is None:
            number = os.open(os.devnull, mode)
            setattr(sys, name, os.fdopen(number, "w" if mode else "r", errors="surrogateescape"))


def entrypoint() -> NoReturn:
    """Start the program from the command line."""
    _open_closed()
    catch()
    status = main()
    # The interpreter's own end would show a traceback.
    release()
    sys.exit(status)
