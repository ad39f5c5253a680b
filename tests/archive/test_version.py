"""The order of versions, by the examples of deb-version(7) and what follows from its rules."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdcompose.archive.version import version_key

# Oldest first.
ORDERED = [
    ["~~", "~~a", "~", "", "a"],
    ["1.0~beta1~svn1245", "1.0~beta1", "1.0"],
    ["0.9", "1", "1+b1", "1.1", "1.9", "1.10", "1:0.1", "2:0", "10:0"],
    ["1~~", "1~", "1~a", "1", "1A", "1a", "1+"],
    ["1.0-1~bpo12+1", "1.0-1", "1.0-1+b1", "1.0-1.1", "1.0-2", "1.0.1-1"],
    ["1-1", "1-1-1", "1-1-9", "1-1a-1", "1-2-1", "1.1-1"],
    [
        "5.10.226-1",
        "6.1.9-1",
        "6.1.170-3",
        "6.1.192-2~deb11u1",
        "6.1.192-2",
        "6.12~rc1-1~exp1",
        "6.12.117-1~bpo12+1",
        "6.12.117-1",
    ],
    ["99999999999999999998", "99999999999999999999", "100000000000000000000"],
]


@pytest.mark.parametrize("versions", ORDERED)
def test_order(versions: list[str]) -> None:
    for older, newer in itertools.combinations(versions, 2):
        assert version_key(older) < version_key(newer), (older, newer)


@pytest.mark.parametrize(
    ("one", "other"),
    [("1", "0:1"), ("1", "1-0"), ("1.0", "1.00"), ("01", "1"), ("1a", "1a0"), ("00:1", "1")],
)
def test_equal(one: str, other: str) -> None:
    assert version_key(one) == version_key(other)


def test_newest_of_several() -> None:
    assert max(["6.1.90-1", "6.1.112-1", "6.1.112-1~x"], key=version_key) == "6.1.112-1"


@pytest.mark.parametrize("text", ["", ":", "-", "1:", "a:1", "1-", "é", "1 2", "\0", "9" * 9999])
def test_malformed_ones_sort_somewhere(text: str) -> None:
    assert sorted([text, "1.0-1"], key=version_key) in ([text, "1.0-1"], ["1.0-1", text])


@given(st.text(), st.text(alphabet="019aZ~+.-:"))
def test_any_text_can_be_compared(one: str, other: str) -> None:
    left, right = version_key(one), version_key(other)
    assert (left < right) + (left == right) + (left > right) == 1


@given(st.text(alphabet="019aZ+."), st.text(alphabet="019aZ+."))
def test_a_tilde_is_older_than_its_absence(start: str, end: str) -> None:
    assert version_key(f"1{start}~{end}") < version_key(f"1{start}")
