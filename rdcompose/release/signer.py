"""Signatures by a program of the user's: the only one that a release runs.

It is given a copy of the checksums in a directory of its own, and what it puts beside that is the
signature, by whatever name it gives it: ``SHA256SUMS.minisig``, ``.sig``, ``.asc``. So the
command is the one that its user would type, and no signer has to be known here.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from rdcompose.errors import OutputError, UsageError

# Stands for the file that is to be signed.
PLACE: Final = "{}"
_MAX_SIGNATURE: Final = 1 << 20
_STANDARD_ERROR: Final = 2


def parse_command(text: str) -> tuple[str, ...]:
    """Return the words of a command, as a shell takes them apart; it is run without one.

    Without ``{}`` in it, the file is its last argument.

    :raises UsageError: it is empty, or a quote is not closed.
    """
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise UsageError(f"the command {text!r} to sign with cannot be read: {error}") from error
    if not words:
        raise UsageError("the command to sign with is empty")
    return tuple(words) if any(PLACE in word for word in words) else (*words, PLACE)


def sign(command: tuple[str, ...], name: str, data: bytes) -> dict[str, bytes]:
    """Have a file signed; returns the signatures by their names.

    The program may ask at the terminal, and what it prints goes to standard error.

    :raises OutputError: it fails, or leaves no signature beside the file.
    """
    with tempfile.TemporaryDirectory(prefix="rdcompose-sign-") as directory:
        file = Path(directory) / name
        file.write_bytes(data)
        argv = [word.replace(PLACE, str(file)) for word in command]
        sys.stderr.flush()
        _run(argv)
        if not file.is_file() or file.read_bytes() != data:
            raise OutputError(f"{argv[0]} changed {name} instead of signing it")
        return _signatures(argv[0], file)


def _run(argv: list[str]) -> None:
    try:
        # A failure is told below; interrupted, it is ended and waited for.
        done = subprocess.run(argv, stdout=_STANDARD_ERROR, check=False)
    except OSError as error:
        raise OutputError(f"cannot start {argv[0]} to sign: {error.strerror}") from error
    if done.returncode:
        how = f"ended with {done.returncode}"
        if done.returncode < 0:
            how = f"was ended by signal {-done.returncode}"
        raise OutputError(f"{argv[0]}, which was to sign, {how}")


def _signatures(program: str, file: Path) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for path in sorted(file.parent.iterdir()):
        if path == file:
            continue
        if not path.name.startswith(f"{file.name}.") or not path.is_file():
            raise OutputError(f"{program} wrote {path.name}, which is no signature of {file.name}")
        data = path.read_bytes()
        if not 0 < len(data) <= _MAX_SIGNATURE:
            raise OutputError(f"{program} wrote {path.name} of {len(data)} bytes: no signature")
        found[path.name] = data
    if not found:
        raise OutputError(
            f"{program} wrote no signature beside {file.name}",
            hint="it must write a file of that name with a suffix, as minisign and ssh-keygen do",
        )
    return found
