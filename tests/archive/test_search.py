"""Suites of a place, opened once and searched; what is left out, and what is remembered."""

from __future__ import annotations

import datetime
import threading
from typing import TYPE_CHECKING, Any, Final

import pytest

from rdcompose.archive.places import Mirrors
from rdcompose.archive.search import Archive, Found, newest
from rdcompose.archive.trust import Keyring
from rdcompose.errors import FetchError, NotFoundError, OutputError, TrustError
from tests.support.accesses import Desk
from tests.support.archive import DATE, SimulatedArchive
from tests.support.archive_packages import package
from tests.support.server import ArchiveServer
from tests.support.signing import make_key

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from rdcompose.archive.places import Place
    from rdcompose.archive.repository import Suite
    from tests.support.archive import SuiteBuilder

KEY: Final = make_key()
OTHER: Final = make_key("somebody else")


class World:
    """A main and a security archive, served, and a client of them."""

    def __init__(self, path: Path, server: ArchiveServer) -> None:
        self.main = SimulatedArchive(path / "mirror" / "debian", KEY)
        self.security = SimulatedArchive(path / "mirror" / "debian-security", KEY)
        self.server = server
        self.desk = Desk(path / "cache", KEY)
        self.bookworm = self.add(self.main.suite("bookworm", suite="stable"), "1.0")
        self.updates = self.add(self.security.security_suite("bookworm", suite="stable"), "1.1")
        self.sid = self.add(self.main.suite("sid", suite="unstable"), "3.0")

    def add(self, suite: SuiteBuilder, *versions: str) -> SuiteBuilder:
        for version in versions:
            suite.add(package("hello", version, "amd64", {}))
        suite.write()
        return suite

    def place(self, *names: str) -> Mirrors:
        urls = tuple(f"{self.server.url}/{name}" for name in names or ("debian",))
        return Mirrors(urls, self.desk.keyring)

    def archive(self, *suites: str, place: Place | None = None, **settings: Any) -> Archive:
        """Return the archive as another process sees it."""
        return Archive(
            place or self.place(),
            suites or ("bookworm",),
            keyring=self.desk.keyring,
            access=self.desk.access(**settings),
            cancelled=threading.Event(),
        )

    def asked(self) -> list[str]:
        """Return which signed indexes were asked for since the last time."""
        found = [path.split("/dists/")[1] for path in self.server.paths("*/InRelease")]
        self.server.requests.clear()
        return sorted(path.removesuffix("/InRelease") for path in found)


class Configured(Mirrors):
    """Mirrors of which it is said what they have, as apt's sources say it."""

    @property
    def suites(self) -> tuple[str, ...]:
        return ("sid", "stable", "bookworm-security", "trixie", "bookworm-updates")

    def expects(self, suite: str) -> bool:
        return suite in self.suites


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with ArchiveServer(tmp_path / "mirror") as server:
        yield World(tmp_path, server)


def names(suites: Sequence[Suite] | Iterator[Suite]) -> list[str]:
    return [suite.name for suite in suites]


def found(result: Found | None) -> tuple[str, str] | None:
    return None if result is None else (result.package.version, result.suite.name)


def test_family(world: World) -> None:
    archive = world.archive()
    assert names(archive.family("bookworm", "amd64")) == ["bookworm", "bookworm-security"]
    assert world.asked() == ["bookworm", "bookworm-security", "bookworm-updates"]
    # All is opened once.
    assert names(archive.family("bookworm", "amd64")) == ["bookworm", "bookworm-security"]
    assert names(archive.family("bookworm", "arm64")) == ["bookworm", "bookworm-security"]
    assert world.asked() == []
    assert world.desk.warnings == []


def test_newest_over_suites(world: World) -> None:
    suites = world.archive().family("bookworm", "amd64")
    assert found(newest("hello", "amd64", suites)) == ("1.1", "bookworm-security")
    assert newest("goodbye", "amd64", suites) is None
    world.add(world.bookworm, "1.1")
    result = newest("hello", "amd64", world.archive().family("bookworm", "amd64"))
    # Of equal ones the first.
    assert found(result) == ("1.1", "bookworm")
    assert result is not None
    assert result.file == "hello_1.1_amd64.deb"
    assert result.url == f"{world.server.url}/debian/pool/main/h/hello/hello_1.1_amd64.deb"


