"""How long a host of releases wants to be left alone.

GitHub: "Rate limits for the REST API"; GitLab: "User and IP rate limits". Both answer 403 or 429.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rdcompose.archive.headers import moment, retry_after

if TYPE_CHECKING:
    from collections.abc import Mapping

# GitHub wants it so where no header tells.
_PAUSE: Final = 60.0
_PREFIXES: Final = ("X-RateLimit", "RateLimit")


def pause_of(status: int, headers: Mapping[str, str], said: str) -> float | None:
    """Return the seconds to wait before the next request; ``None`` if that is not the matter.

    ``said`` is the message of the answer. The times that hosts name are compared with their own
    clock, that of the answer.
    """
    if status not in {403, 429, 503}:
        return None
    if (pause := retry_after(headers)) > 0:
        return pause
    for prefix in _PREFIXES:
        if headers.get(f"{prefix}-Remaining") == "0":
            return _until(headers.get(f"{prefix}-Reset", ""), headers)
    limited = status == 429 or (status == 403 and "rate limit" in said.lower())
    return _PAUSE if limited else None


def _until(reset: str, headers: Mapping[str, str]) -> float:
    now = moment(headers.get("Date", ""))
    if now is None or not (reset.isascii() and reset.isdigit()) or len(reset) > 12:
        return _PAUSE
    # The second that is named is still of the old hour.
    return max(0.0, int(reset) - now.timestamp()) + 1
