"""Another version of Python than that of the tests, with the packages that users get."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.support.kernels import cache_directory, locked
from tests.support.tools import missing, run, search_path

if TYPE_CHECKING:
    from collections.abc import Iterator

TOP: Final = Path(__file__).parents[2]
LOCK: Final = TOP / "requirements" / "run.lock"
# Versions that are supported, newest first.
VERSIONS: Final = ("3.14", "3.13", "3.12", "3.11")


def other_python() -> Path:
    """Return the interpreter of an environment made as ``bin/rdcompose`` makes its own.

    The test is skipped where there is no other supported version.
    """
    here = "{}.{}".format(*sys.version_info)
    found = (
        (program, version)
        for version in VERSIONS
        if version != here
        for program in _programs(version)
        if _works(program, version)
    )
    if (first := next(found, None)) is None:
        missing(f"there is no other Python than {here}: one of {', '.join(VERSIONS)}")
    return _environment(*first)


def _programs(version: str) -> Iterator[Path]:
    for directory in search_path().split(os.pathsep):
        yield Path(directory) / f"python{version}"
    # Where pyenv keeps versions that are not the one in use.
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    yield from sorted(root.glob(f"versions/{version}.*/bin/python{version}"))


def _works(program: Path, version: str) -> bool:
    if not program.is_file():
        return False
    code = "import ensurepip, lzma, ssl, sys; print('{}.{}'.format(*sys.version_info))"
    done = subprocess.run(
        [program, "-I", "-c", code], capture_output=True, text=True, check=False, timeout=60
    )
    return done.stdout.strip() == version


def _environment(program: Path, version: str) -> Path:
    of = hashlib.sha256(LOCK.read_bytes()).hexdigest()[:16]
    directory = cache_directory() / f"python-{version}-{of}"
    python = directory / "bin" / "python"
    with locked(cache_directory() / f"python-{version}.lock"):
        if not (directory / "complete").exists():
            run(program, "-I", "-m", "venv", "--clear", directory)
            options = ("-qq", "--disable-pip-version-check", "--no-input", "--require-hashes")
            run(python, "-m", "pip", "install", *options, "--requirement", LOCK)
            (directory / "complete").touch()
    return python
