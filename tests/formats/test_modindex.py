from __future__ import annotations

import struct

import pytest

from rdcompose.errors import FormatError, UnsupportedError
from rdcompose.formats.modindex import (
    HEADER,
    NODE_CHILDS,
    NODE_PREFIX,
    NODE_VALUES,
    Index,
    IndexValue,
    matches,
    read_index,
    write_index,
)


def index(*entries: tuple[str, str, int]) -> Index:
    return read_index(write_index(entries))


def test_bytes_of_a_small_index() -> None:
    # By hand from the format's description: "ab" and "ad" part after "a".
    nodes = [
        struct.pack(">II2s", 1, 7, b"x\0"),  # at 12, behind "ab"
        struct.pack(">II2s", 1, 8, b"y\0"),  # at 22, behind "ad"
        struct.pack(">BBIII", ord("b"), ord("d"), NODE_VALUES | 12, 0, NODE_VALUES | 22),
        struct.pack(">BBI", ord("a"), ord("a"), NODE_CHILDS | 32),  # at 46, the root
    ]
    header = struct.pack(">IHHI", 0xB007F457, 2, 1, NODE_CHILDS | 46)
    assert write_index([("ad", "y", 8), ("ab", "x", 7)]) == header + b"".join(nodes)


def test_prefix_is_kept_in_one_node() -> None:
    data = write_index([("abcd", "v", 1)])
    assert data[12:] == (
        b"bcd\0" + struct.pack(">II2s", 1, 1, b"v\0")
        + struct.pack(">BBI", ord("a"), ord("a"), NODE_PREFIX | NODE_VALUES | 12)
    )  # fmt: skip


def test_an_empty_index() -> None:
    data = write_index([])
    assert data == HEADER.pack(0xB007F457, 2, 1, 12)
    assert list(read_index(data).items()) == []


def test_all_ways_in_which_keys_part() -> None:
    keys = ["", "a", "ab", "abc", "abd", "b", "bxyz", "bxzz", "bx", "~", "aq*"]
    found = index(*[(key, f"value of {key}", number) for number, key in enumerate(keys)])
    assert [key for key, _ in found.items()] == sorted(keys)
    for number, key in enumerate(keys):
        assert found.lookup(key) == (IndexValue(number, f"value of {key}"),)
    for missing in ("c", "abcd", "bxy", "aq", "aqx", "~~"):
        assert found.lookup(missing) == ()


def test_values_are_ordered_by_priority_and_the_later_first() -> None:
    found = index(("k", "a", 5), ("k", "b", 2), ("k", "c", 5), ("k", "a", 5))
    assert found.lookup("k") == (
        IndexValue(2, "b"),
        IndexValue(5, "a"),
        IndexValue(5, "c"),
        IndexValue(5, "a"),
    )


def test_order_of_different_keys_does_not_matter() -> None:
    entries = [(f"key{number % 17}", "v", number) for number in range(40)]
    assert write_index(entries) == write_index(sorted(entries, key=lambda entry: entry[0]))


def test_search_takes_keys_as_patterns() -> None:
    found = index(
        ("pci:v1d2*", "two", 9),
        ("pci:v1d*", "any", 3),
        ("pci:v1d2sv0", "exact", 5),
        ("pci:v9*", "other", 1),
        ("p?i:v[0-3]d2*", "odd", 4),
        ("*", "all", 7),
    )
    assert [value.value for value in found.search_wild("pci:v1d2sv0")] == [
        "any", "odd", "exact", "all", "two",
    ]  # fmt: skip
    assert [value.value for value in found.search_wild("usb:")] == ["all"]
    assert found.lookup("pci:v1d2") == ()


def test_values_may_hold_any_bytes_but_nul() -> None:
    assert index(("k", "ü\udcff", 0)).lookup("k") == (IndexValue(0, "ü\udcff"),)


def test_keys_may_hold_what_kmod_writes_in_spite_of_its_rule() -> None:
    # Behind a name of 20 characters without an end, modpost took bytes of a pointer.
    keys = ["jsl_max98360a", "jsl_max98360ax\udc80", "jsl_max98360ax\udcff", "jsl_ü"]
    found = index(*((key, key, 0) for key in keys))
    assert [key for key, _ in found.items()] == [*keys[:3], "jsl_\udcc3\udcbc"]
    assert found.lookup(keys[1]) == (IndexValue(0, keys[1]),)
    assert [value.value for value in found.search_wild(keys[2])] == [keys[2]]


@pytest.mark.parametrize(
    "entry",
    [("a\0b", "v", 0), ("a", "v\0", 0), ("a", "v", -1), ("a", "v", 2**32)],
)
def test_what_cannot_be_written(entry: tuple[str, str, int]) -> None:
    with pytest.raises(FormatError, match="cannot stand in a module index"):
        write_index([entry])


def test_an_index_has_a_largest_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rdcompose.formats.modindex.NODE_MASK", 20)
    with pytest.raises(UnsupportedError, match="over 20 bytes"):
        write_index([("a", "v" * 20, 0), ("b", "v", 0)])


def test_a_reader_takes_parents_before_children() -> None:
    # As kmod orders them since version 31.
    root = struct.pack(">BBI", ord("a"), ord("a"), NODE_VALUES | 18)
    data = (
        HEADER.pack(0xB007F457, 2, 9, NODE_CHILDS | 12) + root + struct.pack(">II", 1, 3) + b"v\0"
    )
    assert list(read_index(data).items()) == [("a", IndexValue(3, "v"))]


