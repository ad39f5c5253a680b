"""Where a suite may be: mirrors, the sources of apt as they are written, the snapshot service."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Final

import pytest

from rdcompose.archive.fetch import OfflineFetcher
from rdcompose.archive.places import AptPlace, Mirrors, SnapshotState
from rdcompose.archive.snapshot import Snapshot
from rdcompose.archive.sources import apt_sources
from rdcompose.archive.trust import Keyring
from tests.support.hosts import LIST, PARTS, make_host
from tests.support.signing import SigningKey, make_key

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from rdcompose.archive.places import Place

DEBIAN: Final = make_key()
VENDOR: Final = make_key("vendor")
NOW: Final = datetime.datetime(2026, 6, 10, 12, tzinfo=datetime.UTC)
MAIN: Final = "http://mirror.example.org/debian"
SECURITY: Final = "http://mirror.example.org/debian-security"
ONE_LINE: Final = f"""\
deb {MAIN}/ trixie main contrib
deb {MAIN}/ trixie-updates main
deb {SECURITY}/ trixie-security main
"""
DEB822: Final = f"""\
Types: deb deb-src
URIs: {MAIN}
Suites: trixie trixie-updates
Components: main contrib
Signed-By: /keys/debian.gpg

Types: deb
URIs: {SECURITY}
Suites: trixie-security
Components: main
Signed-By: /keys/debian.gpg
"""


def keyring(*keys: SigningKey) -> Keyring:
    return Keyring.from_bytes(b"".join(key.certificate for key in keys), "keys")


def apt(root: Path, files: Mapping[str, str], override: SigningKey | None = None) -> AptPlace:
    """Return the place of a system with these files, and two keyrings."""
    make_host(root, files)
    (root / "keys").mkdir(exist_ok=True)
    (root / "keys" / "debian.gpg").write_bytes(DEBIAN.certificate)
    (root / "keys" / "vendor.asc").write_bytes(VENDOR.armoured)
    own = None if override is None else keyring(override)
    found = apt_sources(root)
    assert found.notes == ()
    return AptPlace(found.sources, keyring(DEBIAN), own)


def addresses(place: Place, suite: str) -> list[str]:
    """Return the addresses of a suite; one that was guessed in parentheses."""
    return [f"({row.base})" if row.optional else row.base for row in place.sources(suite)]


# Mirrors that were named.


@pytest.mark.parametrize(
    ("urls", "suite", "expected"),
    [
        ((MAIN,), "trixie", [MAIN]),
        ((MAIN,), "trixie-backports", [MAIN]),
        ((MAIN,), "trixie-security", [f"({SECURITY})"]),
        ((MAIN,), "buster/updates", [f"({SECURITY})"]),
        ((MAIN, SECURITY), "trixie", [MAIN]),
        ((MAIN, SECURITY), "trixie-security", [SECURITY]),
        ((SECURITY, MAIN), "trixie-security", [SECURITY]),
        ((MAIN, "http://b/debian", MAIN), "sid", [MAIN, "http://b/debian"]),
        (
            (MAIN, "http://b/debian"),
            "trixie-security",
            [f"({SECURITY})", "(http://b/debian-security)"],
        ),
        (("http://b/other",), "trixie-security", []),
        (("http://b/other",), "trixie", ["http://b/other"]),
        ((SECURITY,), "trixie", []),
        (("http://security.b",), "trixie-security", ["http://security.b"]),
        (("http://me:security@b",), "trixie", ["http://me:security@b"]),
    ],
)
def test_mirrors(urls: tuple[str, ...], suite: str, expected: list[str]) -> None:
    place = Mirrors(urls, keyring(DEBIAN))
    assert addresses(place, suite) == expected
    for row in place.sources(suite):
        assert row.suite == suite
        assert row.components == ("main",)
        assert row.check_valid_until
        assert not row.pinned
        assert not row.may_be_foreign


def test_what_mirrors_are_said_to_have() -> None:
    assert not Mirrors((MAIN,), keyring(DEBIAN)).expects("trixie-security")
    both = Mirrors((MAIN, SECURITY), keyring(DEBIAN))
    assert both.expects("trixie-security")
    assert not both.expects("trixie-updates")
    assert both.suites == ()


def test_passwords_are_not_shown() -> None:
    mirrors = Mirrors(("http://me:word@b/debian", "https://c/debian"), keyring(DEBIAN))
    assert mirrors.description == "http://b/debian, https://c/debian"
    service = Snapshot(OfflineFetcher(), "https://me:word@snapshot.test/")
    state = SnapshotState(service, keyring(DEBIAN), NOW)
    assert state.description == "https://snapshot.test (newest state)"
    # But used.
    assert addresses(state, "sid")[0].startswith("https://me:word@snapshot.test/archive/")


# What apt is configured with.


@pytest.mark.parametrize("files", [{LIST: ONE_LINE}, {f"{PARTS}/debian.sources": DEB822}])
def test_apt(tmp_path: Path, files: Mapping[str, str]) -> None:
    place = apt(tmp_path, files)
    assert place.notes == []
    assert place.suites == ("trixie", "trixie-updates", "trixie-security")
    assert place.expects("trixie-security")
    assert not place.expects("trixie-backports")
    (source,) = place.sources("trixie")
    assert (source.base, source.components) == (MAIN, ("main", "contrib"))
    assert source.keyring.fingerprints == keyring(DEBIAN).fingerprints
    assert source.may_be_foreign
    assert addresses(place, "trixie-security") == [SECURITY]
    # What is not configured, of the same archives.
    assert addresses(place, "trixie-backports") == [MAIN]
    assert addresses(place, "bookworm-security") == [SECURITY]
    assert "apt" in place.description


def test_apt_without_security(tmp_path: Path) -> None:
    place = apt(tmp_path, {LIST: f"deb {MAIN} trixie main\n"})
    assert addresses(place, "trixie-security") == [f"({SECURITY})"]
    assert not place.expects("trixie-security")


def test_apt_with_an_archive_that_does_not_tell_it_is_of_security(tmp_path: Path) -> None:
    """The suite does: its address may be of any name."""
    line = "deb http://other.example.org/patches trixie-security main\n"
    place = apt(tmp_path, {LIST: f"deb {MAIN} trixie main\n{line}"})
    here = "http://other.example.org/patches"
    assert addresses(place, "trixie-security") == [here, f"({SECURITY})"]
    assert addresses(place, "bookworm-security") == [here]
    assert addresses(place, "bookworm") == [MAIN]


def test_several_mirrors_in_their_order(tmp_path: Path) -> None:
    place = apt(tmp_path, {LIST: f"deb http://a/debian trixie main\ndeb {MAIN} trixie main\n"})
    assert addresses(place, "trixie") == ["http://a/debian", MAIN]


@pytest.mark.parametrize(
    ("signer", "key"),
    [
        ("/keys/vendor.asc", None),
        (None, VENDOR.armoured.decode()),
    ],
)
def test_sources_of_other_vendors(tmp_path: Path, signer: str | None, key: str | None) -> None:
    value = signer or "\n" + "".join(f" {line or '.'}\n" for line in (key or "").split("\n"))
    text = (
        f"Types: deb\nURIs: http://vendor/apt\nSuites: stable\nComponents: main\nSigned-By: {value}"
    )
    place = apt(tmp_path, {LIST: ONE_LINE, f"{PARTS}/vendor.sources": text.rstrip() + "\n"})
    assert place.suites == ("trixie", "trixie-updates", "trixie-security")
    (note,) = place.notes
    assert note.endswith("vendor.sources:1: left out: it is not signed by Debian")
    # The name that it took is still that of a suite of Debian.
    assert addresses(place, "stable") == [MAIN]


def test_vendor_without_a_key_of_its_own(tmp_path: Path) -> None:
    """Whether it is one shows in its index; then Debian's own addresses are next."""
    place = apt(tmp_path, {LIST: f"deb http://vendor/apt stable main\n{ONE_LINE}"})
    assert addresses(place, "stable") == ["http://vendor/apt", f"({MAIN})"]
    assert all(row.may_be_foreign for row in place.sources("stable"))
    assert place.notes == []


