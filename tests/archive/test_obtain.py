"""Packages as files: from the archive, the snapshot service or the cache, by their digests."""

from __future__ import annotations

import dataclasses
import hashlib
import threading
from typing import TYPE_CHECKING, Final

import pytest

from rdcompose.archive.obtain import Wanted, obtain_found, obtain_wanted
from rdcompose.archive.places import Mirrors
from rdcompose.archive.search import Archive, newest
from rdcompose.archive.snapshot import Snapshot
from rdcompose.errors import FetchError, NotFoundError, TrustError
from tests.support.accesses import Desk
from tests.support.archive import SimulatedArchive
from tests.support.archive_packages import package
from tests.support.server import ArchiveServer
from tests.support.signing import make_key
from tests.support.snapshot_service import SnapshotServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.archive import PoolFile

KEY: Final = make_key()
VERSION: Final = "1.0+b1"
STATE: Final = "20240210T150000Z"


class Store:
    """An archive with one package, served, and a snapshot service beside it."""

    def __init__(self, path: Path, server: ArchiveServer, service: SnapshotServer) -> None:
        self.main = SimulatedArchive(path / "mirror" / "debian", KEY)
        suite = self.main.suite("bookworm")
        self.deb = package("hello", VERSION, "amd64", {"usr/bin/hello": bytes(3000)})
        self.file: PoolFile = suite.add(self.deb)
        suite.write()
        self.server = server
        self.service = service
        self.desk = Desk(path / "cache", KEY)
        self.mirrors = [f"{server.url}/debian"]

    def archive(self, *, offline: bool = False) -> Archive:
        return Archive(
            Mirrors(tuple(self.mirrors), self.desk.keyring),
            ("bookworm",),
            keyring=self.desk.keyring,
            access=self.desk.access(offline=offline),
            cancelled=threading.Event(),
        )

    @property
    def wanted(self) -> Wanted:
        """All that a manifest says of the package."""
        return Wanted(
            file="hello_1.0+b1_amd64.deb",
            sha256=hashlib.sha256(self.deb).hexdigest(),
            size=len(self.deb),
            package="hello",
            version=VERSION,
            architecture="amd64",
            suite="bookworm",
            path=self.file.filename,
        )

    @property
    def unplaced(self) -> Wanted:
        """What a manifest says of a local file."""
        return dataclasses.replace(self.wanted, suite="", path="")

    def obtain(self, wanted: Wanted, *, snapshot: bool = False, offline: bool = False) -> bytes:
        archive = self.archive(offline=offline)
        service = Snapshot(archive.access.fetcher, self.service.url) if snapshot else None
        return obtain_wanted(wanted, archive, service).read_bytes()

    def refused(self, wanted: Wanted, *, snapshot: bool = False) -> str:
        with pytest.raises(NotFoundError) as caught:
            self.obtain(wanted, snapshot=snapshot)
        assert caught.value.hint is not None
        assert "\n" not in caught.value.message
        start = f"hello_1.0+b1_amd64.deb with SHA-256 {wanted.sha256} is not to be had: "
        assert caught.value.message.startswith(start)
        return caught.value.message.removeprefix(start)

    def asked(self) -> list[str]:
        return [path.rpartition("/")[2] for path in self.server.paths()]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with (
        ArchiveServer(tmp_path / "mirror") as server,
        SnapshotServer(tmp_path / "farm") as service,
    ):
        made = Store(tmp_path, server, service)
        service.state("debian", STATE, made.main.directory)
        yield made


def test_found_package(store: Store) -> None:
    archive = store.archive()
    found = newest("hello", "amd64", archive.family("bookworm", "amd64"))
    assert found is not None
    path = obtain_found(found, archive.access)
    assert path.read_bytes() == store.deb
    assert path.name == "hello_1.0+b1_amd64.deb"
    assert "hello_1.0+b1_amd64.deb" in store.desk.watched
    store.server.requests.clear()
    assert obtain_found(found, archive.access) == path
    assert store.server.requests == []


