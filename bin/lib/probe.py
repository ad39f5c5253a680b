"""Tell bin/lib/environment.sh whether this Python, 3.11 or newer, will do.

Writes ``PYTHON:LIBRARY``, the real paths of the interpreter and of libarchive; or says
what is missing, and ends with 1.
"""

# ruff: noqa: INP001

import ctypes
import ctypes.util
import importlib.util
import os
import sys
from pathlib import Path


def find_libarchive() -> Path | None:
    """Path of the library, by the name that stays when it is updated."""
    name = os.environ.get("LIBARCHIVE") or ctypes.util.find_library("archive")
    if name is None:
        return None
    ctypes.CDLL(name)
    # The loader knows where it found it, and says so here only.
    lines = Path("/proc/self/maps").read_text().splitlines()
    real = Path(next(line.split(None, 5)[5] for line in lines if "libarchive" in line))
    soname = real.with_name(Path(name).name)
    return soname if soname.exists() else real


def main() -> int:
    """Check in the order in which things get installed."""
    if None in map(importlib.util.find_spec, ("venv", "ensurepip")):
        sys.stdout.write("venv is missing\n")
        return 1
    library = find_libarchive()
    if library is None:
        sys.stdout.write("libarchive is missing\n")
        return 1
    # An upgrade of Python takes this path away, which shows that the environment is stale.
    sys.stdout.write(f"{Path(sys.executable).resolve()}:{library}\n")
    return 0


sys.exit(main())
