"""What a check found: nothing, remarks, or contradictions."""

from __future__ import annotations

import dataclasses
import enum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

# As many names as fit a line that is still read.
_SHOWN: Final = 3
# As many files of one kind as get a line of their own.
_LINES: Final = 5


class Severity(enum.Enum):
    """How bad it is: what contradicts another part, or what someone may want to know."""

    CONTRADICTION = "contradiction"
    REMARK = "remark"


@dataclasses.dataclass(frozen=True, slots=True)
class Finding:
    """One sentence, which names the files that it is about."""

    severity: Severity
    message: str


def contradiction(message: str) -> Finding:
    """Return a finding of what cannot be."""
    return Finding(Severity.CONTRADICTION, printable(message))


def remark(message: str) -> Finding:
    """Return a finding of what can be."""
    return Finding(Severity.REMARK, printable(message))


def contradictions(messages: Iterable[str], *, more: str) -> Iterator[Finding]:
    """Yield the first few as findings, and of how many more the same is to be said.

    ``more`` is what they are: ``modules``.
    """
    left = 0
    for number, message in enumerate(messages):
        if number < _LINES:
            yield contradiction(message)
        else:
            left += 1
    if left:
        yield contradiction(f"the same of {left} more {more}")


def printable(text: str) -> str:
    """Return a text without what a terminal might obey, or UTF-8 cannot hold.

    Names in an archive may be any bytes.
    """
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode-escape").decode() for char in text
    )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A check that was made: what it looked at, in words, and what it found.

    ``done`` is off where there was nothing to look at; ``summary`` then says why.
    """

    name: str
    summary: str
    findings: tuple[Finding, ...] = ()
    done: bool = True

    @property
    def contradictions(self) -> tuple[Finding, ...]:
        """What of the findings cannot be."""
        return tuple(f for f in self.findings if f.severity is Severity.CONTRADICTION)


def some(names: Collection[str]) -> str:
    """Return the first few names, and that there are more."""
    shown = list(names)[:_SHOWN]
    return ", ".join(shown) + (", …" if len(names) > len(shown) else "")


def count(number: int, one: str, many: str | None = None) -> str:
    """Return a number with its noun: ``1 module``, ``2 modules``."""
    return f"{number} {one if number == 1 else many or one + 's'}"
