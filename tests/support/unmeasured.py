"""Programs that a test sends signals to, or gives no room."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def unmeasured() -> dict[str, str]:
    """Return an environment in which coverage is not measured.

    coverage writes a file of its own, also into a limit meant for us, and its locks do not
    stand an interrupt.
    """
    kept = {name: value for name, value in os.environ.items() if "COVERAGE" not in name}
    return {**kept, "PYTHONPATH": os.pathsep.join(sys.path)}


def run_limited(
    arguments: Sequence[str | os.PathLike[str]], size: int
) -> subprocess.CompletedProcess[str]:
    """Run Python where no file can grow beyond a size: what a full disk is to a program."""
    return subprocess.run(
        [sys.executable, *arguments],
        env=unmeasured(),
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size)),
        capture_output=True,
        text=True,
        check=False,
    )
