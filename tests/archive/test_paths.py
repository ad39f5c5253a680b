"""Paths from an index: what may be appended to an address."""

from __future__ import annotations

from pathlib import PurePosixPath
from urllib.parse import urljoin

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdcompose.archive.paths import stays_below


@pytest.mark.parametrize(
    "path",
    [
        "pool/main/l/linux-signed-amd64/linux-image-6.1.0-56-amd64_6.1.192-2_amd64.deb",
        "pool/main/g/g++/g++_4%3a12.2.0-3_amd64.deb",
        "pool/main/a/a/a_1:1.0~rc1_all.deb",
        "main/i18n/Translation-de_DE.bz2",
        "...",
        "a/..b/.c/d.",
        "x",
    ],
)
def test_good(path: str) -> None:
    assert stays_below(path)


@pytest.mark.parametrize(
    "path",
    [
        *("", "/", "/etc/passwd", "a/", "a//b", "//host/a", ".", "./a", "a/./b", "a/."),
        *("..", "../a", "a/../b", "a/.."),
        *("http://host/a", "file:/etc/passwd", "C:x"),
        *("a\\b", "..\\a", "a b", "a\tb", "a\nb", "a\n", "a\0b", "a\x1b[2Jb", "a\x7f", "pöol/a"),
    ],
)
def test_bad(path: str) -> None:
    assert not stays_below(path)


@given(st.text(alphabet="a./\\: ~%\né"))
def test_nothing_leads_out(path: str) -> None:
    if stays_below(path):
        assert urljoin("http://host/base/", path) == f"http://host/base/{path}"
        assert str(PurePosixPath("/base") / path) == f"/base/{path}"
