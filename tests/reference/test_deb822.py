"""The parser of stanzas against dpkg, which reads its database of packages with its own."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from rdcompose.errors import FormatError
from rdcompose.formats.deb822 import parse_stanza
from tests.support.tools import missing, run_bytes, tool

pytestmark = pytest.mark.reference

DATABASE: Final = Path("/var/lib/dpkg/status")
# dpkg gives these as they stand in its database.
FIELDS: Final = ("Package", "Version", "Architecture", "Maintainer", "Section", "Description")
BASE: Final = b"""\
Package: sample
Status: install ok installed
Version: 1
Architecture: all
Maintainer: Somebody <somebody@example.org>
Description: a sample
"""
ODD: Final = {
    "plain": b"X-Odd: value\n",
    "no blank": b"X-Odd:value\n",
    "many blanks": b"X-Odd: \t value \t\n",
    "colons": b"X-Odd: a: b\n c: d\n",
    "other case": b"x-oDD: value\n",
    "odd name": b"X-Odd: value\nX!\"$%&'()*+,-./[]^_`{|}~: value\n",
    "continued": b"X-Odd: first\n second\n  third\n .\n fourth\n",
    "tab": b"X-Odd: first\n\tsecond\n",
    "starts below": b"X-Odd:\n first\n second\n",
    "empty": b"X-Odd:\n",
    "form feed": b"X-Odd: a\fb\n",
    "UTF-8": "X-Odd: é\u2028ß\n".encode(),
}
# A comment, and a blank continuation line, dpkg takes from its own database only.
REFUSED: Final = {
    "no field": b"no field\n",
    "no name": b": value\n",
    "blank in the name": b"X-A B: value\n",
    "dash": b"-Abc: value\n",
    "repeated": b"X-Odd: 1\nx-odd: 2\n",
}


def asked(database: Path, fields: tuple[str, ...], *names: str) -> list[list[str]]:
    """What dpkg says of packages, a row each, in the order of names."""
    layout = "".join(f"${{{field}}}\\0" for field in fields) + "\\n\\1"
    layout = layout.replace("\\0", "\x02").replace("\\1", "\x03")
    command = [tool("dpkg-query"), f"--admindir={database}", "--show", f"--showformat={layout}"]
    output = run_bytes(*command, *names).decode()
    return [row.split("\x02")[:-1] for row in output.split("\n\x03")[:-1]]


def lines(value: str) -> list[str]:
    """Lines of a value as dpkg prints it, without the blank in front of each."""
    first, *others = value.split("\n")
    return [first.strip(), *(line[1:].rstrip() for line in others)]


def test_database_of_this_machine() -> None:
    if not DATABASE.exists():
        missing("this machine has no database of dpkg")
    stanzas = DATABASE.read_bytes().removesuffix(b"\n").split(b"\n\n")
    parsed = [parse_stanza(stanza, "a stanza") for stanza in stanzas]
    rows = sorted(
        [fields.get(name.lower(), "").split("\n") for name in FIELDS]
        for fields in parsed
        if not fields["status"].endswith(" not-installed")
    )
    expected = [list(map(lines, row)) for row in asked(DATABASE.parent, FIELDS)]
    assert rows == sorted(expected)
    assert len(rows) > 50


def database(directory: Path, text: bytes) -> Path:
    (directory / "info").mkdir()
    (directory / "updates").mkdir()
    (directory / "info" / "format").write_bytes(b"1\n")
    (directory / "status").write_bytes(text)
    return directory


@pytest.mark.parametrize("name", ODD)
def test_odd_value(name: str, tmp_path: Path) -> None:
    text = BASE + ODD[name] + b"X-Last: field\n"
    ((value,),) = asked(database(tmp_path, text), ("X-Odd",), "sample")
    assert parse_stanza(text, "it")["x-odd"].split("\n") == lines(value)


@pytest.mark.parametrize("name", REFUSED)
def test_both_refuse(name: str, tmp_path: Path) -> None:
    text = BASE + REFUSED[name]
    directory = database(tmp_path, text)
    run_bytes(tool("dpkg-query"), f"--admindir={directory}", "--show", "sample", status=2)
    with pytest.raises(FormatError):
        parse_stanza(text, "it")
