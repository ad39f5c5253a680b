from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdcompose.archive.headers import content_length, content_range, retry_after

NAMES = ("Content-Range", "Content-Length", "Retry-After", "Date")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("bytes 5-9/10", (5, 10)),
        ("bytes 5-9/*", (5, None)),
        ("bytes */10", (None, 10)),
        (" Bytes 0-0/1 ", (0, 1)),
        ("bytes 5-9", (None, None)),
        ("bytes -5-9/10", (None, None)),
        ("bytes 5-9/-10", (None, None)),
        ("bytes 5_0-9/10", (None, None)),
        ("bytes \u0665-9/10", (None, None)),
        ("bytes 5-9/" + "1" * 5000, (None, None)),
        ("lines 5-9/10", (None, None)),
        ("", (None, None)),
    ],
)
def test_ranges(text: str, expected: tuple[int | None, int | None]) -> None:
    assert content_range({"Content-Range": text}) == expected


@pytest.mark.parametrize(
    ("text", "expected"), [("10", 10), ("0", 0), ("-1", None), ("1_0", None), ("5, 5", None)]
)
def test_lengths(text: str, expected: int | None) -> None:
    assert content_length({"Content-Length": text}) == expected
    assert content_length({"Content-Length": text, "Transfer-Encoding": "chunked"}) is None


NOON = "Fri, 01 Mar 2024 12:00:00 GMT"


@pytest.mark.parametrize(
    ("text", "date", "expected"),
    [
        ("7", "", 7),
        ("0", NOON, 0),
        ("-7", "", 0),
        ("1.5", "", 0),
        ("Fri, 01 Mar 2024 12:00:20 GMT", NOON, 20),
        ("Friday, 01-Mar-24 12:00:20 GMT", NOON, 20),
        ("Fri, 01 Mar 2024 12:00:20 -0000", NOON, 20),
        ("Fri, 01 Mar 2024 11:59:00 GMT", NOON, 0),
        ("Fri, 01 Mar 2024 12:00:20 GMT", "", 0),
        ("Fri, 01 Mar 2024 12:00:20 GMT", "noon", 0),
        ("soon", NOON, 0),
    ],
)
def test_pauses(text: str, date: str, expected: float) -> None:
    assert retry_after({"Retry-After": text, "Date": date}) == expected


def test_nothing_said() -> None:
    assert (content_range({}), content_length({}), retry_after({})) == ((None, None), None, 0)


@given(st.dictionaries(st.sampled_from(NAMES), st.text() | st.from_regex(r"[A-Z, 0-9:+-]{0,40}")))
def test_no_header_does_harm(headers: dict[str, str]) -> None:
    total = content_range(headers).total
    assert total is None or total >= 0
    length = content_length(headers)
    assert length is None or length >= 0
    assert retry_after(headers) >= 0
