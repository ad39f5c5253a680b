"""Kernels by release, flavour or package, and the programs beside them, in simulated archives."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final

import pytest

from rdcompose.archive.history import History
from rdcompose.archive.places import Mirrors
from rdcompose.archive.search import Archive
from rdcompose.archive.snapshot import Snapshot
from rdcompose.compose.kernelname import architecture_of_name
from rdcompose.compose.resolve import (
    kernels,
    resolve_kernel,
    resolve_program,
)
from rdcompose.errors import NotFoundError, TrustError
from rdcompose.kernel.release import architecture_by_name
from tests.support.accesses import Desk
from tests.support.archive import SimulatedArchive
from tests.support.archive_packages import package
from tests.support.server import ArchiveServer
from tests.support.signing import make_key
from tests.support.snapshot_service import SnapshotServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rdcompose.archive.search import Found
    from tests.support.archive import SuiteBuilder

KEY: Final = make_key()
AMD64: Final = architecture_by_name("amd64")
I386: Final = architecture_by_name("i386")
OLD, NEW = "6.1.0-43-cloud-amd64", "6.1.0-44-cloud-amd64"


class World:
    """Archives whose packages are names only, a service with old states, and a client."""

    def __init__(self, path: Path, server: ArchiveServer, service: SnapshotServer) -> None:
        self.main = SimulatedArchive(path / "mirror" / "debian", KEY)
        self.security = SimulatedArchive(path / "mirror" / "debian-security", KEY)
        self.server = server
        self.service = service
        self.desk = Desk(path / "cache", KEY)
        self.configured: tuple[str, ...] = ()
        self.bookworm = self.suite("bookworm", "stable")
        self.updates = self.security.security_suite("bookworm", suite="stable")
        self.updates.write()

    def suite(self, codename: str, name: str = "", **settings: Any) -> SuiteBuilder:
        settings.setdefault("architectures", ("amd64", "arm64", "i386"))
        suite = self.main.suite(codename, suite=name, **settings)
        suite.write()
        return suite

    def add(self, suite: SuiteBuilder, name: str, version: str, depends: str = "") -> None:
        """Put a package into a suite; a bare release or flavour is that of linux-image."""
        if not name.startswith(("linux-", "busybox")):
            name = f"linux-image-{name}"
        architecture = "i386" if "686" in name else "amd64"
        fields = {"Depends": depends} if depends else {}
        suite.add(package(name, version, architecture, {}, **fields))
        suite.write()

    def archive(self, **settings: Any) -> Archive:
        """Return the archive as another process sees it."""
        place = Place((f"{self.server.url}/debian",), self.desk.keyring)
        place.named[:] = self.configured
        return Archive(
            place,
            ("bookworm",),
            keyring=self.desk.keyring,
            access=self.desk.access(**settings),
            cancelled=threading.Event(),
        )

    def resolve(
        self, name: str, *, history: bool = False, architecture: str = "amd64"
    ) -> list[tuple[str, str, str]]:
        """Return package, version and suite of what is found."""
        archive = self.archive()
        past = None
        if history:
            past = History(Snapshot(archive.access.fetcher, self.service.url), archive)
        rows = resolve_kernel(name, architecture_by_name(architecture), archive, past)
        return [described(row) for row in rows]

    def refused(self, name: str, **settings: Any) -> NotFoundError:
        with pytest.raises(NotFoundError) as caught:
            self.resolve(name, **settings)
        assert "\n" not in caught.value.message
        return caught.value

    def asked(self) -> set[str]:
        """Return the suites whose indexes were fetched since the last time."""
        paths = self.server.paths("/*/dists/*/binary-*")
        self.server.requests.clear()
        return {path.split("/")[3] for path in paths}


class Place(Mirrors):
    """Mirrors with some suites that are configured."""

    named: list[str] = []  # noqa: RUF012

    @property
    def suites(self) -> tuple[str, ...]:
        return tuple(self.named)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with (
        ArchiveServer(tmp_path / "mirror") as server,
        SnapshotServer(tmp_path / "farm") as service,
    ):
        yield World(tmp_path, server, service)


def described(row: Found) -> tuple[str, str, str]:
    name = row.package.name.removeprefix("linux-image-")
    return name, row.package.version, row.suite.name


@pytest.mark.parametrize(
    ("name", "architecture"),
    [
        ("cloud-amd64", "amd64"),
        ("linux-image-cloud-amd64", "amd64"),
        ("6.1.0-44-cloud-amd64", "amd64"),
        ("linux-image-6.1.0-44-cloud-amd64-unsigned", "amd64"),
        ("6.12.57+deb13-armmp-lpae", "armhf"),
        ("686-pae", "i386"),
        ("own", None),
        ("6.1.0", None),
    ],
)
def test_architecture_that_a_name_tells(name: str, architecture: str | None) -> None:
    found = architecture_of_name(name)
    assert (None if found is None else found.name) == architecture


# Releases.


def test_release(world: World) -> None:
    world.add(world.bookworm, NEW, "6.1.164-1")
    assert world.resolve(NEW) == [(NEW, "6.1.164-1", "bookworm")]
    assert world.resolve(f"linux-image-{NEW}") == [(NEW, "6.1.164-1", "bookworm")]


def test_newest_version_of_a_release(world: World) -> None:
    world.add(world.bookworm, NEW, "6.1.164-1")
    world.add(world.updates, NEW, "6.1.164-2")
    world.add(world.bookworm, NEW, "6.1.164-1.1")
    assert world.resolve(NEW) == [(NEW, "6.1.164-2", "bookworm-security")]


def test_unsigned_twin(world: World) -> None:
    world.add(world.bookworm, f"{NEW}-unsigned", "6.1.165-1")
    assert world.resolve(NEW) == [(f"{NEW}-unsigned", "6.1.165-1", "bookworm")]
    # What is signed counts, be it older.
    world.add(world.bookworm, NEW, "6.1.164-1")
    assert world.resolve(NEW) == [(NEW, "6.1.164-1", "bookworm")]


def test_other_configured_suites_come_second(world: World) -> None:
    """What they have is fetched only if it is needed."""
    sid = world.suite("sid", "unstable")
    world.add(sid, NEW, "6.1.170-1")
    world.add(sid, "6.19-amd64", "6.19.1-1")
    world.add(world.bookworm, NEW, "6.1.164-1")
    world.configured = ("bookworm", "stable", "unstable")
    assert world.resolve(NEW) == [(NEW, "6.1.164-1", "bookworm")]
    assert world.asked() == {"bookworm"}
    assert world.resolve("6.19-amd64") == [("6.19-amd64", "6.19.1-1", "sid")]
    assert world.asked() == {"unstable"}


def test_likely_suites_are_asked_first(world: World) -> None:
    release = "6.17.8+deb13-amd64"
    world.add(world.suite("sid", "unstable"), "1-amd64", "1")
    world.add(world.suite("trixie", "testing"), "1-amd64", "1")
    world.add(world.suite("trixie-backports"), release, "6.17.8-1~bpo13+1")
    expected = [(release, "6.17.8-1~bpo13+1", "trixie-backports")]
    assert world.resolve(release) == expected
    assert world.asked() == {"trixie", "trixie-backports"}
    # Later it is known where it is.
    world.desk.cache.clean(unused_since=None)
    world.resolve(release)
    world.asked()
    assert world.resolve(release) == expected
    assert not world.server.paths("*/trixie/InRelease")


def test_last_of_all_suites(world: World) -> None:
    world.add(world.suite("rc-buggy", "experimental"), "9.9-rt-amd64-unsigned", "9.9~rc1-1")
    expected = [("9.9-rt-amd64-unsigned", "9.9~rc1-1", "rc-buggy")]
    assert world.resolve("9.9-rt-amd64") == expected
    assert world.resolve("9.9-rt-amd64") == expected


def test_suite_that_cannot_be_searched(world: World) -> None:
    world.server.fail("*/unstable/*", status=503)
    error = world.refused("9.9-amd64")
    assert "(unstable could not be searched; -v tells why)" in error.message


def test_own_suite_must_be_signed(world: World) -> None:
    world.bookworm.key = make_key("somebody else")
    world.bookworm.write()
    with pytest.raises(TrustError, match="bookworm/InRelease"):
        world.resolve(NEW)


# Releases that are gone.


def test_history(world: World) -> None:
    world.add(world.bookworm, OLD, "6.1.162-1")
    world.service.state("debian", "20240210T150000Z", world.main.directory)
    world.bookworm.remove(f"linux-image-{OLD}")
    world.bookworm.write()
    assert "snapshot" not in world.refused(OLD).message
    assert world.resolve(OLD, history=True) == [(OLD, "6.1.162-1", "bookworm")]
    world.service.requests.clear()
    assert world.resolve(OLD, history=True) == [(OLD, "6.1.162-1", "bookworm")]
    assert not world.service.paths("/mr/*")
    # Not without leave.
    world.refused(OLD)


def test_history_has_an_unsigned_twin(world: World) -> None:
    world.add(world.bookworm, f"{OLD}-unsigned", "6.1.162-1")
    world.service.state("debian", "20240210T150000Z", world.main.directory)
    world.bookworm.remove(f"linux-image-{OLD}-unsigned")
    world.bookworm.write()
    for _ in range(2):
        expected = [(f"{OLD}-unsigned", "6.1.162-1", "bookworm")]
        assert world.resolve(OLD, history=True) == expected


def test_history_never_had_it(world: World) -> None:
    assert "and the snapshot service never had it" in world.refused(OLD, history=True).message


def test_history_does_not_answer(world: World) -> None:
    world.service.fail("/mr/*", status=429)
    message = world.refused(OLD, history=True).message
    assert "; the snapshot service did not answer: cannot fetch " in message
    assert "429" in message


# Flavours.


def test_flavour(world: World) -> None:
    for release, version in ((OLD, "6.1.162-1"), (NEW, "6.1.164-1")):
        world.add(world.bookworm, release, version)
        depends = f"linux-image-{release} (= {version})"
        world.add(world.bookworm, "cloud-amd64", version, depends)
    assert world.resolve("cloud-amd64") == [(NEW, "6.1.164-1", "bookworm")]
    assert world.resolve("linux-image-cloud-amd64") == [(NEW, "6.1.164-1", "bookworm")]


@pytest.mark.parametrize("name", ["686-pae", "linux-image-686-pae", "686"])
def test_flavours_that_begin_with_a_digit(world: World, name: str) -> None:
    """They are no releases, and not looked for anywhere else."""
    flavour = name.removeprefix("linux-image-")
    sid = world.suite("sid", "unstable")
    release = f"6.19-{flavour}"
    world.add(sid, release, "6.19.1-1")
    world.add(sid, flavour, "6.19.1-1", f"linux-image-{release}")
    world.configured = ("unstable",)
    error = world.refused(name, architecture="i386")
    assert error.message.startswith(f"no kernel {flavour} for i386 in bookworm, bookworm-sec")
    assert "sid" not in error.message
    assert error.hint == "these suites have no kernels for i386: name another with --suite"
    release = f"6.1.0-44-{flavour}"
    world.add(world.bookworm, release, "6.1.164-1")
    world.add(world.bookworm, flavour, "6.1.164-1", f"linux-image-{release}")
    assert world.resolve(name, architecture="i386") == [(release, "6.1.164-1", "bookworm")]


def test_metapackage_ahead_of_its_kernel(world: World) -> None:
    world.add(world.bookworm, NEW, "6.1.164-1")
    world.add(world.updates, "cloud-amd64", "6.1.170-1", "linux-image-6.1.0-45-cloud-amd64")
    assert world.resolve("cloud-amd64") == [(NEW, "6.1.164-1", "bookworm")]


def test_metapackage_with_alternatives(world: World) -> None:
    world.add(world.bookworm, NEW, "6.1.164-1")
    depends = f"linux-base, linux-image-{NEW} (= 6.1.164-1) | linux-image-x"
    world.add(world.bookworm, "cloud-amd64", "6.1.164-1", depends)
    assert world.resolve("cloud-amd64") == [(NEW, "6.1.164-1", "bookworm")]


def test_metapackage_that_was_renamed(world: World) -> None:
    world.add(world.bookworm, NEW, "6.1.164-1")
    world.add(world.bookworm, "cloud-amd64", "6.1.164-1", f"linux-image-{NEW}")
    world.add(world.bookworm, "tiny-amd64", "6.1.164-1", "linux-image-cloud-amd64")
    assert world.resolve("tiny-amd64") == [(NEW, "6.1.164-1", "bookworm")]


def test_metapackages_in_a_circle(world: World) -> None:
    world.add(world.bookworm, "a-amd64", "1", "linux-image-b-amd64")
    world.add(world.bookworm, "b-amd64", "1", "linux-image-a-amd64")
    world.refused("a-amd64")


def test_flavour_without_metapackage(world: World) -> None:
    world.add(world.bookworm, "6.1.0-9-rt-amd64", "6.1.30-1")
    world.add(world.updates, "6.1.0-10-rt-amd64-unsigned", "6.1.40-1")
    world.add(world.updates, "6.1.0-11-amd64", "6.1.50-1")
    expected = [("6.1.0-10-rt-amd64-unsigned", "6.1.40-1", "bookworm-security")]
    assert world.resolve("rt-amd64") == expected


# Kernels in several packages.


def split(world: World, suite: SuiteBuilder, release: str, version: str) -> list[str]:
    parts = [f"linux-{part}-{release}" for part in ("base", "binary", "modules")]
    for name in parts:
        world.add(suite, name, version)
        world.add(suite, name, f"{version}.1")
    depends = ", ".join(f"{name} (= {version})" for name in parts)
    world.add(suite, release, version, depends)
    return parts


def test_parts(world: World) -> None:
    parts = split(world, world.bookworm, "7.2-amd64", "7.2-1")
    assert world.resolve("7.2-amd64") == [
        ("7.2-amd64", "7.2-1", "bookworm"),
        *((name, "7.2-1", "bookworm") for name in parts),
    ]


def test_part_that_is_missing(world: World) -> None:
    parts = split(world, world.bookworm, "7.2-amd64", "7.2-1")
    world.bookworm.remove(parts[1])
    world.add(world.bookworm, parts[1], "7.2-2")
    error = world.refused("7.2-amd64")
    assert f"7.2-1 of bookworm needs {parts[1]} of the same version" in error.message


def test_part_that_no_state_has(world: World) -> None:
    parts = split(world, world.bookworm, "7.2-amd64", "7.2-1")
    world.bookworm.remove(parts[1])
    world.bookworm.write()
    world.service.state("debian", "20240210T150000Z", world.main.directory)
    world.bookworm.remove("linux-image-7.2-amd64")
    world.bookworm.write()
    error = world.refused("7.2-amd64", history=True)
    assert error.message.endswith(f"needs {parts[1]} of the same version, which is not there")
    assert error.hint is not None


def test_list(world: World) -> None:
    split(world, world.bookworm, "7.2-amd64", "7.2-1")
    world.add(world.bookworm, NEW, "6.1.164-1")
    world.add(world.bookworm, f"{NEW}-unsigned", "6.1.164-1")
    world.add(world.bookworm, f"{NEW}-dbg", "6.1.164-1")
    world.add(world.bookworm, "6.1.0-44-amd64", "6.1.164-1")
    world.add(world.bookworm, "6.1.0-45-amd64-unsigned", "6.1.165-1")
    world.add(world.bookworm, "cloud-amd64", "6.1.164-1", f"linux-image-{NEW}")
    world.add(world.bookworm, "686-pae", "6.1.164-1", "linux-image-6.1.0-44-686-pae")
    world.add(world.updates, NEW, "6.1.164-1")
    rows = kernels(world.archive().family("bookworm", "amd64"), "amd64")
    assert [(row.release, row.found.suite.name) for row in rows] == [
        ("7.2-amd64", "bookworm"),
        ("6.1.0-45-amd64", "bookworm"),
        ("6.1.0-44-amd64", "bookworm"),
        (NEW, "bookworm"),
        (NEW, "bookworm-security"),
    ]
    sizes = {path.name: path.stat().st_size for path in world.main.directory.rglob("*.deb")}
    whole = [name for name in sizes if "_7.2-1_" in name]
    assert len(whole) == 4
    assert rows[0].size == sum(sizes[name] for name in whole)
    assert rows[3].size == sizes[f"linux-image-{NEW}_6.1.164-1_amd64.deb"]
    assert kernels(world.archive().family("bookworm", "amd64"), "i386") == []


# What there is instead.


def test_names_that_may_be_meant(world: World) -> None:
    for number in range(40, 46):
        world.add(world.bookworm, f"6.1.0-{number}-cloud-amd64", f"6.1.{number}-1")
    error = world.refused("6.1.0-41-cloud-amd46")
    assert error.message.startswith("no kernel 6.1.0-41-cloud-amd46 for amd64 in bookworm, book")
    assert f"of {world.server.url}/debian, nor in the archive's other suites" in error.message
    assert error.hint is not None
    assert "6.1.0-41-cloud-amd64" in error.hint
    assert error.hint.count("6.1.0-") == 4
    # Nothing is like it: the newest.
    hint = "available here: " + ", ".join(f"6.1.0-{n}-cloud-amd64" for n in (45, 44, 43, 42))
    assert world.refused("xyz").hint == hint
    assert "6.1.0-45-cloud-amd64, " in str(world.refused("cloud-amd46").hint)
    assert str(world.refused("cloud-amd46").hint).endswith(", cloud-amd64")


# Programs.


def program(world: World, suite: str) -> tuple[str, str, str]:
    return described(resolve_program("busybox-static", suite, "amd64", world.archive()))


def test_programs(world: World) -> None:
    trixie = world.suite("trixie", "testing")
    world.add(trixie, "busybox-static", "1:1.37")
    world.add(world.bookworm, "busybox-static", "1:1.35-1")
    world.add(world.updates, "busybox-static", "1:1.35-1+deb12u1")
    security = ("busybox-static", "1:1.35-1+deb12u1", "bookworm-security")
    assert program(world, "bookworm-backports") == security
    assert program(world, "stable") == security
    assert program(world, "trixie-proposed-updates") == ("busybox-static", "1:1.37", "trixie")
    # That release is not there: the suite asked for does.
    assert program(world, "buster/updates") == security


def test_program_that_only_the_suite_asked_for_has(world: World) -> None:
    world.suite("trixie", "testing")
    world.add(world.bookworm, "busybox-static", "1")
    assert program(world, "trixie") == ("busybox-static", "1", "bookworm")


def test_no_program(world: World) -> None:
    with pytest.raises(NotFoundError) as caught:
        program(world, "buster")
    message = caught.value.message
    assert message.startswith("no package busybox-static for amd64 in http")
    assert "no suite buster in " in message
    assert message.endswith("; bookworm has none")
    assert caught.value.hint == "give the program, or 'none', with --busybox"


def test_kernel_of_an_old_state_tells_the_release_of_then(world: World) -> None:
    """Then it was stable, which is another release today."""
    old = world.suite("bullseye-proposed-updates", "stable-proposed-updates")
    world.add(old, OLD, "5.99-1")
    world.service.state("debian", "20240110T150000Z", world.main.directory)
    archive = world.archive(now=world.desk.access().now.replace(year=2026))
    history = History(Snapshot(archive.access.fetcher, world.service.url), archive)
    found = history.find(f"linux-image-{OLD}", "amd64")
    assert found is not None
    assert found.suite.source.suite == "stable-proposed-updates"
    assert found.suite.name_today == "bullseye-proposed-updates"
    (today,) = archive.suites(["stable"], "amd64")
    assert today.name_today == "stable"