@pytest.mark.parametrize("suite", ["trixie", "nonsense"])
def test_no_such_suite(world: World, suite: str) -> None:
    with pytest.raises(NotFoundError) as caught:
        world.archive().family(suite, "amd64")
    where = f"{world.server.url}/debian"
    assert caught.value.message.startswith(f"no suite {suite} in {where}: cannot fetch {where}")
    assert "404" in caught.value.message
    assert caught.value.hint == "name another with --suite"


def test_no_such_suite_without_a_network(world: World) -> None:
    with pytest.raises(NotFoundError) as caught:
        world.archive(offline=True).family("bookworm", "amd64")
    assert caught.value.hint == "run once without --offline"


def test_no_address_for_a_suite(world: World) -> None:
    place = world.place("debian-security")
    with pytest.raises(NotFoundError, match="has none"):
        world.archive(place=place).family("bookworm", "amd64")


def test_security_suite_that_is_missing_where_it_was_named(world: World) -> None:
    """Whoever answers 404 in its place takes the newest kernels away: that is told."""
    world.server.fail("*/bookworm-security/*", status=404)
    named = world.archive(place=world.place("debian", "debian-security"))
    assert names(named.family("bookworm", "amd64")) == ["bookworm"]
    (warning,) = world.desk.warnings
    assert "newer versions may be there: bookworm-security: " in warning
    assert "404" in warning
    # Nobody said that it is beside the main archive.
    guessed = world.archive()
    assert names(guessed.family("bookworm", "amd64")) == ["bookworm"]
    assert len(world.desk.warnings) == 1


def test_suite_beside_that_cannot_be_fetched(world: World) -> None:
    world.server.fail("*/bookworm-security/*", status=503)
    archive = world.archive(place=world.place("debian", "debian-security"))
    for _ in range(2):
        assert names(archive.family("bookworm", "amd64")) == ["bookworm"]
    assert len(world.desk.warnings) == 1
    assert "503" in world.desk.warnings[0]
    assert list(archive.left_out) == ["bookworm-security"]


def test_guessed_address_that_does_not_answer(world: World) -> None:
    world.server.fail("/debian-security/*", status=503)
    assert names(world.archive().family("bookworm", "amd64")) == ["bookworm"]
    assert world.desk.warnings == []


def test_next_mirror(world: World) -> None:
    world.server.fail("/first/*", status=503)
    archive = world.archive(place=world.place("first", "debian"))
    assert "bookworm" in names(archive.family("bookworm", "amd64"))


def test_a_broken_mirror_is_not_passed_over(world: World) -> None:
    """Else whoever can alter what one mirror says could choose which one is used."""
    evil = SimulatedArchive(world.server.directory / "evil", OTHER)
    evil.suite("bookworm", suite="stable").write()
    archive = world.archive(place=world.place("evil", "debian"))
    with pytest.raises(TrustError, match="no such key"):
        archive.family("bookworm", "amd64")


@pytest.mark.parametrize("pattern", ["*/bookworm/InRelease", "*/bookworm/main/*"])
def test_suite_that_cannot_be_fetched(world: World, pattern: str) -> None:
    world.server.fail(pattern, status=503)
    with pytest.raises(FetchError, match="503"):
        world.archive().family("bookworm", "amd64")


def test_security_suite_that_is_not_signed_as_it_must_be(world: World) -> None:
    world.updates.key = OTHER
    world.updates.write()
    with pytest.raises(TrustError, match="bookworm-security/InRelease"):
        world.archive().family("bookworm", "amd64")


@pytest.mark.parametrize(
    ("asked", "expected", "requests"),
    [
        (("bookworm",), "bookworm", []),
        (("sid", "stable"), "sid", ["sid"]),
        (("trixie", "stable"), "stable", ["trixie"]),
        (("trixie", "forky", "sid"), "sid", ["forky", "trixie"]),
    ],
)
def test_first_suite_that_exists(
    world: World, asked: tuple[str, ...], expected: str, requests: list[str]
) -> None:
    archive = world.archive(*asked)
    assert archive.suite == expected
    assert archive.suite == expected
    assert world.asked() == requests


def test_suite_that_is_broken_exists(world: World) -> None:
    world.sid.key = OTHER
    world.sid.write()
    assert world.archive("sid", "stable").suite == "sid"


