"""What a machine prints, as lines with the time at which each began to arrive."""

from __future__ import annotations

import dataclasses
import re
from typing import Final

# What a line can have at most; a guest that prints no line ends is cut into such pieces.
_LONGEST: Final = 65536
_STAMP: Final = re.compile(r"\[ *(\d+\.\d+)\] ?")
# Terminal control sequences (ECMA-48), which firmware prints.
_CONTROL: Final = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|[^\[])|[\0-\x08\x0b-\x1f\x7f]")


@dataclasses.dataclass(frozen=True, slots=True)
class Line:
    """A line of the console, without its end and without control characters.

    ``arrived`` is in seconds since the machine was started.
    """

    arrived: float
    text: str

    @property
    def stamp(self) -> float | None:
        """The kernel's own time, in seconds, of a message of its log."""
        found = _STAMP.match(self.text)
        return float(found[1]) if found else None

    @property
    def message(self) -> str:
        """The text without the kernel's time."""
        return _STAMP.sub("", self.text, count=1) if self.stamp is not None else self.text


class Recorder:
    """Puts pieces of output together to lines."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.size = 0
        self._rest = b""
        self._begun = 0.0

    def add(self, piece: bytes, now: float) -> list[Line]:
        """Add what arrived; returns the lines that it completed."""
        self.size += len(piece)
        if not self._rest:
            self._begun = now
        *whole, rest = (self._rest + piece).split(b"\n")
        while len(rest) > _LONGEST:
            whole.append(rest[:_LONGEST])
            rest = rest[_LONGEST:]
        added = []
        for raw in whole:
            added.append(Line(self._begun, _clean(raw)))
            self._begun = now
        self._rest = rest
        self.lines += added
        return added

    def finish(self) -> list[Line]:
        """End the last line; returns it, if there is one."""
        if not self._rest:
            return []
        line = Line(self._begun, _clean(self._rest))
        self._rest = b""
        self.lines.append(line)
        return [line]


def _clean(raw: bytes) -> str:
    return _CONTROL.sub("", raw.decode("utf-8", "replace")).rstrip()