def test_keys_by_fingerprint(tmp_path: Path) -> None:
    line = f"deb [signed-by={DEBIAN.fingerprint}!] {MAIN} trixie main\n"
    (source,) = apt(tmp_path, {LIST: line}).sources("trixie")
    assert source.keyring.fingerprints == {DEBIAN.fingerprint}
    # In a keyring file that has others, too.
    line = (
        f"deb [signed-by=/keys/debian.gpg,/keys/vendor.asc,{DEBIAN.fingerprint}] {MAIN} sid main\n"
    )
    (source,) = apt(tmp_path / "second", {LIST: line}).sources("sid")
    assert source.keyring.fingerprints == keyring(DEBIAN).fingerprints


@pytest.mark.parametrize(
    ("signer", "reason"),
    [
        ("/keys/none.gpg", "none.gpg cannot be read: No such file or directory"),
        (VENDOR.fingerprint, "has none of the keys"),
    ],
    # A key is another one in each process, and workers must have tests of the same names.
    ids=["file", "fingerprint"],
)
def test_keys_that_are_not_there(tmp_path: Path, signer: str, reason: str) -> None:
    place = apt(tmp_path, {LIST: f"deb [signed-by={signer}] {MAIN} trixie main\n"})
    assert place.suites == ()
    assert place.sources("trixie") == ()
    (note,) = place.notes
    assert f"{LIST}:1: left out: " in note
    assert reason in note


