"""The reader for a suite's index: fields, dates, checksums, and what must not pass."""

from __future__ import annotations

import datetime

import pytest

from rdcompose.archive.release_file import IndexFile, ReleaseFile
from rdcompose.errors import FormatError

DIGESTS = ["0a" * 32, "0b" * 32, "0c" * 32]
CHECKSUMS = f"""\
SHA256:
 {DIGESTS[0]} 50060337 main/binary-amd64/Packages
 {DIGESTS[1].upper()}  8790000 main/binary-amd64/Packages.xz
   {DIGESTS[2]}      0\tmain/binary-arm64/Packages
"""
RELEASE = f"""\
Origin: Debian
Label: Debian
Suite: oldstable
Version: 12.15
Codename: bookworm
Date: Sat, 11 Jul 2026 10:16:37 UTC
Valid-Until: Sat, 18 Jul 2026 10:16:37 UTC
Acquire-By-Hash: yes
Architectures: all amd64 arm64
Components: main contrib
Description: Debian 12.15
MD5Sum:
 {"d" * 32} 50060337 main/binary-amd64/Packages
 {"d" * 32} 1 main/only-md5
{CHECKSUMS}"""


def changed(old: str, new: str) -> bytes:
    assert old in RELEASE
    return RELEASE.replace(old, new).encode()


def without(name: str) -> bytes:
    kept = [line for line in RELEASE.splitlines(keepends=True) if not line.startswith(name + ":")]
    assert len(kept) == RELEASE.count("\n") - 1
    return "".join(kept).encode()


def test_release() -> None:
    release = ReleaseFile.parse(RELEASE.encode())
    names = (release.origin, release.label, release.suite, release.codename)
    assert names == ("Debian", "Debian", "oldstable", "bookworm")
    assert release.date == datetime.datetime(2026, 7, 11, 10, 16, 37, tzinfo=datetime.UTC)
    assert release.valid_until == release.date + datetime.timedelta(days=7)
    assert release.by_hash


def test_indexes() -> None:
    release = ReleaseFile.parse(RELEASE.encode())
    files = [
        IndexFile("main/binary-amd64/Packages", 50060337, DIGESTS[0]),
        IndexFile("main/binary-amd64/Packages.xz", 8790000, DIGESTS[1]),
        IndexFile("main/binary-arm64/Packages", 0, DIGESTS[2]),
    ]
    assert [release.index(file.path) for file in files] == files
    assert release.index("main/only-md5") is None
    assert release.index("main/binary-amd64") is None


def test_what_may_be_absent() -> None:
    lines = ["Date: Sat, 11 Jul 2026 10:16:37 UTC", CHECKSUMS]
    release = ReleaseFile.parse("\n".join(lines).encode())
    names = (release.origin, release.label, release.suite, release.codename)
    assert names == ("", "", "", "")
    assert (release.valid_until, release.by_hash) == (None, False)


@pytest.mark.parametrize("value", ["no", "", "force"])
def test_no_by_hash(value: str) -> None:
    text = changed("Acquire-By-Hash: yes", f"Acquire-By-Hash: {value}")
    assert not ReleaseFile.parse(text).by_hash


def test_carriage_returns() -> None:
    unix = ReleaseFile.parse(RELEASE.encode())
    assert ReleaseFile.parse(changed("\n", "\r\n")) == unix


def test_same_checksum_twice() -> None:
    row = CHECKSUMS.splitlines(keepends=True)[1]
    assert ReleaseFile.parse(changed(row, row * 2)) == ReleaseFile.parse(RELEASE.encode())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Sat, 11 Jul 2026 10:16:37 GMT", (2026, 7, 11, 10, 16, 37)),
        ("Sat, 11 Jul 2026 10:16:37 +0000", (2026, 7, 11, 10, 16, 37)),
        ("Sun,  1 Jan 2017  9:05:03 UTC", (2017, 1, 1, 9, 5, 3)),
        ("31 Dec 1999 23:59:59 Z", (1999, 12, 31, 23, 59, 59)),
    ],
)
def test_dates(text: str, expected: tuple[int, int, int, int, int, int]) -> None:
    release = ReleaseFile.parse(changed("Sat, 11 Jul 2026 10:16:37 UTC", text))
    assert release.date == datetime.datetime(*expected, tzinfo=datetime.UTC)


