"""What the init script printed, read from a machine's console."""

from __future__ import annotations

import re


def steps(console: str) -> list[str]:
    """Return the lines of the init script, in order, without the time of each step."""
    return re.findall(r"^rdcompose: (?:\[\d+\.\d\d\] )?(.*)", console, re.MULTILINE)