def raw(root: int, body: bytes) -> bytes:
    return HEADER.pack(0xB007F457, 2, 1, root) + body


@pytest.mark.parametrize(
    "data",
    [
        raw(NODE_VALUES | 12, b""),
        raw(NODE_VALUES | 12, struct.pack(">I", 1)),
        raw(NODE_VALUES | 12, struct.pack(">II", 1, 0) + b"no end"),
        raw(NODE_VALUES | 12, struct.pack(">I", 2**32 - 1) + b"\0" * 50),
        raw(NODE_VALUES | 0x0FFFFFFF, b""),
        raw(NODE_PREFIX | 12, b"no end"),
        raw(NODE_CHILDS | 12, b"a"),
        raw(NODE_CHILDS | 12, b"ac" + bytes(8)),
    ],
    ids=[
        "nothing", "no value", "no NUL", "many values", "far away", "prefix", "range", "children",
    ],
)  # fmt: skip
def test_a_damaged_node(data: bytes) -> None:
    found = read_index(data)
    with pytest.raises(FormatError, match="is damaged or cut off"):
        list(found.items())
    with pytest.raises(FormatError, match="is damaged or cut off"):
        found.lookup("a")
    with pytest.raises(FormatError, match="is damaged or cut off"):
        found.search_wild("a")


@pytest.mark.parametrize(
    "data",
    [
        raw(NODE_CHILDS | 12, struct.pack(">BBI", 97, 97, NODE_CHILDS | 12)),
        raw(NODE_CHILDS | 12, struct.pack(">BB40I", 1, 40, *[NODE_CHILDS | 12] * 40)),
        raw(
            NODE_CHILDS | 12,
            struct.pack(">BB2I", 97, 98, *[NODE_PREFIX | 22] * 2) + b"x" * 60 + b"\0",
        ),
    ],
    ids=["loop", "wide loop", "shared"],
)  # fmt: skip
def test_nodes_that_overlap(data: bytes) -> None:
    with pytest.raises(FormatError, match="nodes overlap"):
        list(read_index(data).items())


def test_a_range_that_runs_backwards_has_no_children() -> None:
    assert list(read_index(raw(NODE_CHILDS | 12, b"ba" + bytes(9))).items()) == []


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        (b"", FormatError, "cut off after 0"),
        (raw(12, b"")[:11], FormatError, "cut off after 11"),
        (b"alias pci:v*", FormatError, "not a module index"),
        (HEADER.pack(0xB007F457, 3, 0, 12), UnsupportedError, "version 3, not 2"),
    ],
)
def test_what_is_no_index(data: bytes, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        read_index(data)


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        ("", [""], ["a"]),
        ("abc", ["abc"], ["", "ab", "abcd", "ABC"]),
        ("*", ["", "a", "a/b", ".hidden", "a\nb"], []),
        ("a*", ["a", "ab"], ["", "ba"]),
        ("*a", ["a", "ba"], ["ab", ""]),
        ("a*a", ["aa", "aba"], ["a", "ab"]),
        ("a*b*c", ["abc", "axbxc", "abbcc"], ["acb", "ac", "ab"]),
        ("ab*bc", ["abbc", "ab-bc"], ["abc"]),
        ("a**b", ["ab", "axb"], ["a"]),
        ("a?c", ["abc", "a/c", "a\nc"], ["ac", "abbc"]),
        ("?*", ["a", "ab"], [""]),
        ("a?*b?*c", ["axbyc", "axxbyyc"], ["abc", "axbc"]),
        ("[abc]", ["a", "c"], ["", "d", "ab"]),
        ("x[0-9A-F]y", ["x0y", "xFy"], ["xfy", "xy", "x-y"]),
        ("[!a-c]", ["d", "]"], ["a", ""]),
        ("[^a]", ["b"], ["a"]),
        ("[]a]", ["]", "a"], ["[", ""]),
        ("[!]a]", ["b"], ["]", "a"]),
        ("[a-]", ["a", "-"], ["b"]),
        ("[z-a]", [], ["z", "m", "-"]),
        ("[!z-a]", ["z", "b"], [""]),
        ("[a", ["[a"], ["a"]),
        ("[!]", ["[!]"], ["!", "a"]),
        ("a[", ["a["], ["a"]),
        (r"\*", ["*"], ["a", r"\*"]),
        (r"a\[b]", ["a[b]"], ["ab"]),
        (r"[\]x]", ["]", "x"], ["\\"]),
        (r"[a\-c]", ["a", "-", "c"], ["b"]),
        ("a.c+", ["a.c+"], ["abc+", "a.cc"]),
        ("a.c+?", ["a.c+d"], ["abc+d"]),
        ("[+*?.^]", ["+", "*", "?", ".", "^"], ["a"]),
    ],
)
def test_patterns(pattern: str, yes: list[str], no: list[str]) -> None:
    assert [text for text in yes if not matches(pattern, text)] == []
    assert [text for text in no if matches(pattern, text)] == []


@pytest.mark.parametrize("pattern", ["*a" * 200 + "b", "?" + "*a" * 200 + "b", "*[ab]" * 200 + "c"])
def test_a_hostile_pattern_takes_no_time(pattern: str) -> None:
    assert not matches(pattern, "a" * 500)