@pytest.mark.parametrize("field", ["Date", "Valid-Until"])
@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("2026-07-11T10:16:37Z", id="iso"),
        pytest.param("Sat, 11 Jul 2026 10:16:37", id="no-zone"),
        pytest.param("Sat, 11 Jul 2026 10:16:37 +0200", id="other-zone"),
        pytest.param("Sat, 11 Jux 2026 10:16:37 UTC", id="no-such-month"),
        pytest.param("Sat, 11 Anf 2026 10:16:37 UTC", id="end-and-start-of-months"),
        pytest.param("Sat, 31 Feb 2026 10:16:37 UTC", id="no-such-day"),
        pytest.param("Sat, 11 Jul 2026 24:16:37 UTC", id="no-such-hour"),
        pytest.param("Sat, 11 Jul 0000 10:16:37 UTC", id="no-such-year"),
        pytest.param("Sat, 11 Jul 2026 10:16:37 UTC more", id="more"),
        pytest.param("Sat, 11 Jul 2026\n 10:16:37 UTC", id="two-lines"),
    ],
)
def test_malformed_date(field: str, text: str) -> None:
    good = next(line for line in RELEASE.splitlines() if line.startswith(f"{field}:"))
    with pytest.raises(FormatError, match=f"the Release file has no valid field {field}"):
        ReleaseFile.parse(changed(good, f"{field}: {text}"))


def test_no_date() -> None:
    with pytest.raises(FormatError, match="no valid field Date: ''"):
        ReleaseFile.parse(without("Date"))


def test_only_weak_checksums() -> None:
    text = RELEASE.removesuffix(CHECKSUMS).encode()
    with pytest.raises(FormatError, match="the Release file has no SHA-256 checksums"):
        ReleaseFile.parse(text)


@pytest.mark.parametrize("field", ["Origin", "Label", "Suite", "Codename"])
def test_control_characters(field: str) -> None:
    with pytest.raises(FormatError, match=rf"malformed field {field}: '\\x1b\[2J"):
        ReleaseFile.parse(without(field) + f"{field}: \x1b[2J\n".encode())


@pytest.mark.parametrize(
    "row",
    [
        pytest.param(f" {DIGESTS[0]}", id="digest-alone"),
        pytest.param(f" {DIGESTS[0]} 5", id="no-path"),
        pytest.param(f" {DIGESTS[0]} main/x", id="no-size"),
        pytest.param(f" {DIGESTS[0]} -5 main/x", id="negative-size"),
        pytest.param(f" {DIGESTS[0]} 0x5 main/x", id="hexadecimal-size"),
        pytest.param(f" {DIGESTS[0]} {'9' * 5000} main/x", id="enormous-size"),
        pytest.param(f" {DIGESTS[0]} \u0665 main/x", id="foreign-digits"),
        pytest.param(f" {DIGESTS[0][1:]} 5 main/x", id="short-digest"),
        pytest.param(f" g{DIGESTS[0][1:]} 5 main/x", id="no-hex"),
        pytest.param(f" {DIGESTS[0]} 5 main/x y", id="four-columns"),
        pytest.param(f" {DIGESTS[0]} 5 /main/x", id="absolute"),
        pytest.param(f" {DIGESTS[0]} 5 main/../../x", id="leads-out"),
        pytest.param(f" {DIGESTS[0]} 5 http://host/x", id="address"),
    ],
)
def test_malformed_checksum(row: str) -> None:
    first, rest = CHECKSUMS.split("\n", 1)
    with pytest.raises(FormatError, match="Release file has a malformed SHA-256 checksum: '"):
        ReleaseFile.parse(changed(CHECKSUMS, f"{first}\n{row}\n{rest}"))


def test_checksums_on_the_line_of_the_name() -> None:
    with pytest.raises(FormatError, match="malformed SHA-256 checksum: 'x'"):
        ReleaseFile.parse(changed("SHA256:", "SHA256: x"))


def test_no_checksum_at_all() -> None:
    with pytest.raises(FormatError, match="malformed SHA-256 checksum: ''"):
        ReleaseFile.parse(changed(CHECKSUMS, "SHA256:\n"))


def test_contradicting_checksums() -> None:
    row = f" {DIGESTS[1]} 50060337 main/binary-amd64/Packages\n"
    with pytest.raises(FormatError, match="two SHA-256 checksums of main/binary-amd64/Packages"):
        ReleaseFile.parse(RELEASE.encode() + row.encode())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "line 1 of the Release file is no field"),
        (b"<html>\n", "line 1 of the Release file is no field: '<html>'"),
        (RELEASE.encode() + b"\n" + RELEASE.encode(), "is no field: ''"),
        (RELEASE.encode() + CHECKSUMS.encode(), "repeats the field SHA256"),
        (b"Origin: \xff\n", "not UTF-8"),
    ],
)
def test_malformed(text: bytes, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        ReleaseFile.parse(text)
