"""Packages that have left the mirrors, found in states that the snapshot service has."""

from __future__ import annotations

import datetime
import threading
from typing import TYPE_CHECKING, Any, Final

import pytest

from rdcompose.archive.history import History
from rdcompose.archive.places import Mirrors
from rdcompose.archive.search import Archive
from rdcompose.archive.snapshot import Snapshot
from rdcompose.errors import FetchError, TrustError
from tests.support.accesses import Desk
from tests.support.archive import SimulatedArchive
from tests.support.archive_packages import package
from tests.support.signing import make_key
from tests.support.snapshot_service import SnapshotServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rdcompose.archive.search import Found
    from tests.support.archive import SuiteBuilder

KEY: Final = make_key()
OTHER: Final = make_key("somebody else")
NAME: Final = "linux-image-6.1.0-18-amd64"
VERSION: Final = "6.1.76-1"
START: Final = datetime.datetime(2024, 3, 1, 3, tzinfo=datetime.UTC)
HOUR: Final = datetime.timedelta(hours=1)


class Past:
    """Two archives that change, and the service that keeps their states."""

    def __init__(self, path: Path, service: SnapshotServer) -> None:
        self.main = SimulatedArchive(path / "debian", KEY)
        self.security = SimulatedArchive(path / "debian-security", KEY)
        self.service = service
        self.desk = Desk(path / "cache", KEY)

    def suite(self, codename: str, name: str = "", **settings: Any) -> SuiteBuilder:
        """Write a suite of the main archive that is empty yet."""
        suite = self.main.suite(codename, suite=name, **settings)
        suite.write()
        return suite

    def security_suite(self, codename: str) -> SuiteBuilder:
        suite = self.security.security_suite(codename)
        suite.write()
        return suite

    def state(self, hours: float = 0) -> None:
        """Keep both archives as they are now, so many hours after the start."""
        moment = f"{START + hours * HOUR:%Y%m%dT%H%M%SZ}"
        for archive in (self.main, self.security):
            if archive.directory.exists():
                self.service.state(archive.directory.name, moment, archive.directory)

    def history(self, **settings: Any) -> History:
        """Return the history as another process sees it."""
        settings.setdefault("now", START + 1000 * HOUR)
        access = self.desk.access(**settings)
        archive = Archive(
            Mirrors((), self.desk.keyring),
            ("bookworm",),
            keyring=self.desk.keyring,
            access=access,
            cancelled=threading.Event(),
        )
        return History(Snapshot(access.fetcher, self.service.url), archive)

    def find(self, **settings: Any) -> tuple[str, str, str] | None:
        """Return version, suite and moment of what is found."""
        return where(self.history(**settings).find(NAME, "amd64"))

    def asked(self) -> list[str]:
        """Return which signed indexes were asked for since the last time, with the days."""
        paths = [path.split("/") for path in self.service.paths("/archive/*/InRelease")]
        self.service.requests.clear()
        return [f"{path[3][:8]} {'/'.join(path[5:-1])}" for path in paths]


def kernel(version: str = VERSION, name: str = NAME) -> bytes:
    return package(name, version, "amd64", {}, Source="linux-signed-amd64")


def where(found: Found | None) -> tuple[str, str, str] | None:
    if found is None:
        return None
    moment = found.suite.source.base.rpartition("/")[2]
    assert found.suite.verified
    return found.package.version, found.suite.name, moment


@pytest.fixture
def past(tmp_path: Path) -> Iterator[Past]:
    with SnapshotServer(tmp_path / "farm") as service:
        yield Past(tmp_path, service)


def test_index_hours_behind_the_pool(past: Past) -> None:
    past.main.store(kernel(), "main")
    past.suite("bookworm", "stable")
    past.state()
    suite = past.main.suite("bookworm", suite="stable")
    suite.add(kernel())
    suite.write()
    past.state(20)
    # The index of the next day has it.
    assert past.find() == (VERSION, "bookworm", "20240302T030000Z")


def test_index_weeks_behind_the_pool(past: Past) -> None:
    """A kernel waits in proposed-updates for the point release, whose index may be signed late."""
    past.main.store(kernel(), "main")
    past.suite("bookworm", "stable")
    past.state()
    suite = past.main.suite("bookworm", suite="stable")
    suite.add(kernel())
    suite.write()
    past.state(29 * 24)
    assert past.find(now=START + 20 * 24 * HOUR) is None
    assert past.find() == (VERSION, "bookworm", "20240331T030000Z")


