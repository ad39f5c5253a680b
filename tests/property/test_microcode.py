from __future__ import annotations

import contextlib

from hypothesis import given, settings
from hypothesis import strategies as st

from rdcompose.errors import FormatError
from rdcompose.formats.microcode import join_intel, read_amd, read_intel, vendor_of
from tests.support.microcode import make_amd, make_intel

UPDATES = st.builds(
    make_intel,
    st.integers(0, 3),
    flags=st.integers(1, 2),
    revision=st.integers(0, 5),
    size=st.sampled_from([1024, 2048]),
    more=st.lists(st.tuples(st.integers(0, 3), st.integers(1, 2)), max_size=2),
)
CONTAINERS = st.builds(make_amd, st.integers(0, 3), patches=st.integers(0, 3))


@settings(max_examples=60, deadline=None)
@given(st.lists(UPDATES, max_size=6))
def test_joining_loses_no_processor(updates: list[bytes]) -> None:
    found = read_intel(b"".join(updates))
    joined = join_intel(found)
    best = {
        processor: max(each.revision for each in found if processor in each.processors)
        for update in found
        for processor in update.processors
    }
    kept = {
        processor: max(each.revision for each in joined if processor in each.processors)
        for update in joined
        for processor in update.processors
    }
    assert kept == best
    assert len({update.data for update in joined}) == len(joined)
    assert join_intel(joined) == joined


@settings(max_examples=40, deadline=None)
@given(st.lists(CONTAINERS, max_size=4))
def test_containers_are_split_where_they_were_joined(containers: list[bytes]) -> None:
    assert list(read_amd(b"".join(containers))) == containers


@settings(max_examples=150, deadline=None)
@given(st.sampled_from([make_intel(more=[(1, 2)]), make_amd(patches=2)]), st.data())
def test_damage_is_found_or_does_no_harm(sound: bytes, data: st.DataObject) -> None:
    position = data.draw(st.integers(0, len(sound) - 1))
    damaged = bytearray(sound)
    damaged[position] ^= data.draw(st.integers(1, 255))
    cut = bytes(damaged[: data.draw(st.integers(position, len(sound)))])
    vendor_of(cut)
    for read in (read_intel, read_amd):
        with contextlib.suppress(FormatError):
            read(cut)
