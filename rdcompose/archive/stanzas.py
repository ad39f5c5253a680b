"""Stanzas of apt's own configuration, as in ``*.sources``.

Format: deb822(5) as apt reads it in files with comments (``pkgTagFile`` of libapt), which
is wider than what dpkg accepts in a package's control file: comments may stand in the
middle of a value, a field that comes twice counts as it came last, and blanks may stand
before the colon.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from rdcompose.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_BLANK = " \t\v\f\r"


@dataclasses.dataclass(frozen=True, slots=True)
class Stanza:
    """Consecutive lines of a file without its comments, each with its number from 1."""

    lines: tuple[tuple[int, str], ...]

    @property
    def line(self) -> int:
        """The number of the first line."""
        return self.lines[0][0]

    def fields(self) -> Mapping[str, str]:
        """Return the values by their names in lower case.

        The lines of a value are joined by newlines, without the blanks around each.

        :raises FormatError: a line is no field, and continues none.
        """
        found: dict[str, str] = {}
        name = ""
        for number, line in self.lines:
            if line[0] in _BLANK and name:
                found[name] += f"\n{line.strip(_BLANK)}"
                continue
            name, colon, value = line.partition(":")
            name = name.rstrip(_BLANK).lower()
            if not colon or not name or name[0] in _BLANK:
                raise FormatError(f"line {number} is no field: {line[:60]!r}")
            found[name] = value.strip(_BLANK)
        return {name: value.strip() for name, value in found.items()}


def iter_stanzas(lines: Iterable[str]) -> Iterator[Stanza]:
    """Yield the stanzas of a file, given as its lines without their ends."""
    rows: list[tuple[int, str]] = []
    for number, line in enumerate(lines, start=1):
        if line.startswith("#"):
            continue
        # A line with nothing but spaces continues a value.
        if line.rstrip("\r"):
            rows.append((number, line))
        elif rows:
            yield Stanza(tuple(rows))
            rows = []
    if rows:
        yield Stanza(tuple(rows))
