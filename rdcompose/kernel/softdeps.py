"""Soft dependencies as modules carry them: ``softdep=pre: a b post: c``.

Syntax: modprobe.d(5), "softdep", without the module's name in front.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from collections.abc import Iterable

_MARKS: Final = ("pre:", "post:")


@dataclasses.dataclass(frozen=True, slots=True)
class Softdeps:
    """Names of modules or aliases, as written; they may be built in or not exist.

    ``unplaced`` holds names in front of any ``pre:`` or ``post:``. kmod does nothing with
    them, but a module that asks for them so (cifs of Linux 6.1) means ``pre:``.
    """

    pre: tuple[str, ...] = ()
    post: tuple[str, ...] = ()
    unplaced: tuple[str, ...] = ()

    @classmethod
    def parse(cls, values: Iterable[str]) -> Self:
        """Read all ``softdep`` values of a module."""
        found: dict[str, list[str]] = {"": [], "pre:": [], "post:": []}
        for value in values:
            mark = ""
            for word in value.split():
                if word in _MARKS:
                    mark = word
                else:
                    found[mark].append(word)
        pre, post, unplaced = found["pre:"], found["post:"], found[""]
        return cls(tuple(pre), tuple(post), tuple(unplaced))
