"""Globs of paths, matched component by component: in module lists, and for files in images."""

from __future__ import annotations

import fnmatch
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

_MAGIC: Final = re.compile(r"[*?\[]")


def is_glob(text: str) -> bool:
    """Whether a text has wildcards in it."""
    return _MAGIC.search(text) is not None


class PathGlob:
    """A path with wildcards: ``*``, ``?`` and ``[…]`` stay within one component.

    ``**`` is any number of components. Case counts, and so does a dot at the start of a name.
    """

    __slots__ = ("_parts",)

    def __init__(self, pattern: str) -> None:
        """Read a pattern, which has no slash at its ends; an empty one is the root."""
        self._parts = [_component(part) for part in pattern.split("/")] if pattern else []

    def ends(self, components: Sequence[str]) -> Sequence[int]:
        """Return how many components of a path the pattern can use up.

        All of them where it matches the path, fewer where it matches a directory on the way
        to it, none where it matches neither.
        """
        # No backtracking, so no pattern is slow.
        ends: Sequence[int] = (0,)
        for part in self._parts:
            if not ends:
                break
            if part is None:
                ends = range(min(ends), len(components))
            else:
                rest = (end for end in ends if end < len(components))
                ends = [end + 1 for end in rest if _same(part, components[end])]
        return ends


def _component(part: str) -> str | re.Pattern[str] | None:
    """One component of a glob: literal, pattern, or ``None`` for ``**``."""
    if part == "**":
        return None
    return re.compile(fnmatch.translate(part)) if is_glob(part) else part


def _same(part: str | re.Pattern[str], component: str) -> bool:
    if isinstance(part, str):
        return part == component
    return part.match(component) is not None
