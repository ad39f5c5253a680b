"""Microcode as Intel and AMD publish it: sound, joined, and damaged in one place."""

from __future__ import annotations

import struct

import pytest

from rdcompose.errors import FormatError
from rdcompose.formats.microcode import Vendor, join_intel, read_amd, read_intel, vendor_of
from tests.support.microcode import make_amd, make_intel


def test_vendor() -> None:
    assert vendor_of(make_intel()) is Vendor.INTEL
    assert vendor_of(make_amd()) is Vendor.AMD
    assert vendor_of(b"") is None
    assert vendor_of(b"\1\0\0\0") is None
    assert vendor_of(b"/* microcode.dat */".ljust(100)) is None


def test_updates() -> None:
    one, two = make_intel(0x306A9, revision=7), make_intel(0x306D4, flags=0xC0, size=3072)
    three = make_intel(0x306C3, old=True)
    found = read_intel(one + two + three)
    assert [update.data for update in found] == [one, two, three]
    assert [update.processors for update in found] == [
        {(0x306A9, 1)},
        {(0x306D4, 0xC0)},
        {(0x306C3, 1)},
    ]
    assert found[0].revision == 7
    assert len(three) == 2048
    assert read_intel(b"") == ()


def test_update_for_several_processors() -> None:
    [update] = read_intel(make_intel(0x906EA, more=[(0x906EB, 2), (0x906EC, 0x22)]))
    assert update.processors == {(0x906EA, 1), (0x906EB, 2), (0x906EC, 0x22)}


def test_the_newest_of_each_processor_is_kept_once_and_in_order() -> None:
    late, old, new = make_intel(0x906EA), make_intel(revision=1), make_intel(revision=3)
    other = make_intel(0x306A9)
    joined = join_intel(read_intel(late + other + old + new + other))
    assert [update.data for update in joined] == [other, new]


def test_an_older_update_stays_for_the_processor_that_only_it_is_for() -> None:
    wide = make_intel(0x906EA, revision=1, more=[(0x906EB, 2)])
    narrow = make_intel(0x906EA, revision=2)
    joined = join_intel(read_intel(wide + narrow))
    assert [update.data for update in joined] == [wide, narrow]


def altered(data: bytes, offset: int, value: int) -> bytes:
    return data[:offset] + struct.pack("<I", value) + data[offset + 4 :]


SEVERAL = make_intel(more=[(0x906EB, 2)])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        pytest.param(make_intel()[:-1], "cut short: 1023 of 1024", id="cut"),
        pytest.param(make_intel() + b"\1\0\0", "offset 1024 is cut short", id="cut-header"),
        pytest.param(altered(make_intel(), 500, 1), "wrong checksum", id="data"),
        pytest.param(altered(make_intel(), 0, 2), "header version 2", id="header-version"),
        pytest.param(altered(make_intel(), 20, 3), "loader version 3", id="loader-version"),
        pytest.param(altered(make_intel(), 28, 2000), "cannot be", id="data-size"),
        pytest.param(altered(make_intel(), 28, 974), "cannot be", id="odd-size"),
        pytest.param(altered(make_intel(), 32, 1028), "cannot be", id="total-size"),
        pytest.param(make_intel() + bytes(64), "header version 0", id="padding"),
        pytest.param(altered(SEVERAL, 1024 - 32, 9), "table of processors", id="count"),
        pytest.param(altered(SEVERAL, 1024 - 28, 9), "table of processors", id="table-checksum"),
        pytest.param(
            altered(altered(SEVERAL, 1020, 1), 1024 - 28, 0), "table of processors", id="entry"
        ),
    ],
)
def test_damaged_updates(data: bytes, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        read_intel(data)


def test_an_entry_must_fit_the_update() -> None:
    # The table adds up, its entry does not: kernels check both.
    [signature] = struct.unpack_from("<I", SEVERAL, 1012)
    moved = altered(altered(SEVERAL, 1012, signature + 1), 996, _less(SEVERAL, 996))
    with pytest.raises(FormatError, match="table of processors"):
        read_intel(moved)


def _less(data: bytes, offset: int) -> int:
    number = int.from_bytes(data[offset : offset + 4], "little")
    return (number - 1) & 0xFFFFFFFF


def test_containers() -> None:
    one, two = make_amd(0x17, patches=2), make_amd(0x19)
    assert read_amd(one + two) == (one, two)
    assert read_amd(make_amd(patches=0)) == (make_amd(patches=0),)
    assert read_amd(b"") == ()


CONTAINER = make_amd()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        pytest.param(CONTAINER[:-1], "cut short: 163 of 164", id="cut"),
        pytest.param(CONTAINER[:8], "cut short", id="cut-header"),
        pytest.param(CONTAINER + b"xxxxxxxx", "cut short: 0 of 2021161080", id="trailing"),
        pytest.param(CONTAINER + b"\1", "cut short", id="trailing-byte"),
        pytest.param(b"x" + CONTAINER, "does not begin", id="magic"),
        pytest.param(altered(CONTAINER, 4, 1), "table of processors", id="table-type"),
        pytest.param(altered(CONTAINER, 8, 0), "table of processors", id="no-table"),
        pytest.param(altered(CONTAINER, 8, 30), "table of processors", id="table-size"),
        pytest.param(altered(CONTAINER, 8, 1 << 31), "cut short", id="huge"),
        pytest.param(altered(CONTAINER, 44, 2), "type 2", id="patch-type"),
        pytest.param(altered(CONTAINER, 48, 63), "63 bytes", id="patch-size"),
    ],
)
def test_damaged_containers(data: bytes, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        read_amd(data)
