"""Applet tables, wherever they stand and whatever is in them."""

from __future__ import annotations

import contextlib

from hypothesis import given, settings
from hypothesis import strategies as st

from rdcompose.compose.applets import read_applets
from rdcompose.errors import FormatError
from tests.support.programs import APPLETS, applet_tables

PLACES = st.sampled_from(["", "bin", "sbin", "usr/bin", "usr/sbin"])
EXTRA = st.dictionaries(st.from_regex(r"[a-z][a-z0-9_.+-]{0,15}", fullmatch=True), PLACES)


@settings(max_examples=150, deadline=None)
@given(extra=EXTRA, before=st.binary(max_size=64), after=st.binary(max_size=64))
def test_tables_are_found(extra: dict[str, str], before: bytes, after: bytes) -> None:
    applets = dict(sorted({**extra, **APPLETS}.items()))
    found = read_applets(before + applet_tables(applets) + after)
    assert found == tuple(
        (name, f"{place}/{name}" if place else name) for name, place in applets.items()
    )


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from([b"\0", b"sh", b"cat", b"mount", b"a", b"[", b"\xff"])))
def test_any_bytes(parts: list[bytes]) -> None:
    with contextlib.suppress(FormatError):
        names = [name for name, _ in read_applets(b"".join(parts))]
        assert names == sorted(set(names))
