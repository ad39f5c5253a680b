"""Paths that an archive's indexes name."""

from __future__ import annotations

import re
from typing import Final

_PRINTABLE: Final = re.compile(r"[!-~]+")
_SPECIAL: Final = frozenset({"", ".", ".."})


def stays_below(path: str) -> bool:
    """Whether a path, appended to an address or a directory, leads to something below it.

    Only relative paths of printable ASCII without blanks and backslashes pass, with no empty
    component, none that is ``.`` or ``..``, and nothing that could be taken for a scheme.
    """
    parts = path.split("/")
    return (
        _PRINTABLE.fullmatch(path) is not None
        and "\\" not in path
        and ":" not in parts[0]
        and _SPECIAL.isdisjoint(parts)
    )