def test_mirror_of_a_company(tmp_path: Path) -> None:
    """Signed again with a key of its own, it counts once that key is given."""
    line = "deb [signed-by=/keys/vendor.asc] https://company/debian trixie main\n"
    assert apt(tmp_path, {LIST: line}).suites == ()
    place = apt(tmp_path, {LIST: line}, override=VENDOR)
    assert place.notes == []
    for suite in ("trixie", "trixie-security", "sid"):
        (source,) = place.sources(suite)
        assert source.keyring.fingerprints == keyring(VENDOR).fingerprints


def test_sources_pinned_to_a_state(tmp_path: Path) -> None:
    """Nothing of such an address is new, be it configured or not."""
    base = "http://snapshot.example.org/archive/debian/20240501T000000Z"
    line = f"deb [check-valid-until=no] {base} trixie main\n"
    place = apt(tmp_path, {LIST: f"{line}deb {SECURITY} trixie-security main\n"})
    assert [row.check_valid_until for row in place.sources("trixie")] == [False]
    assert [row.base for row in place.sources("trixie-updates")] == [base]
    assert [row.check_valid_until for row in place.sources("trixie-updates")] == [False]
    assert [row.check_valid_until for row in place.sources("trixie-security")] == [True]
    assert [row.check_valid_until for row in place.sources("bookworm-security")] == [True]


# The snapshot service.


@pytest.mark.parametrize(
    ("timestamp", "address", "pinned"),
    [
        ("20240501T000000Z", "20240501T000000Z", True),
        # The service may not have it yet.
        ("20260610T000000Z", "20260610T000000Z", False),
        ("20260603T115959Z", "20260603T115959Z", True),
        ("20260603T120000Z", "20260603T120000Z", False),
        ("20990101T000000Z", "20990101T000000Z", False),
        (None, "20260611T000000Z", False),
    ],
)
def test_states(timestamp: str | None, address: str, pinned: bool) -> None:
    service = Snapshot(OfflineFetcher(), "https://snapshot.test")
    place = SnapshotState(service, keyring(DEBIAN), NOW, timestamp)
    archives = {"trixie": "debian", "trixie-security": "debian-security"}
    for suite, archive in archives.items():
        (source,) = place.sources(suite)
        assert source.base == f"https://snapshot.test/archive/{archive}/{address}"
        assert source.pinned is pinned
        assert not source.check_valid_until
        # Its age is remembered from day to day where it is meant to be the newest.
        known_as = "" if timestamp else f"https://snapshot.test/archive/{archive}/newest"
        assert source.known_as == known_as
    assert place.suites == ()
    assert not place.expects("trixie-security")
    assert (timestamp or "newest state") in place.description
