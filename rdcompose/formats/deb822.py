"""Parser for one stanza of Debian's control data, strict.

Format: deb822(5) and Debian Policy, chapter 5.1, as dpkg demands it of a package's control
file and as archives write their indexes: no comments, and no field twice.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from rdcompose.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Iterator

_FIELD_NAME: Final = re.compile(r"[!-9;-~]+")


def parse_stanza(data: bytes, what: str) -> dict[str, str]:
    """Return the values of a stanza by their names in lower case, in its order.

    Values and errors are those of :func:`parse_fields`.
    """
    return {name.lower(): value for name, value in parse_fields(data, what)}


def parse_fields(data: bytes, what: str) -> tuple[tuple[str, str], ...]:
    """Return the names, as they are written, and the values of a stanza, in its order.

    The lines of a value are joined by newlines, without the blank in front of each. ``what``
    names the stanza in messages.

    :raises FormatError: it is malformed, or more than one stanza.
    """
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise FormatError(f"{what} is not UTF-8 at byte {error.start}") from error
    return tuple(_iter_fields(text, what))


def _iter_fields(text: str, what: str) -> Iterator[tuple[str, str]]:
    seen: set[str] = set()
    name, lines = "", [""]
    # Not splitlines(): it takes form feeds and Unicode separators for line ends.
    for number, line in enumerate(text.rstrip("\n").split("\n"), start=1):
        if line[:1] in {" ", "\t"} and name and line.strip():
            lines.append(line[1:].rstrip())
            continue
        if name:
            yield name, "\n".join(lines)
        name, colon, value = line.partition(":")
        if not colon or not _FIELD_NAME.fullmatch(name) or name[0] in "#-":
            raise FormatError(f"line {number} of {what} is no field: {line[:60]!r}")
        if name.lower() in seen:
            raise FormatError(f"line {number} of {what} repeats the field {name}")
        seen.add(name.lower())
        lines = [value.strip()]
    yield name, "\n".join(lines)
