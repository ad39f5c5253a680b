from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdcompose.archive.addresses import file_path, redirected, scheme_of, server_path, shown
from rdcompose.errors import FetchError


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("http://host/a", "http://host/a"),
        ("http://user:word@host/a", "http://host/a"),
        ("http://user:w@rd@host/a", "http://host/a"),
        ("http://word@host:80/a@b", "http://host:80/a@b"),
        ("http://host/a@b//c@d", "http://host/a@b//c@d"),
        ("Failed: 'http://u:p@a/' and http://u:p@b/", "Failed: 'http://a/' and http://b/"),
        ("http://host/\x1b[2J\n", "http://host/?[2J?"),
    ],
)
def test_addresses_in_messages(address: str, expected: str) -> None:
    assert shown(address) == expected


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("http://host/Debian", "host/Debian"),
        ("HTTPS://u:p@Host:443/Debian", "host/Debian"),
        ("http://host:80/a:80", "host/a:80"),
        ("http://host:443/a", "host:443/a"),
        ("https://host:80/a", "host:80/a"),
        ("file:///srv/Debian", "file:///srv/Debian"),
    ],
)
def test_what_stays_when_a_mirror_gets_encryption(address: str, expected: str) -> None:
    assert server_path(address) == expected


@pytest.mark.parametrize(
    ("address", "expected"),
    [("HTTP://host/", "http"), ("file:/a", "file"), ("host/a", ""), ("", "")],
)
def test_schemes(address: str, expected: str) -> None:
    assert scheme_of(address) == expected


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("other", "http://u:p@host:80/pool/other"),
        ("/other", "http://u:p@host:80/other"),
        ("//far/a", "http://far/a"),
        ("http://far/a", "http://far/a"),
        ("http://host:80/b", "http://u:p@host:80/b"),
        ("http://host:81/b", "http://host:81/b"),
        ("http://x:y@host:80/b", "http://x:y@host:80/b"),
        ("https://host/b", "https://host/b"),
        ("", "http://u:p@host:80/pool/file"),
    ],
)
def test_redirects_keep_credentials_within_one_server(location: str, expected: str) -> None:
    assert redirected("http://u:p@host:80/pool/file", location) == expected


@pytest.mark.parametrize(
    "location",
    ["file:///etc/passwd", "ftp://host/", "javascript:0", "data:,x"],
)
def test_redirects_out_of_http(location: str) -> None:
    with pytest.raises(FetchError) as caught:
        redirected("http://u:p@host/file", location)
    assert caught.value.message.startswith(
        f"cannot fetch http://host/file: it redirects to {location}, which is not followed"
    )


def test_redirects_out_of_tls() -> None:
    assert redirected("https://host/a", "/b") == "https://host/b"
    with pytest.raises(FetchError, match="redirects to http://host/b, which is not followed from"):
        redirected("https://host/a", "http://host/b")


@pytest.mark.parametrize("location", ["http://[::1/", "http://host:99999/", "http://host:x/"])
def test_redirects_to_no_address(location: str) -> None:
    with pytest.raises(FetchError, match="which is no valid address"):
        redirected("http://host/a", location)


@given(st.text())
def test_redirects_raise_nothing_else(location: str) -> None:
    try:
        target = redirected("https://host/a", location)
    except FetchError:
        return
    assert target.startswith("https://")


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("file:///srv/debian/a", "/srv/debian/a"),
        ("file:/srv/debian/a", "/srv/debian/a"),
        ("FILE://localhost/srv/a", "/srv/a"),
        ("file:///my%20mirror/a+b", "/my mirror/a+b"),
        ("file:///my mirror/a%2Bb%7e1", "/my mirror/a+b~1"),
        ("file:///a?b#c", "/a?b#c"),
        ("file:///%25", "/%"),
    ],
)
def test_files(address: str, expected: str) -> None:
    assert file_path(address) == Path(expected)


@pytest.mark.parametrize(
    "address", ["file://host/a", "file://", "file:", "file:a/b", "file:///a%00b", "file://a"]
)
def test_files_that_are_none_here(address: str) -> None:
    with pytest.raises(FetchError, match=f"cannot read {address}: it names"):
        file_path(address)


@given(st.binary().filter(lambda path: b"\0" not in path))
def test_every_path_has_an_address(path: bytes) -> None:
    assert file_path("file:///" + quote(path)) == Path(os.fsdecode(b"/" + path))