def test_found_package_that_is_another(store: Store) -> None:
    archive = store.archive()
    found = newest("hello", "amd64", archive.family("bookworm", "amd64"))
    assert found is not None
    store.file.path.write_bytes(bytes(len(store.deb)))
    with pytest.raises(TrustError, match=r"hello_1\.0"):
        obtain_found(found, archive.access)
    store.file.path.write_bytes(b"")
    with pytest.raises(FetchError, match="0 bytes"):
        obtain_found(found, archive.access)


def test_where_it_was(store: Store) -> None:
    """Neither a suite nor the service is looked into."""
    assert store.obtain(store.wanted, snapshot=True) == store.deb
    assert store.asked() == ["hello_1.0+b1_amd64.deb"]
    assert store.service.requests == []
    assert store.obtain(store.wanted, offline=True) == store.deb


def test_on_another_mirror(store: Store) -> None:
    store.mirrors.insert(0, f"{store.server.url}/empty")
    assert store.obtain(store.wanted) == store.deb


def test_in_the_suite_where_its_place_is_not_known(store: Store) -> None:
    assert store.obtain(store.unplaced) == store.deb
    other = dataclasses.replace(store.unplaced, sha256="0" * 64)
    assert store.refused(other) == "nothing tells where it might be"


def test_at_the_snapshot_service(store: Store) -> None:
    store.file.path.unlink()
    for wanted in (store.wanted, store.unplaced):
        message = store.refused(wanted)
        assert "404" in message
        assert store.obtain(wanted, snapshot=True) == store.deb
        store.desk.cache.clean()
    sha1 = hashlib.sha1(store.deb).hexdigest()
    assert store.service.paths("/file/*") == [f"/file/{sha1}"] * 2


def test_at_the_snapshot_service_where_no_mirror_answers(store: Store) -> None:
    store.server.fail("*", status=503)
    for wanted in (store.wanted, store.unplaced):
        assert "503" in store.refused(wanted)
        assert store.obtain(wanted, snapshot=True) == store.deb
        store.desk.cache.clean()


def test_nowhere(store: Store) -> None:
    store.file.path.unlink()
    store.service.fail("/mr/*", status=503)
    message = store.refused(store.wanted, snapshot=True)
    assert "404 Not Found" in message
    assert store.service.url in message
    # Who does not say what package it is, is not asked about.
    nameless = dataclasses.replace(store.wanted, package="", version="")
    assert store.service.url not in store.refused(nameless, snapshot=True)
    unknown = dataclasses.replace(nameless, path="", suite="")
    assert store.refused(unknown, snapshot=True) == "nothing tells where it might be"


def test_another_file_in_its_place(store: Store) -> None:
    store.file.path.write_bytes(bytes(len(store.deb)))
    with pytest.raises(TrustError, match="is not the file"):
        store.obtain(store.wanted, snapshot=True)
    # Of another size it is none at all.
    store.file.path.write_bytes(b"")
    assert store.obtain(store.wanted, snapshot=True) == store.deb


def test_hostile_names(store: Store) -> None:
    wanted = dataclasses.replace(
        store.unplaced, file="\x1b[2J../../x", package="../x", architecture="../x", version="/.."
    )
    with pytest.raises(NotFoundError) as caught:
        store.obtain(wanted, snapshot=True)
    assert caught.value.message.isprintable()
    assert store.service.requests == []


def test_name_is_no_path(store: Store) -> None:
    wanted = dataclasses.replace(store.wanted, file="../../x")
    path = obtain_wanted(wanted, store.archive(), None)
    assert path.is_relative_to(store.desk.directory / "objects")


def test_file_in_two_archives_is_asked_for_once(store: Store) -> None:
    store.service.state("debian-security", STATE, store.main.directory)
    store.file.path.unlink()
    store.service.fail("/file/*", status=404)
    assert store.refused(store.wanted, snapshot=True).count("404") == 2
    assert len(store.service.paths("/file/*")) == 1