def test_other_suites(world: World) -> None:
    archive = world.archive()
    asked = ("stable", "trixie", "bookworm", "unstable", "sid", "stable")
    assert names(archive.suites(asked, "amd64")) == ["bookworm", "sid"]
    assert world.asked() == ["bookworm", "sid", "stable", "trixie", "unstable"]
    # Of each suite one index.
    assert len(world.desk.cache.entries()) == 2
    assert archive.left_out == {}
    known = archive.family("bookworm", "amd64")
    assert names(archive.suites(asked, "amd64", known=known)) == ["sid"]


def test_indexes_are_fetched_in_their_turn(world: World) -> None:
    suites = world.archive().suites(("bookworm", "sid"), "amd64")
    assert next(suites).name == "bookworm"
    assert not world.server.paths("*/sid/main/*")
    assert next(suites).name == "sid"
    assert world.server.paths("*/sid/main/*")


@pytest.mark.parametrize("pattern", ["*/sid/InRelease", "*/sid/main/*"])
def test_other_suites_that_cannot_be_used(world: World, pattern: str) -> None:
    world.server.fail(pattern, status=503)
    archive = world.archive()
    assert names(archive.suites(("sid", "bookworm"), "amd64")) == ["bookworm"]
    assert list(archive.left_out) == ["sid"]
    assert "503" in archive.left_out["sid"]


def test_configured_suites(world: World) -> None:
    place = Configured((f"{world.server.url}/debian",), world.desk.keyring)
    archive = world.archive(place=place)
    expected = ["bookworm", "bookworm-security", "sid"]
    assert names(archive.configured("amd64")) == expected
    # One is not in its suite any more.
    (warning,) = world.desk.warnings
    assert "bookworm-updates" in warning


def test_full_disk_is_no_missing_suite(world: World, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.touch()
    world.desk = Desk(blocked / "cache", KEY)
    for action in (
        lambda: world.archive().family("bookworm", "amd64"),
        lambda: list(world.archive().suites(("sid",), "amd64")),
    ):
        with pytest.raises(OutputError, match="cannot use the cache"):
            action()


def test_disk_that_gets_full_at_an_index(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OutputError("full")

    monkeypatch.setattr("rdcompose.archive.cache.Cache.obtain", fail)
    with pytest.raises(OutputError, match="full"):
        list(world.archive().suites(("sid",), "amd64"))


def test_what_was_found_is_remembered(world: World) -> None:
    archive = world.archive()
    assert archive.recall("hello", "amd64") is None
    result = newest("hello", "amd64", archive.suites(["unstable"], "amd64"))
    assert result is not None
    archive.remember(result)
    world.asked()
    later = world.archive()
    assert found(later.recall("hello", "amd64")) == ("3.0", "sid")
    assert world.asked() == ["unstable"]
    assert later.recall("hello", "arm64") is None
    assert found(world.archive(offline=True).recall("hello", "amd64")) == ("3.0", "sid")
    # It is only where to look: what is not there is not there.
    world.sid.remove("hello")
    world.sid.date = DATE + datetime.timedelta(hours=1)
    world.sid.write()
    assert world.archive().recall("hello", "amd64") is None


def test_what_was_found_must_be_signed_today(world: World) -> None:
    archive = world.archive()
    result = newest("hello", "amd64", archive.suites(["sid"], "amd64"))
    assert result is not None
    archive.remember(result)
    world.desk.keyring = Keyring.from_bytes(OTHER.certificate, "another")
    later = world.archive()
    assert later.recall("hello", "amd64") is None
    assert "no such key" in later.left_out["sid"]


def test_further_components(world: World) -> None:
    suite = world.main.suite("trixie", components=("main", "non-free-firmware"))
    suite.add(package("hello", "1.0", "amd64", {}))
    suite.add(package("hello", "2.0", "amd64", {}), "non-free-firmware")
    suite.write()
    archive = world.archive("trixie")
    also = ("non-free-firmware", "restricted")  # which no suite has
    suites = archive.family("trixie", "amd64")
    assert found(newest("hello", "amd64", suites)) == ("1.0", "trixie")
    assert not world.server.paths("*/non-free-firmware/*")
    suites = archive.family("trixie", "amd64", also)
    assert found(newest("hello", "amd64", suites, also)) == ("2.0", "trixie")
    assert found(newest("hello", "amd64", suites)) == ("1.0", "trixie")
