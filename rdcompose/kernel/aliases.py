"""A table of alias patterns that answers thousands of questions.

A kernel has up to thirty thousand patterns, most of them alike at the start
(``of:N*T*C…``). So each is filed under a few letters out of its longest literal part,
which a text must contain to match; a question looks at few patterns only.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from rdcompose.formats.modindex import matches

if TYPE_CHECKING:
    from collections.abc import Iterable

_WILDCARD: Final = re.compile(r"[*?]|\[[!^]?.[^]]*\]", re.DOTALL)
_SPECIAL: Final = re.compile(r"[*?\[\\]")
_KEY_LENGTH: Final = 8


class AliasTable:
    """Patterns and what they stand for, in the order of their priority.

    Patterns are expected as kmod compares them
    (:func:`~rdcompose.kernel.module.normalize_alias`), and so are questions.
    """

    def __init__(self, aliases: Iterable[tuple[str, str]]) -> None:
        self._exact: dict[str, list[tuple[int, str]]] = {}
        self._wild: dict[str, list[tuple[int, str, str]]] = {}
        for rank, (pattern, name) in enumerate(aliases):
            if _SPECIAL.search(pattern) is None:
                self._exact.setdefault(pattern, []).append((rank, name))
            else:
                self._wild.setdefault(_key(pattern), []).append((rank, pattern, name))

    def find(self, text: str) -> tuple[str, ...]:
        """Return each name once that a matching pattern stands for, in order."""
        keys = {text[at : at + _KEY_LENGTH] for at in range(len(text) - _KEY_LENGTH + 1)}
        keys.update([text[:length] for length in range(_KEY_LENGTH)])
        found = [
            (rank, name)
            for key in keys
            for rank, pattern, name in self._wild.get(key, ())
            if matches(pattern, text)
        ]
        found += self._exact.get(text, ())
        return tuple(dict.fromkeys([name for _, name in sorted(found)]))


def _key(pattern: str) -> str:
    """Return a part that every text that matches contains, or a shorter start of it."""
    # A backslash, which no alias of the kernel has, makes parts mean something else.
    parts = _WILDCARD.split(pattern) if "\\" not in pattern else [""]
    longest = max(parts, key=len)
    # Numbers tend to stand at the end, and tell more than the bus at the start.
    return longest[-_KEY_LENGTH:] if len(longest) >= _KEY_LENGTH else parts[0]
