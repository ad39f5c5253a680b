"""Reader for the index of a suite: ``Release``, or the signed text of ``InRelease``.

Format: the Debian wiki's page "DebianRepository/Format", section "Release files". Of the
checksums only SHA-256 counts.
"""

from __future__ import annotations

import dataclasses
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from rdcompose.archive.paths import stays_below
from rdcompose.errors import FormatError
from rdcompose.formats.deb822 import parse_stanza

if TYPE_CHECKING:
    from collections.abc import Mapping

_WHAT: Final = "the Release file"
_CHECKSUM: Final = re.compile(r"([0-9A-Fa-f]{64})\s+([0-9]{1,18})\s+(\S+)")
# RFC 2822 with UTC, in the forms that apt accepts. Not strptime(): it asks the locale.
_DATE: Final = re.compile(
    r"(?:[A-Z][a-z]{2}, +)?([0-9]{1,2}) +([A-Z][a-z]{2}) +([0-9]{4})"
    r" +([0-9]{1,2}):([0-9]{2}):([0-9]{2}) +(?:UTC|GMT|Z|[+-]0000)"
)
_MONTHS: Final = (
    *("Jan", "Feb", "Mar", "Apr", "May", "Jun"),
    *("Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
)


@dataclasses.dataclass(frozen=True, slots=True)
class IndexFile:
    """A file of a suite: its path below the suite's directory, size in bytes, hex digest."""

    path: str
    size: int
    sha256: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseFile:
    """What a suite says of itself.

    ``origin`` to ``codename`` are empty where the field is missing. ``date`` is when the suite
    was last changed, ``valid_until`` when to stop believing that; both aware, in UTC.
    ``by_hash`` says that indexes are also there under ``by-hash/SHA256/DIGEST``.
    """

    origin: str
    label: str
    suite: str
    codename: str
    date: datetime
    valid_until: datetime | None
    by_hash: bool
    _indexes: Mapping[str, IndexFile] = dataclasses.field(
        default_factory=dict, repr=False, hash=False
    )

    @classmethod
    def parse(cls, text: bytes) -> ReleaseFile:
        """Parse the text that the signature covers.

        :raises FormatError: it is malformed, or has no date or no SHA-256 checksums.
        """
        fields = parse_stanza(text, _WHAT)
        return cls(
            origin=_line(fields, "Origin"),
            label=_line(fields, "Label"),
            suite=_line(fields, "Suite"),
            codename=_line(fields, "Codename"),
            date=_date(fields, "Date"),
            valid_until=_date(fields, "Valid-Until") if "valid-until" in fields else None,
            by_hash=fields.get("acquire-by-hash", "").lower() == "yes",
            _indexes=_parse_checksums(fields),
        )

    def index(self, path: str) -> IndexFile | None:
        """Return a file by its path, like ``main/binary-amd64/Packages.xz``."""
        return self._indexes.get(path)


def _line(fields: Mapping[str, str], name: str) -> str:
    value = fields.get(name.lower(), "")
    # These values are shown to users.
    if not value.isprintable():
        raise FormatError(f"{_WHAT} has a malformed field {name}: {value[:60]!r}")
    return value


def _date(fields: Mapping[str, str], name: str) -> datetime:
    value = fields.get(name.lower(), "")
    found = _DATE.fullmatch(value)
    if found is None:
        raise FormatError(f"{_WHAT} has no valid field {name}: {value[:60]!r}")
    day, month, year, hour, minute, second = found.groups()
    try:
        return datetime(
            *(int(year), _MONTHS.index(month) + 1, int(day)),
            *(int(hour), int(minute), int(second)),
            tzinfo=UTC,
        )
    except ValueError as error:
        raise FormatError(f"{_WHAT} has no valid field {name}: {value!r}") from error


def _parse_checksums(fields: Mapping[str, str]) -> dict[str, IndexFile]:
    if "sha256" not in fields:
        raise FormatError(f"{_WHAT} has no SHA-256 checksums")
    found: dict[str, IndexFile] = {}
    # What follows the name of the field on its own line is empty.
    for row in fields["sha256"].removeprefix("\n").split("\n"):
        matched = _CHECKSUM.fullmatch(row.lstrip())
        if matched is None or not stays_below(matched[3]):
            raise FormatError(f"{_WHAT} has a malformed SHA-256 checksum: {row[:200]!r}")
        file = IndexFile(matched[3], int(matched[2]), matched[1].lower())
        if found.setdefault(file.path, file) != file:
            raise FormatError(f"{_WHAT} has two SHA-256 checksums of {file.path}")
    return found
