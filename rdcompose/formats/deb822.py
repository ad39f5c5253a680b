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

    The lines of a value are joined by newlines, without the blank in front of each. ``what``
    names the stanza in messages.

    :raises FormatError: it is malformed, or more than one stanza.
    """
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise FormatError(f"{what} is not UTF-8 at byte {error.start}") from error
    fields: dict[str, str] = {}
    for number, name, value in _iter_fields(text, what):
        if name in fields:
            raise FormatError(f"line {number} of {what} repeats the field {name}")
        fields[name] = value
    return fields


def _iter_fields(text: str, what: str) -> Iterator[tuple[int, str, str]]:
    """Yield the number of the first line, the name in lower case and the value of each field."""
    first, name, lines = 0, "", [""]
    # Not splitlines(): it takes form feeds and Unicode separators for line ends.
    for number, line in enumerate(text.rstrip("\n").split("\n"), start=1):
        if line[:1] in {" ", "\t"} and name and line.strip():
            lines.append(line[1:].rstrip())
            continue
        if name:
            yield first, name, "\n".join(lines)
        name, colon, value = line.partition(":")
        if not colon or not _FIELD_NAME.fullmatch(name) or name[0] in "#-":
            raise FormatError(f"line {number} of {what} is no field: {line[:60]!r}")
        first, name, lines = number, name.lower(), [value.strip()]
    yield first, name, "\n".join(lines)