@pytest.mark.parametrize(
    ("codename", "version", "expected"),
    [
        ("bookworm-proposed-updates", VERSION, "bookworm-proposed-updates"),
        ("bookworm-updates", VERSION, "bookworm-updates"),
        ("bookworm-backports", "6.12.9-1~bpo12+1", "bookworm-backports"),
        ("bookworm-backports-sloppy", "6.12.9-1~bpo12+1", "bookworm-backports-sloppy"),
        ("sid", "6.7.1-1~exp1", "sid"),
        ("sid", VERSION, "sid"),
        ("rc-buggy", "6.8.1-1~exp1", "rc-buggy"),
        ("stable", "7.9.9-1", "stable"),
        ("oldstable", "7.9.9-1", "oldstable"),
    ],
)
def test_suites_of_the_main_archive(past: Past, codename: str, version: str, expected: str) -> None:
    classes = {"sid": "unstable", "rc-buggy": "experimental"}
    suite = past.suite(codename, classes.get(codename, codename.replace("bookworm", "stable")))
    suite.add(kernel(version))
    suite.write()
    past.state()
    assert past.find() == (version, expected, "20240301T030000Z")


@pytest.mark.parametrize("version", ["5.10.200-1", "7.9.9-1"])
def test_security_suites_since_debian_11(past: Past, version: str) -> None:
    suite = past.security_suite("bullseye")
    suite.add(kernel(version))
    suite.write()
    past.state()
    assert past.find() == (version, "bullseye-security", "20240301T030000Z")


def test_security_suites_before_debian_11(past: Past) -> None:
    suite = past.security.suite("buster", suite="oldoldstable", components=("updates/main",))
    suite.add(kernel("4.19.304-1"))
    suite.write()
    # There, what is served as buster/updates says that it is buster.
    (past.security.directory / "dists/buster/updates").unlink()
    (past.security.directory / "dists/buster").rename(past.security.directory / "dists/updates")
    (past.security.directory / "dists/buster").mkdir()
    (past.security.directory / "dists/updates").rename(
        past.security.directory / "dists/buster/updates"
    )
    past.state()
    assert past.find() == ("4.19.304-1", "buster/updates", "20240301T030000Z")


def test_file_in_two_archives(past: Past) -> None:
    """The indexes of the security archive are small: they come first."""
    main = past.suite("bookworm-proposed-updates", "proposed-updates")
    security = past.security_suite("bookworm")
    for suite in (main, security):
        suite.add(kernel())
        suite.write()
    past.state()
    assert past.find() == (VERSION, "bookworm-security", "20240301T030000Z")
    assert past.asked() == ["20240301 bookworm-security"]


def test_file_in_the_other_archive_only(past: Past) -> None:
    """Its pool has it, but none of its indexes."""
    past.security.store(kernel(), "updates/main")
    past.security_suite("bookworm")
    suite = past.suite("bookworm", "stable")
    suite.add(kernel())
    suite.write()
    past.state()
    assert past.find() == (VERSION, "bookworm", "20240301T030000Z")


def test_archives_of_others_are_not_looked_in(past: Past) -> None:
    ports = SimulatedArchive(past.main.directory.parent / "debian-ports", KEY)
    suite = ports.suite("sid", suite="unstable")
    suite.add(kernel())
    suite.write()
    past.service.state("debian-ports", "20240301T030000Z", ports.directory)
    assert past.find() is None
    assert past.asked() == []


def test_newest_of_several_versions(past: Past) -> None:
    suite = past.suite("bookworm", "stable")
    for number, version in enumerate(("6.1.76-1", "6.1.76-2", "6.1.76-10", "6.1.76-9")):
        suite.remove(NAME)
        suite.add(kernel(version))
        suite.write()
        past.state(24 * number)
    assert past.find() == ("6.1.76-10", "bookworm", "20240303T030000Z")


def test_earlier_version_where_the_newest_is_missing(past: Past) -> None:
    suite = past.suite("bookworm", "stable")
    suite.add(kernel())
    suite.write()
    past.state()
    past.main.store(kernel("6.1.76-2"), "main")
    past.state(24)
    assert past.find() == (VERSION, "bookworm", "20240301T030000Z")


