"""What the headers of an HTTP answer say, as far as fetching files needs it.

Meaning and syntax: RFC 9110, sections 8.6 (Content-Length), 10.2.3 (Retry-After) and 14.4
(Content-Range). A header that is malformed says nothing.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    import datetime
    from collections.abc import Mapping

# A number with more digits than any file has bytes is malformed.
_NUMBER: Final = re.compile(r"[0-9]{1,18}")
_RANGE: Final = re.compile(
    r"bytes (?:([0-9]{1,18})-[0-9]{1,18}|\*)/([0-9]{1,18}|\*)", re.IGNORECASE
)


class ContentRange(NamedTuple):
    """First byte of the part that follows and size of the whole; ``None`` is not said."""

    first: int | None
    total: int | None


def content_range(headers: Mapping[str, str]) -> ContentRange:
    """Return what ``Content-Range`` says."""
    match = _RANGE.fullmatch(headers.get("Content-Range", "").strip())
    if match is None:
        return ContentRange(None, None)
    first, total = match.groups()
    return ContentRange(None if first is None else int(first), None if total == "*" else int(total))


def content_length(headers: Mapping[str, str]) -> int | None:
    """Return the size of the body in bytes, if it is told beforehand."""
    # The coding that is its own frame overrules the length.
    if "Transfer-Encoding" in headers:
        return None
    return _number(headers.get("Content-Length", ""))


def retry_after(headers: Mapping[str, str]) -> float:
    """Return the seconds that a server wants to be left alone; 0 if it does not say.

    It may name a moment instead, which is compared with the server's own clock.
    """
    text = headers.get("Retry-After", "")
    if (seconds := _number(text)) is not None:
        return seconds
    then, now = moment(text), moment(headers.get("Date", ""))
    if then is None or now is None:
        return 0
    return max(0.0, (then - now).total_seconds())


def _number(text: str) -> int | None:
    text = text.strip()
    return int(text) if _NUMBER.fullmatch(text) else None


def moment(text: str) -> datetime.datetime | None:
    """Return the moment that a date in a header names."""
    import datetime
    from email.utils import parsedate_to_datetime

    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    # HTTP knows no zone but this one, whatever is written.
    return moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)
