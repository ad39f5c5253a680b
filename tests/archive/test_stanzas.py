"""Stanzas as apt reads them: comments, continued values, and what is no field."""

from __future__ import annotations

import pytest

from rdcompose.archive.stanzas import iter_stanzas
from rdcompose.errors import FormatError


def parse(text: str) -> list[tuple[int, dict[str, str]]]:
    return [(row.line, dict(row.fields())) for row in iter_stanzas(text.split("\n"))]


def test_stanzas() -> None:
    text = (
        "# a comment: at the top\n\n\nName: value\nOther:   a  b \n# in between\n c\n\td\n \n e\n"
        "\n\n#Name: x\nNAME:\n on the next line\r\nempty:\r\nnext : 1\r\n\r\nlast:x"
    )
    assert parse(text) == [
        (4, {"name": "value", "other": "a  b\nc\nd\n\ne"}),
        (14, {"name": "on the next line", "empty": "", "next": "1"}),
        (19, {"last": "x"}),
    ]


def test_the_last_of_two_counts() -> None:
    assert parse("a: 1\nA: 2\n 3\n") == [(1, {"a": "2\n3"})]


@pytest.mark.parametrize("text", ["", "\n\n", "# a comment\n\n#another", "\r\n\r\n"])
def test_nothing(text: str) -> None:
    assert parse(text) == []


@pytest.mark.parametrize(
    ("text", "line"),
    [("a: 1\nno field\nb: 2\n", 2), ("\n continued: of nothing\n", 2), (":x", 1), (" \n", 1)],
)
def test_what_is_no_field(text: str, line: int) -> None:
    with pytest.raises(FormatError, match=f"line {line} is no field"):
        parse(text)
