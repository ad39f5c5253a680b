from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from rdcompose.formats.modindex import matches
from rdcompose.kernel.aliases import AliasTable

PIECES = st.sampled_from(
    ["*", "?", "[ab]", "[!a]", "a", "ab", "bus:v0000", "Cvendor,device", "\\*"]
)
PATTERNS = st.lists(PIECES, max_size=5).map("".join)
TEXTS = st.lists(
    st.sampled_from(["a", "b", "*", "ab", "bus:v0000", "Cvendor,device"]), max_size=6
).map("".join)


@settings(max_examples=300, deadline=None)
@given(st.lists(PATTERNS, max_size=20), st.lists(TEXTS, max_size=5))
def test_a_table_finds_what_a_look_at_every_pattern_finds(
    patterns: list[str], texts: list[str]
) -> None:
    aliases = [(pattern, f"m{number % 7}") for number, pattern in enumerate(patterns)]
    table = AliasTable(aliases)
    for text in [*texts, *patterns]:
        every = [name for pattern, name in aliases if matches(pattern, text)]
        assert table.find(text) == tuple(dict.fromkeys(every))
