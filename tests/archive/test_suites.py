"""Suites: which names are Debian's, what belongs together, where a kernel may be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rdcompose.archive.suites import (
    CODENAMES,
    base_suite,
    codename_of_host,
    family,
    guess_suites,
    is_debian_suite,
    is_security,
    is_suite_name,
    other_suites,
)

if TYPE_CHECKING:
    from pathlib import Path


# Name, release that it adds to, whether of the security archive.
SUITES = [
    ("bookworm", "bookworm", False),
    ("trixie-security", "trixie", True),
    ("trixie-updates", "trixie", False),
    ("buster/updates", "buster", True),
    ("bookworm-backports", "bookworm", False),
    ("stretch-backports-sloppy", "stretch", False),
    ("bookworm-proposed-updates", "bookworm", False),
    ("proposed-updates", "stable", False),
    ("stable", "stable", False),
    ("oldstable-security", "oldstable", True),
    ("oldoldstable-updates", "oldoldstable", False),
    ("testing-security", "testing", True),
    ("forky", "forky", False),
    ("unstable", "sid", False),
    ("sid", "sid", False),
    ("experimental", "sid", False),
    ("rc-buggy", "sid", False),
]


@pytest.mark.parametrize(("suite", "base", "security"), SUITES)
def test_suites_of_debian(suite: str, base: str, security: bool) -> None:
    assert is_suite_name(suite)
    assert is_debian_suite(suite)
    assert base_suite(suite) == base
    assert is_security(suite) == security


@pytest.mark.parametrize("suite", ["noble", "12.5", "bookworm/mongodb-org/7.0", "a~b+c_d-e.f"])
def test_names_of_suites(suite: str) -> None:
    assert is_suite_name(suite)


@pytest.mark.parametrize(
    "suite",
    [
        *("", "/", "./", "../x", "a/../b", "a/./b", "a//b", "/a", "a/", ".hidden", "a/.b"),
        *("a b", "a\n", "sid?x", "sid#x", "sid%2e", "a:b", "a\\b", "sïd", "-updates", "a@b"),
    ],
)
def test_what_is_no_name_of_a_suite(suite: str) -> None:
    assert not is_suite_name(suite)


@pytest.mark.parametrize(
    "suite",
    [
        *("noble", "noble-updates", "nodistro", "bookworm-pgdg", "bookworm-debug", "./", "/", ""),
        *("sid-updates", "experimental-security", "unstable/updates", "bookworm/", "Bookworm"),
        *("-updates", "-security", "/updates", "bookworm-updates-security", "security", "updates"),
        *("bookworm/mongodb-org/7.0", "stable-foo", "proposed", "bookworm-proposed", " sid"),
    ],
)
def test_suites_of_others(suite: str) -> None:
    assert not is_debian_suite(suite)
    assert base_suite(suite) == suite
    assert not is_security(suite)
    assert family(suite) == (suite,)


@pytest.mark.parametrize(
    ("suite", "expected"),
    [
        ("bookworm", ("bookworm", "bookworm-security", "bookworm-updates")),
        ("bullseye", ("bullseye", "bullseye-security", "bullseye-updates")),
        ("buster", ("buster", "buster/updates", "buster-updates")),
        ("jessie", ("jessie", "jessie/updates", "jessie-updates")),
        ("stable", ("stable", "stable-security", "stable-updates")),
        ("testing", ("testing", "testing-security", "testing-updates")),
        ("sid", ("sid",)),
        ("experimental", ("experimental",)),
        ("bookworm-backports", ("bookworm-backports",)),
        ("bookworm-security", ("bookworm-security",)),
        ("proposed-updates", ("proposed-updates",)),
    ],
)
def test_families(suite: str, expected: tuple[str, ...]) -> None:
    assert family(suite) == expected


@pytest.mark.parametrize("codename", CODENAMES)
def test_the_family_of_a_release_is_debian(codename: str) -> None:
    names = family(codename)
    assert [(is_debian_suite(name), base_suite(name)) for name in names] == [(True, codename)] * 3
    assert [is_security(name) for name in names] == [False, True, False]


def test_other_suites() -> None:
    suites = other_suites()
    assert len(suites) == len(set(suites))
    assert all(is_debian_suite(suite) for suite in suites)
    assert suites[:2] == ("stable", "stable-security")
    assert {"oldstable-updates", "testing", "unstable", "oldstable-backports"} < set(suites)
    # What nobody should get unless nothing else has it.
    assert suites[-1] == "experimental"


@pytest.mark.parametrize(
    ("release", "expected"),
    [
        ("6.12.107+deb13-cloud-amd64", ("trixie", "trixie-backports", "unstable")),
        ("6.12.90+deb13.1-amd64", ("trixie", "trixie-backports", "unstable")),
        ("7.2.13+deb14-amd64", ("forky", "forky-backports", "unstable")),
        ("6.12.95+deb12-amd64", ("bookworm-backports", "bookworm")),
        ("6.1.0-0.deb11.52-cloud-amd64", ("bullseye-backports", "bullseye")),
        ("6.12.9+bpo-amd64", ("bookworm-backports",)),
        ("6.12.95-1~bpo12+1", ("bookworm-backports",)),
        ("7.0.12-2~bpo13+1", ("trixie-backports",)),
        ("6.1.180-1~deb11u1", ("bullseye",)),
        ("6.1.99-1+deb12u1", ("bookworm",)),
        ("6.1.0-18-cloud-amd64", ("bookworm",)),
        ("linux-image-6.1.0-18-cloud-amd64", ("bookworm",)),
        ("6.1.176-1", ("bookworm",)),
        ("5.10.0-46-armmp-lpae", ("bullseye",)),
        ("4.19.0-27-amd64", ("buster",)),
        ("3.16.0-6-amd64", ("jessie",)),
        # The release before that of the series.
        ("5.10.0-0.bpo.15-amd64", ()),
        ("6.12.1+deb99-amd64", ()),
        ("16.1.0-3-amd64", ()),
        ("6.5.0-5-amd64", ()),
        ("7.3-amd64", ()),
        ("cloud-amd64", ()),
        ("", ()),
    ],
)
def test_guesses(release: str, expected: tuple[str, ...]) -> None:
    assert guess_suites(release) == expected
    assert all(is_debian_suite(suite) for suite in expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            'NAME="Debian GNU/Linux"\nVERSION_ID="12"\nVERSION_CODENAME=bookworm\nID=debian\n',
            "bookworm",
        ),
        ("ID='raspbian'\nID_LIKE=debian\nVERSION_CODENAME='bullseye'\n", "bullseye"),
        ('PRETTY_NAME="Debian GNU/Linux forky/sid"\nVERSION_CODENAME=forky\nID=debian\n', "forky"),
        ('PRETTY_NAME="Debian GNU/Linux bookworm/sid"\nID=debian\n', "bookworm"),
        ("ID=debian\nVERSION_CODENAME=sid\n", "sid"),
        ('PRETTY_NAME="Debian GNU/Linux 8 (jessie)"\nVERSION_ID="8"\nID=debian\n', "jessie"),
        ('PRETTY_NAME="Debian GNU/Linux 7 (wheezy)"\nVERSION_ID="7"\nID=debian\n', None),
        ("ID=debian\n", None),
        ("ID=ubuntu\nID_LIKE=debian\nVERSION_CODENAME=noble\n", None),
        ("VERSION_CODENAME=bookworm\n", None),
        ("ID=debian\nVERSION_CODENAME=../x\n", None),
        ("# a comment\n\nno variable\nID=debian\nVERSION_CODENAME=trixie  \n", "trixie"),
        ("", None),
    ],
)
def test_codename_of_a_host(tmp_path: Path, text: str, expected: str | None) -> None:
    path = tmp_path / "usr/lib/os-release"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    assert codename_of_host(tmp_path) == expected


def test_os_release_in_etc_comes_first(tmp_path: Path) -> None:
    assert codename_of_host(tmp_path) is None
    for directory, codename in (("usr/lib", "bookworm"), ("etc", "trixie")):
        (tmp_path / directory).mkdir(parents=True)
        (tmp_path / directory / "os-release").write_text(
            f"ID=debian\nVERSION_CODENAME={codename}\n"
        )
        assert codename_of_host(tmp_path) == codename
