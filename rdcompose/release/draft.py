"""A release whose files are known: what its documents are made from."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rdcompose.release.builds import Build
    from rdcompose.release.place import Placed


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A release before its documents; ``files`` are those of its builds.

    ``timestamp`` is what the documents say of when, in seconds since 1970.
    """

    name: str
    timestamp: int
    builds: tuple[Build, ...]
    files: tuple[Placed, ...]
