"""External programs as oracles: found, or the test is skipped and the package named.

With ``RDCOMPOSE_REQUIRE_TOOLS=1`` in the environment (the continuous integration
sets it) a missing program fails the test instead, so that comparisons cannot rot
unseen.
"""

from __future__ import annotations

import functools
import os
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping

# Debian keeps administrators' programs where an ordinary user's PATH does not look.
_SYSTEM_DIRECTORIES: Final = ("/usr/local/sbin", "/usr/sbin", "/sbin")


def required() -> bool:
    """Whether what is missing fails a test instead of skipping it."""
    return os.environ.get("RDCOMPOSE_REQUIRE_TOOLS") == "1"


def missing(reason: str) -> NoReturn:
    """End the calling test: skipped, or failed where tools are required."""
    if required():
        pytest.fail(f"RDCOMPOSE_REQUIRE_TOOLS is set, but {reason}", pytrace=False)
    pytest.skip(reason)


def search_path() -> str:
    """PATH with the system directories at its end."""
    return os.pathsep.join([os.environ.get("PATH", os.defpath), *_SYSTEM_DIRECTORIES])


@functools.cache
def packages() -> Mapping[str, str]:
    """Program name to Debian package, from ``programs.txt``."""
    table = Path(__file__).with_name("programs.txt").read_text(encoding="ascii")
    rows = (line.split() for line in table.splitlines() if line and not line.startswith("#"))
    return dict(rows)


def tool(name: str) -> str:
    """Path of a program; without it the test is skipped, naming the Debian package."""
    path = shutil.which(name, path=search_path())
    if path is None:
        package = packages().get(name, name)
        missing(f"{name} is not installed (Debian package {package})")
    return path


def run_bytes(
    *argv: str | os.PathLike[str],
    stdin: bytes = b"",
    cwd: str | os.PathLike[str] | None = None,
    env: Mapping[str, str] | None = None,
    timeout: float = 300,
    status: int = 0,
) -> bytes:
    """Run a program to its end and return its standard output.

    The program runs in the C locale, with ``env`` added to the environment. Any exit
    status but ``status`` fails the test, showing the command and what it printed.
    """
    command = [os.fspath(part) for part in argv]
    environment = {**os.environ, "PATH": search_path(), "LC_ALL": "C", **(env or {})}
    done = subprocess.run(
        command,
        input=stdin,
        cwd=cwd,
        env=environment,
        timeout=timeout,
        capture_output=True,
        check=False,
    )
    if done.returncode != status:
        pytest.fail(
            f"{shlex.join(command)}\nended with {done.returncode}, not {status}\n"
            f"stdout: {_tail(done.stdout)}\nstderr: {_tail(done.stderr)}"
        )
    return done.stdout


def run(
    *argv: str | os.PathLike[str],
    stdin: bytes = b"",
    cwd: str | os.PathLike[str] | None = None,
    env: Mapping[str, str] | None = None,
    timeout: float = 300,
    status: int = 0,
) -> str:
    """Like :func:`run_bytes`, as text; bytes that are no UTF-8 become surrogates."""
    output = run_bytes(*argv, stdin=stdin, cwd=cwd, env=env, timeout=timeout, status=status)
    return output.decode("utf-8", "surrogateescape")


def _tail(output: bytes, limit: int = 4000) -> str:
    text = output.decode("utf-8", "replace")
    return text if len(text) <= limit else "… " + text[-limit:]
