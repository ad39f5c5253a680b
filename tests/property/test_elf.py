from __future__ import annotations

import contextlib
from typing import Literal

from hypothesis import given, settings
from hypothesis import strategies as st

from rdcompose.errors import FormatError
from rdcompose.formats.elf import read_module
from rdcompose.formats.modversions import read_versions
from tests.support.modules import VersionForm, make_ko

KEYS = st.text(st.characters(codec="utf-8", exclude_characters="\0="), min_size=1, max_size=9)
VALUES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
SYMBOLS = st.lists(
    st.text("abc_.9", min_size=1, max_size=8).filter(lambda name: "__crc_" not in name),
    max_size=6,
    unique=True,
)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(KEYS, VALUES), min_size=1, max_size=8),
    SYMBOLS,
    SYMBOLS,
    st.sampled_from([32, 64]),
    st.sampled_from(["little", "big"]),
    st.booleans(),
)
def test_what_was_written_is_read(
    modinfo: list[tuple[str, str]],
    exports: list[str],
    imports: list[str],
    bits: int,
    byteorder: Literal["little", "big"],
    crcs: bool,
) -> None:
    elf = read_module(make_ko(modinfo, exports, imports, bits=bits, byteorder=byteorder, crcs=crcs))
    assert elf.modinfo == tuple(modinfo)
    assert elf.exports == tuple(exports)
    assert elf.imports == tuple(imports)


GOOD = make_ko(["a=b", "alias=x*"], ["one"], ["two", "three"], versions=["module_layout"])


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
    with contextlib.suppress(FormatError):
        read_module(bytes(data))
    with contextlib.suppress(FormatError):
        read_module(bytes(data[:length]))


VERSIONED = make_ko(
    ["a=b"], ["one", "two"], ["three"], versions=["module_layout", "three"], crcs="section"
)


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(
        [
            VERSIONED,
            make_ko(["a=b"], ["one"], versions=["two", "three"], version_form="extended"),
            make_ko(["a=b"], ["one"], versions=["two", "three"], version_form="chained"),
        ]
    ),
    st.lists(st.tuples(st.integers(0, len(VERSIONED) - 1), st.integers(0, 255)), max_size=6),
)
def test_damaged_versions_give_an_answer_or_a_format_error(
    good: bytes, changes: list[tuple[int, int]]
) -> None:
    data = bytearray(good)
    for offset, value in changes:
        data[offset % len(data)] = value
    with contextlib.suppress(FormatError):
        read_versions(bytes(data))


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(st.text("abc_.9", min_size=1, max_size=50), st.integers(0, 2**32 - 1)),
    st.sampled_from([32, 64]),
    st.sampled_from(["little", "big"]),
    st.sampled_from(["records", "extended", "chained"]),
)
def test_versions_that_were_written_are_read(
    versions: dict[str, int],
    bits: int,
    byteorder: Literal["little", "big"],
    form: VersionForm,
) -> None:
    # Every module with versions has one of module_layout.
    plain = {name: crc for name, crc in versions.items() if name[0] != "."} | {"layout": 1}
    data = make_ko(
        ["a=b"], plain, versions=plain, version_form=form, bits=bits, byteorder=byteorder
    )
    found = read_versions(data)
    assert found.imports == plain
    assert found.exports == plain
