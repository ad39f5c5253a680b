"""Kernels that have left the mirror, and whole builds of another day."""

from __future__ import annotations

import datetime
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.support.archive_packages import kernel_package
from tests.support.farm import NEW, OLD, SECURE
from tests.support.snapshot_service import SnapshotServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.cli.conftest import Shop

GONE = "6.1.0-18-cloud-amd64"
FIRST, SECOND = "20240210T150000Z", "20240501T030000Z"


@pytest.fixture
def service(shop: Shop, tmp_path: Path) -> Iterator[SnapshotServer]:
    """A service with two states: one with an old kernel, and what the mirror has today."""
    farm = shop.farm
    farm.bookworm.add(kernel_package(GONE, "6.1.76-1"))
    farm.bookworm.valid_until = farm.bookworm.date + datetime.timedelta(days=7)
    farm.publish()
    with SnapshotServer(tmp_path / "snapshots") as server:
        server.state("debian", FIRST, farm.main.directory)
        server.state("debian-security", FIRST, farm.security.directory)
        farm.bookworm.remove(f"linux-image-{GONE}")
        farm.bookworm.valid_until = None
        farm.bookworm.date = farm.bookworm.date.replace(month=5, day=1)
        farm.publish()
        server.state("debian", SECOND, farm.main.directory)
        yield server


def test_kernel_that_left_the_mirror(shop: Shop, service: SnapshotServer) -> None:
    shop.run("build", GONE, "--snapshot-service", service.url)
    (kernel, busybox) = (
        next(row for row in shop.manifest(GONE)["inputs"] if row["role"] == role)
        for role in ("kernel", "busybox")
    )
    assert kernel["version"] == "6.1.76-1"
    assert kernel["archive"]["suite"] == "bookworm"
    assert kernel["archive"]["verified"] is True
    assert busybox["archive"]["suite"] == "bookworm"
    # The programs are still on the mirror.
    assert any("busybox" in name for name in shop.downloads())


def test_kernel_of_a_debian_that_left_the_mirror(shop: Shop, service: SnapshotServer) -> None:
    release = "5.10.0-20-cloud-amd64"
    suite = shop.farm.main.suite("bullseye", suite="oldoldstable")
    suite.add(kernel_package(release, "5.10.158-2"))
    suite.write()
    service.state("debian", "20240601T000000Z", shop.farm.main.directory)
    shutil.rmtree(suite.directory)
    (suite.directory.parent / "oldoldstable").unlink()
    shop.run("build", release, "--snapshot-service", service.url)
    rows = {row["role"]: row for row in shop.manifest(release)["inputs"]}
    assert rows["kernel"]["archive"]["suite"] == "bullseye"
    # Its own programs are gone, too: those of the suite asked for do.
    assert rows["busybox"]["archive"]["suite"] == "bookworm"


def test_second_time_it_is_known_where_it_was(shop: Shop, service: SnapshotServer) -> None:
    shop.run("build", GONE, "--snapshot-service", service.url)
    service.requests.clear()
    shop.run("build", GONE, "--snapshot-service", service.url)
    assert service.requests == []
    shop.server.requests.clear()
    shop.run("build", GONE, "--offline", "--snapshot-service", service.url)
    assert shop.server.requests == []
    assert service.requests == []


def test_what_is_known_of_the_service_is_not_used_against_the_options(
    shop: Shop, service: SnapshotServer
) -> None:
    shop.run("build", GONE, "--snapshot-service", service.url, "-o", "first")
    service.requests.clear()
    assert "no kernel" in shop.error("build", GONE)
    assert service.requests == []
    # All is to be of this moment, which has it no more.
    options = ["--snapshot", SECOND, "--snapshot-service", service.url]
    assert "no kernel" in shop.error("build", GONE, *options)


def test_signature_counts_there_too(shop: Shop, service: SnapshotServer) -> None:
    path = shop.farm.bookworm.inrelease
    service.replace("*/bookworm/InRelease", path.read_bytes().replace(b"Debian", b"Dabian"))
    message = shop.error("build", GONE, "--snapshot-service", service.url)
    assert "signature" in message
    assert "bookworm/InRelease" in message


def test_service_does_not_answer(shop: Shop, service: SnapshotServer) -> None:
    service.fail("/mr/*", status=503, times=None)
    message = shop.error("build", GONE, "--snapshot-service", service.url)
    assert "the snapshot service did not answer" in message
    assert "503" in message
    assert f"available here: {SECURE}, {NEW}, {OLD}" in message


def test_service_never_had_it(shop: Shop, service: SnapshotServer) -> None:
    message = shop.error("build", "6.1.0-17-cloud-amd64", "--snapshot-service", service.url)
    assert "the snapshot service never had it" in message


def test_service_is_not_asked(shop: Shop, service: SnapshotServer) -> None:
    service.requests.clear()
    shop.error("build", GONE)
    assert service.requests == []


@pytest.mark.parametrize(
    ("moment", "has_gone"),
    [(FIRST, True), ("20240301T000000Z", True), ("2024-03-01", True), (SECOND, False)],
)
def test_everything_of_one_moment(
    shop: Shop, service: SnapshotServer, moment: str, *, has_gone: bool
) -> None:
    options = ["--snapshot", moment, "--snapshot-service", service.url]
    shop.server.requests.clear()
    if has_gone:
        shop.run("build", GONE, *options)
    else:
        message = shop.error("build", GONE, *options)
        assert moment in message
    assert shop.server.requests == []


def test_newest_of_a_moment(shop: Shop, service: SnapshotServer) -> None:
    shop.run("build", "cloud-amd64", "--snapshot", FIRST, "--snapshot-service", service.url)
    assert (shop.out / f"vmlinuz-{SECURE}").exists()


def test_moment_is_in_the_cache(shop: Shop, service: SnapshotServer) -> None:
    options = ["--snapshot", FIRST, "--snapshot-service", service.url]
    shop.run("build", GONE, *options)
    service.requests.clear()
    shop.run("build", GONE, *options)
    # Only what was not there is asked for again.
    assert {path.split("/")[-2] for path in service.paths()} == {"bookworm-updates"}
    service.requests.clear()
    shop.run("build", GONE, *options, "--offline")
    assert service.requests == []


def test_before_the_first_state(shop: Shop, service: SnapshotServer) -> None:
    options = ["--snapshot", "20200101T000000Z", "--snapshot-service", service.url]
    assert "no suite bookworm" in shop.error("build", GONE, *options)


def test_newest_state_where_apt_has_no_sources(
    shop: Shop, service: SnapshotServer, capsys: pytest.CaptureFixture[str]
) -> None:
    from rdcompose.cli.main import main

    options = ["--snapshot-service", service.url, "--keyring", str(shop.farm.keyring)]
    options += ["--cache", str(shop.cache), "--suite", "bookworm", "-o", str(shop.out)]
    assert main(["build", NEW, *options]) == 0, capsys.readouterr().err
    assert (shop.out / f"vmlinuz-{NEW}").exists()
