from __future__ import annotations

import contextlib
import ctypes
import ctypes.util

from hypothesis import given, settings
from hypothesis import strategies as st

from rdcompose.errors import FormatError, UnsupportedError
from rdcompose.formats.modindex import IndexValue, matches, read_index, write_index

KEYS = st.text("ab*?-\x01\x7f", max_size=6)
ENTRIES = st.lists(
    st.tuples(KEYS, st.text("xy\xfc", max_size=3), st.integers(0, 2**32 - 1)), max_size=30
)


def expected(entries: list[tuple[str, str, int]]) -> list[tuple[str, IndexValue]]:
    """By kmod's rule: in front of the first value that has not a lower priority."""
    table: dict[str, list[IndexValue]] = {}
    for key, value, priority in entries:
        values = table.setdefault(key, [])
        at = next((n for n, old in enumerate(values) if old.priority >= priority), len(values))
        values.insert(at, IndexValue(priority, value))
    return [(key, value) for key in sorted(table) for value in table[key]]


@settings(max_examples=200, deadline=None)
@given(ENTRIES)
def test_what_was_written_is_read(entries: list[tuple[str, str, int]]) -> None:
    index = read_index(write_index(entries))
    wanted = expected(entries)
    assert list(index.items()) == wanted
    for key, _, _ in entries:
        assert list(index.lookup(key)) == [value for name, value in wanted if name == key]


@settings(max_examples=100, deadline=None)
@given(ENTRIES, KEYS)
def test_search_finds_what_a_look_at_every_key_finds(
    entries: list[tuple[str, str, int]], text: str
) -> None:
    index = read_index(write_index(entries))
    every = [value for key, value in index.items() if matches(key, text)]
    assert sorted(index.search_wild(text)) == sorted(every)


GOOD = write_index([("abc", "one", 1), ("abd*", "two", 2), ("b", "three", 3), ("bcde", "x", 4)])


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, len(GOOD) - 1), st.integers(0, 255)), max_size=6),
    st.integers(0, len(GOOD)),
)
def test_damage_gives_an_answer_or_a_format_error(
    changes: list[tuple[int, int]], length: int
) -> None:
    data = bytearray(GOOD)
    for offset, value in changes:
        data[offset] = value
    with contextlib.suppress(FormatError, UnsupportedError):
        index = read_index(bytes(data[:length]))
        list(index.items())
        index.search_wild("abc")


LIBC = ctypes.CDLL(ctypes.util.find_library("c"))


@settings(max_examples=500, deadline=None)
@given(
    st.text("ab*?", max_size=8)
    | st.from_regex(r"[ab*?]{0,3}\[[!^]?[ab][-ab]{0,2}\][ab*]{0,3}", fullmatch=True),
    st.text("ab-", max_size=8),
)
def test_patterns_are_those_of_the_c_library(pattern: str, text: str) -> None:
    wanted = LIBC.fnmatch(pattern.encode(), text.encode(), 0) == 0
    assert matches(pattern, text) == wanted
