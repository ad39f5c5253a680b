"""The environment of programs that a test sends signals to, or gives no room."""

from __future__ import annotations

import os
import sys


def unmeasured() -> dict[str, str]:
    """Return an environment in which coverage is not measured.

    coverage writes a file of its own, also into a limit meant for us, and its locks do not
    stand an interrupt.
    """
    kept = {name: value for name, value in os.environ.items() if "COVERAGE" not in name}
    return {**kept, "PYTHONPATH": os.pathsep.join(sys.path)}
