"""How long hosts want to be left alone, by what they say."""

from __future__ import annotations

from typing import Final

import pytest

from rdcompose.hosting.limits import pause_of

NOW: Final = {"Date": "Sat, 21 Nov 2026 12:00:00 GMT"}
RESET: Final = "1795262430"


@pytest.mark.parametrize(
    ("status", "headers", "said", "pause"),
    [
        (500, {"Retry-After": "5"}, "", None),
        (403, {}, "Forbidden", None),
        (403, {"X-RateLimit-Remaining": "7", "X-RateLimit-Reset": RESET}, "Forbidden", None),
        (503, {}, "", None),
        (503, {"Retry-After": "5"}, "", 5),
        (429, {}, "", 60),
        (403, {}, "You have exceeded a secondary rate limit", 60),
        (403, {**NOW, "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": RESET}, "", 31),
        (429, {**NOW, "RateLimit-Remaining": "0", "RateLimit-Reset": RESET}, "", 31),
        (429, {**NOW, "RateLimit-Remaining": "0", "RateLimit-Reset": "1"}, "", 1),
        (429, {"RateLimit-Remaining": "0", "RateLimit-Reset": RESET}, "", 60),
        (429, {**NOW, "RateLimit-Remaining": "0", "RateLimit-Reset": "²"}, "", 60),
        (429, {**NOW, "RateLimit-Remaining": "0", "RateLimit-Reset": "9" * 99}, "", 60),
        (429, {**NOW, "RateLimit-Remaining": "0"}, "", 60),
    ],
)
def test_pause(status: int, headers: dict[str, str], said: str, pause: float | None) -> None:
    assert pause_of(status, headers, said) == pause
