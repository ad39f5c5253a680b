"""Patterns that choose files of an image, as users write them on a command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rdcompose.globs import PathGlob

if TYPE_CHECKING:
    from collections.abc import Iterable


class PathPatterns:
    """Globs of paths; without any, every path is meant.

    A pattern without a slash is a name, of a file or directory anywhere; one with a slash, also
    at its start, is a path from the root. A slash at its end means directories only. What
    is below a directory that is meant is meant, too. For wildcards see
    :class:`~rdcompose.globs.PathGlob`.
    """

    def __init__(self, patterns: Iterable[str]) -> None:
        self._rows = [_Row(pattern) for pattern in patterns]

    def __bool__(self) -> bool:
        return bool(self._rows)

    def matches(self, path: str, *, directory: bool = False) -> bool:
        """Whether a path is meant; ``directory`` says that it is one."""
        if not self._rows:
            return True
        components = path.split("/")
        # Each is asked, because each is to know whether it has matched anything.
        found = [row.matches(components, directory=directory) for row in self._rows]
        return any(found)

    @property
    def unmatched(self) -> tuple[str, ...]:
        """The patterns that no path has matched so far, in their order."""
        return tuple(row.pattern for row in self._rows if not row.used)


class _Row:
    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.used = False
        parts = [part for part in pattern.split("/") if part not in {"", "."}]
        anywhere = parts and "/" not in pattern.rstrip("/")
        self._glob = PathGlob("/".join(["**", *parts] if anywhere else parts))
        self._directories = pattern.endswith("/")

    def matches(self, components: list[str], *, directory: bool) -> bool:
        whole = not self._directories or directory
        found = any(end < len(components) or whole for end in self._glob.ends(components))
        self.used = self.used or found
        return found
