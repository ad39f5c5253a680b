"""The parser of stanzas: continuation lines, and everything that is no stanza."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdcompose.errors import FormatError
from rdcompose.formats.deb822 import parse_fields, parse_stanza

STANZA = b"""\
Package: busybox-static
DEPENDS: kmod,
 linux-base (>= 4.3~)
Description: Tiny utilities
 A program.
 .
\tMore \xc3\xa9 of it.
SHA256:
 00 1 a
 01   22 b
Empty:
"""


def test_stanza() -> None:
    fields = {
        "package": "busybox-static",
        "depends": "kmod,\nlinux-base (>= 4.3~)",
        "description": "Tiny utilities\nA program.\n.\nMore é of it.",
        "sha256": "\n00 1 a\n01   22 b",
        "empty": "",
    }
    assert parse_stanza(STANZA, "it") == fields
    assert list(parse_stanza(STANZA, "it")) == list(fields)


def test_fields() -> None:
    fields = parse_fields(STANZA, "it")
    names = ["Package", "DEPENDS", "Description", "SHA256", "Empty"]
    assert [name for name, _ in fields] == names
    assert {name.lower(): value for name, value in fields} == parse_stanza(STANZA, "it")


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(STANZA.removesuffix(b"\n"), id="cut-at-the-end-of-a-line"),
        pytest.param(STANZA + b"\n\n", id="empty-lines-behind"),
        pytest.param(STANZA.replace(b"\n", b"\r\n"), id="carriage-returns"),
        pytest.param(STANZA.replace(b": ", b":\t "), id="tabs"),
        pytest.param(STANZA.replace(b": ", b":"), id="no-blanks"),
    ],
)
def test_same_stanza(data: bytes) -> None:
    assert parse_stanza(data, "it") == parse_stanza(STANZA, "it")


def test_only_newlines_end_lines() -> None:
    assert parse_stanza("A: 1\f2\u2028B: 3\n".encode(), "it") == {"a": "1\f2\u2028B: 3"}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        pytest.param(b"", "line 1 of it is no field: ''", id="empty"),
        pytest.param(b"\nA: 1\n", "line 1 of it is no field", id="empty-line-first"),
        pytest.param(b" x\nA: 1\n", "line 1 of it is no field", id="continuation-first"),
        pytest.param(b"A: 1\nno field\n", "line 2 of it is no field: 'no field'", id="no-colon"),
        pytest.param(b": x\n", "line 1 of it is no field", id="no-name"),
        pytest.param(b"A B: x\n", "line 1 of it is no field", id="blank-in-name"),
        pytest.param(b"A : x\n", "line 1 of it is no field", id="blank-behind-name"),
        pytest.param(b"#A: x\n", "line 1 of it is no field", id="comment"),
        pytest.param(b"-A: x\n", "line 1 of it is no field", id="dash"),
        pytest.param("Ä: x\n".encode(), "line 1 of it is no field", id="non-ascii-name"),
        pytest.param(b"A: 1\n\nB: 2\n", "line 2 of it is no field", id="second-stanza"),
        pytest.param(b"A: 1\n \nB: 2\n", "line 2 of it is no field", id="blank-continuation"),
        pytest.param(b"A: 1\n \n", "line 2 of it is no field", id="blank-continuation-last"),
        pytest.param(b"aA: 1\nB: 2\n x\nAa: 1\n", "line 4 of it repeats the field Aa$", id="twice"),
        pytest.param(b"A: \xe9\n", "it is not UTF-8 at byte 3", id="latin-1"),
    ],
)
def test_malformed(data: bytes, message: str) -> None:
    with pytest.raises(FormatError, match=f"^{message}"):
        parse_stanza(data, "it")


def test_message_shows_the_start_of_a_long_line() -> None:
    with pytest.raises(FormatError) as caught:
        parse_stanza(b"x" * 5000, "it")
    assert len(caught.value.message) < 120


NAMES = st.from_regex(r"[A-Za-z0-9][!-9;-~]{0,9}", fullmatch=True)
LINES = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=20)


@given(st.dictionaries(NAMES.map(str.lower), st.lists(LINES, min_size=1), min_size=1))
def test_any_stanza(fields: dict[str, list[str]]) -> None:
    text = "".join(f"{name}: " + "\n ".join(lines) + "\n" for name, lines in fields.items())
    expected = {name: "\n".join(lines) for name, lines in fields.items()}
    assert parse_stanza(text.encode(), "it") == expected


@given(st.binary(max_size=80))
def test_any_bytes(data: bytes) -> None:
    try:
        fields = parse_stanza(data, "it")
    except FormatError:
        return
    assert fields
