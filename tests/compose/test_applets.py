"""rdcompose.compose.applets"""

from __future__ import annotations

import pytest

from rdcompose.compose.applets import read_applets, usual_directory
from rdcompose.errors import FormatError
from tests.support.programs import APPLETS, applet_tables, make_busybox

EXPECTED = tuple(
    (name, f"{directory}/{name}" if directory else name) for name, directory in APPLETS.items()
)


def without(*names: str) -> dict[str, str]:
    return {name: place for name, place in APPLETS.items() if name not in names}


def test_names_and_places() -> None:
    assert read_applets(make_busybox()) == EXPECTED


@pytest.mark.parametrize("count", [16, 17], ids=["even", "odd"])
def test_both_parities(count: int) -> None:
    applets = dict(list(APPLETS.items())[:count])
    assert read_applets(applet_tables(applets)) == EXPECTED[:count]


def test_places_are_read_and_not_assumed() -> None:
    moved = {**APPLETS, "umount": "usr/sbin", "linuxrc": "sbin"}
    found = dict(read_applets(make_busybox(moved)))
    assert (found["umount"], found["linuxrc"]) == ("usr/sbin/umount", "sbin/linuxrc")


def test_busybox_that_cannot_install_itself() -> None:
    assert read_applets(make_busybox(places=False)) == EXPECTED


def test_two_tables_that_fit_decide_nothing() -> None:
    moved = {**APPLETS, "umount": "sbin"}
    data = applet_tables(moved) + applet_tables(places=True)
    assert dict(read_applets(data))["umount"] == "bin/umount"


def test_table_of_places_far_from_the_names() -> None:
    moved = {**APPLETS, "umount": "sbin"}
    places = applet_tables(moved).partition(b"[\0")[0]
    data = places + b"\xff" * (1 << 17) + applet_tables(places=False)
    assert dict(read_applets(data))["umount"] == "sbin/umount"


def test_too_few_known_names_to_find_the_places() -> None:
    applets = {"ash": "sbin", "busybox": "sbin", "vi": "sbin"}
    assert read_applets(applet_tables(applets)) == (
        ("ash", "bin/ash"),
        ("busybox", "bin/busybox"),
        ("vi", "bin/vi"),
    )


@pytest.mark.parametrize(
    "before", [b"x", b"Z", b"\0", b"9\0", b"zz\0", b"longer than any name" * 3]
)
def test_what_stands_before_the_first_name(before: bytes) -> None:
    data = before + b"".join(name.encode() + b"\0" for name in APPLETS) + b"\0"
    assert [name for name, _ in read_applets(data)] == list(APPLETS)


def test_the_longest_run_counts() -> None:
    decoys = b"\0cat\0mount\0\0" + b"\0ls\0mount\0sh\0vi\0\0"
    assert read_applets(decoys + make_busybox() + decoys) == EXPECTED


def test_names_may_start_anywhere_in_the_alphabet() -> None:
    applets = without("[", "ash", "awk", "busybox")
    assert [name for name, _ in read_applets(applet_tables(applets))] == list(applets)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\0busybox\0\0", id="a name alone"),
        pytest.param(b"\0ash\0busybox\0Cat\0dd\0\0", id="no name behind"),
        pytest.param(b"\0ash\0busybox\0cat\0awk\0\0", id="not sorted"),
        pytest.param(b"\0ash\0busybox\0cat\0dd\0", id="no end"),
        pytest.param(b"\0ash\0busybox\0cat\0dd", id="cut"),
        pytest.param(b"\0mount\0" * 1000, id="repeated"),
        pytest.param(b"\0busybox\0" + b"c" * 100000, id="long name"),
    ],
)
def test_no_table(data: bytes) -> None:
    with pytest.raises(FormatError, match="no table of applets"):
        read_applets(data)


def test_hits_are_bounded() -> None:
    data = b"\0sh\0\xff" * 1000 + make_busybox()
    with pytest.raises(FormatError):
        read_applets(data)
    assert read_applets(data[5:]) == EXPECTED


def test_usual_directories() -> None:
    found = {name: usual_directory(name) + name for name in APPLETS}
    assert tuple(found.items()) == EXPECTED
    assert usual_directory("unheard-of") == "bin/"
