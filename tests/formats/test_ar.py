"""The ar reader on well-formed and on hostile archives."""

from __future__ import annotations

import io

import pytest

from rdcompose.errors import FormatError, UnsupportedError
from rdcompose.formats.ar import Member, iter_members
from tests.support.debs import make_ar


def members(data: bytes) -> list[Member]:
    return list(iter_members(io.BytesIO(data)))


def header(name: bytes = b"a", size: bytes = b"3", fmag: bytes = b"`\n") -> bytes:
    return b"%-16s%-12s%-6s%-6s%-8s%-10s%s" % (name, b"0", b"0", b"0", b"100644", size, fmag)


def test_members_with_their_places() -> None:
    data = make_ar([("debian-binary", b"2.0\n"), ("odd", b"12345"), ("empty", b""), ("z", b"9")])
    assert members(data) == [
        Member("debian-binary", 68, 4),
        Member("odd", 132, 5),
        Member("empty", 198, 0),
        Member("z", 258, 1),
    ]
    assert [data[m.offset : m.offset + m.size] for m in members(data)] == [
        b"2.0\n",
        b"12345",
        b"",
        b"9",
    ]


def test_the_last_pad_may_be_missing() -> None:
    assert members(make_ar([("a", b"123")])[:-1]) == [Member("a", 68, 3)]


def test_the_slash_of_gnu_ar_is_no_part_of_the_name() -> None:
    assert members(b"!<arch>\n" + header(b"data.tar.xz/") + b"123\n") == [
        Member("data.tar.xz", 68, 3)
    ]


def test_no_members() -> None:
    assert members(b"!<arch>\n") == []


def test_the_stream_may_be_moved_between_members() -> None:
    stream = io.BytesIO(make_ar([("a", b"123"), ("b", b"4")]))
    names = []
    for member in iter_members(stream):
        stream.seek(0)
        names.append(member.name)
    assert names == ["a", "b"]


MAGIC = b"!<arch>\n"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        pytest.param(b"", "no ar archive", id="empty"),
        pytest.param(b"\x1f\x8b\x08\x00" * 30, "no ar archive", id="foreign"),
        pytest.param(MAGIC[:-1], "no ar archive", id="cut-magic"),
        pytest.param(MAGIC + header()[:59], "is cut short", id="cut-header"),
        pytest.param(MAGIC + header(size=b"4") + b"123", "only 3 follow", id="cut-content"),
        pytest.param(MAGIC + header(size=b"9999999999"), "only 0 follow", id="huge-size"),
        pytest.param(MAGIC + header(size=b"-60") + b"123\n", "has the size", id="negative"),
        pytest.param(MAGIC + header(size=b"+3") + b"123\n", "has the size", id="signed"),
        pytest.param(MAGIC + header(size=b"1_0") + b"1" * 10, "has the size", id="underscore"),
        pytest.param(MAGIC + header(size=b" 3") + b"123\n", "has the size", id="leading-space"),
        pytest.param(MAGIC + header(size=b"") + b"123\n", "has the size", id="no-size"),
        pytest.param(MAGIC + header(size=b"\xb2") + b"123\n", "has the size", id="superscript"),
        pytest.param(MAGIC + header(size=b"0x3") + b"123\n", "has the size", id="hexadecimal"),
        pytest.param(MAGIC + header(fmag=b"xx") + b"123\n", "its magic", id="wrong-fmag"),
        pytest.param(MAGIC + header(b"") + b"123\n", "has the name", id="no-name"),
        pytest.param(MAGIC + header(b"a/b") + b"123\n", "has the name", id="slash-in-name"),
        pytest.param(MAGIC + header(b"a b") + b"123\n", "has the name", id="space-in-name"),
        pytest.param(MAGIC + header(b"a\0b") + b"123\n", "has the name", id="nul-in-name"),
        pytest.param(MAGIC + header(b"\xff") + b"123\n", "has the name", id="non-ascii-name"),
        pytest.param(
            MAGIC + header() + b"123" + header() + b"1",
            "does not end in its magic",
            id="pad-forgotten",
        ),
    ],
)
def test_hostile(data: bytes, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        members(data)


@pytest.mark.parametrize("name", [b"//", b"/", b"/12", b"#1/20"])
def test_long_names_are_refused(name: bytes) -> None:
    with pytest.raises(UnsupportedError, match="of a kind that packages never have"):
        members(MAGIC + header(name) + b"123\n")


def test_members_before_the_damage_are_yielded() -> None:
    reader = iter_members(io.BytesIO(make_ar([("a", b"12")]) + b"junk"))
    assert next(reader) == Member("a", 68, 2)
    with pytest.raises(FormatError, match="offset 70 is cut short"):
        next(reader)