def test_not_every_version_is_tried(past: Past) -> None:
    suite = past.suite("bookworm", "stable")
    suite.add(kernel())
    suite.write()
    past.state()
    for number in range(2, 5):
        past.main.store(kernel(f"6.1.76-{number}"), "main")
    past.state(24)
    assert past.find() is None


def test_unknown_package(past: Past) -> None:
    assert past.find() is None
    assert past.history().find("../x", "amd64") is None
    assert past.asked() == []


def test_other_architecture(past: Past) -> None:
    suite = past.suite("bookworm", "stable")
    suite.add(kernel())
    suite.write()
    past.state()
    assert past.history().find(NAME, "arm64") is None
    assert past.asked() == []


def test_state_in_the_future(past: Past) -> None:
    """A service whose clock is ahead, or whoever says he is it."""
    suite = past.suite("bookworm", "stable")
    suite.add(kernel())
    suite.write()
    past.state(48)
    assert past.find(now=START) is None
    assert past.asked() == []


def test_unsigned_state(past: Past) -> None:
    suite = past.suite("bookworm", "stable")
    suite.key = None
    suite.add(kernel())
    suite.write()
    past.state()
    assert past.find() is None
    found = past.history(allow_unverified=True).find(NAME, "amd64")
    assert found is not None
    assert not found.suite.verified


def test_state_that_somebody_else_signed(past: Past) -> None:
    suite = past.suite("bookworm", "stable")
    suite.key = OTHER
    suite.add(kernel())
    suite.write()
    past.state()
    with pytest.raises(TrustError, match="bookworm/InRelease: it is signed by"):
        past.find()


def test_old_states_have_expired(past: Past) -> None:
    suite = past.suite("bookworm", "stable", valid_until=START)
    suite.add(kernel())
    suite.write()
    past.state()
    assert past.find() is not None
    # Also those of the last days.
    past.desk.cache.clean()
    assert past.find(now=START + HOUR) is not None


def test_busy_service(past: Past) -> None:
    suite = past.suite("bookworm", "stable")
    suite.add(kernel())
    suite.write()
    past.state()
    busy = past.service.fail("/mr/*", status=429, times=3, headers={"Retry-After": "1"})
    past.service.fail("*/bookworm/InRelease", status=429, times=2)
    assert past.find() == (VERSION, "bookworm", "20240301T030000Z")
    assert busy.hits == 3
    past.service.fail("/mr/*", status=429)
    with pytest.raises(FetchError, match="429"):
        past.find()


def test_what_was_found_is_remembered(past: Past) -> None:
    suite = past.suite("bookworm", "stable")
    suite.add(kernel())
    suite.write()
    past.state()
    assert past.history().recall(NAME, "amd64") is None
    expected = past.find()
    past.service.requests.clear()
    for offline in (False, True):
        recalled = past.history(offline=offline).recall(NAME, "amd64")
        assert where(recalled) == expected
        # Such a state does not change: what is in the cache is enough.
        assert past.service.requests == []
    with pytest.raises(FetchError, match="--offline"):
        past.find(offline=True)
    # The name of the service is not part of it, nor is a password.
    files = (path for path in past.desk.directory.rglob("documents/*") if path.is_file())
    (note,) = (path for path in files if b"state of" in path.read_bytes())
    assert b"127.0.0.1" not in note.read_bytes()


def test_what_was_found_is_gone(past: Past) -> None:
    suite = past.suite("bookworm", "stable")
    suite.add(kernel())
    suite.write()
    past.state()
    past.find()
    (entry,) = past.desk.cache.entries()
    past.desk.cache.remove(entry.sha256)
    assert past.history(offline=True).recall(NAME, "amd64") is None
    assert past.history().recall(NAME, "amd64") is not None


def test_recent_state_may_become_another(past: Past) -> None:
    """The service did not have the next day's state yet when it was asked."""
    past.main.store(kernel(), "main")
    past.suite("bookworm", "stable")
    past.state()
    now = START + 25 * HOUR
    assert past.find(now=now) is None
    suite = past.main.suite("bookworm", suite="stable", date=START + 20 * HOUR)
    suite.add(kernel())
    suite.write()
    past.state(20)
    assert past.find(now=now) == (VERSION, "bookworm", "20240302T030000Z")
