"""The snapshot service that tests are made with answers as snapshot.debian.org does."""

from __future__ import annotations

import hashlib
import json
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.archive import SimulatedArchive
from tests.support.archive_packages import busybox_package, kernel_package, package
from tests.support.snapshot_service import SnapshotServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Nothing waits so long unless it is broken.
PATIENCE = 60
FIRST, SECOND = "20240210T150000Z", "20240501T030000Z"
RELEASE = "6.1.0-18-cloud-amd64"
NAME = f"linux-image-{RELEASE}"
OLD, NEW = kernel_package(RELEASE, "6.1.9-1"), kernel_package(RELEASE, "6.1.76-1")
AMD64 = busybox_package("1:1.35.0-4+b3")
ARM64 = busybox_package("1:1.35.0-4+b3", "arm64")


def sha1(data: bytes) -> str:
    return hashlib.sha1(data).hexdigest()


@pytest.fixture
def service(tmp_path: Path) -> Iterator[SnapshotServer]:
    archive = SimulatedArchive(tmp_path / "debian", None)
    security = SimulatedArchive(tmp_path / "debian-security", None)
    suite = archive.suite("bookworm", suite="stable")
    with SnapshotServer(tmp_path / "farm") as running:
        suite.add(OLD)
        suite.add(AMD64)
        suite.write()
        running.state("debian", FIRST, archive.directory)
        suite.remove(NAME)
        for deb in (NEW, ARM64):
            suite.add(deb)
        suite.write()
        running.state("debian", SECOND, archive.directory)
        updates = security.security_suite("bookworm", suite="stable")
        updates.add(NEW)
        updates.write()
        running.state("debian-security", "20240212T000000Z", security.directory)
        yield running


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


def get(service: SnapshotServer, path: str) -> tuple[int, bytes, str]:
    """Return status, body and where the client is sent to."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _Stay)
    try:
        with opener.open(service.url + path, timeout=PATIENCE) as response:
            return response.status, response.read(), ""
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read(), error.headers.get("Location", "")


def ask(service: SnapshotServer, path: str) -> Any:
    status, body, _ = get(service, path)
    assert status == 200, body
    return json.loads(body)


def test_versions_of_a_package(service: SnapshotServer) -> None:
    assert ask(service, f"/mr/binary/{NAME}/") == {
        "_comment": "foo",
        "binary": NAME,
        "result": [
            {
                "binary_version": f"6.1.{number}-1",
                "name": NAME,
                "source": "linux-signed-amd64",
                "version": f"6.1.{number}+1",
            }
            for number in (76, 9)
        ],
    }


def test_files_of_a_version(service: SnapshotServer) -> None:
    path = "/mr/binary/busybox-static/1:1.35.0-4+b3/binfiles"
    rows = {sha1(AMD64): "amd64", sha1(ARM64): "arm64"}
    answer = ask(service, path)
    assert {row["hash"]: row["architecture"] for row in answer.pop("result")} == rows
    assert answer == {
        "_comment": "foo",
        "binary": "busybox-static",
        "binary_version": "1:1.35.0-4+b3",
    }
    encoded = ask(service, "/mr/binary/busybox-static/1%3A1.35.0-4%2Bb3/binfiles?fileinfo=1")
    assert encoded["fileinfo"] == {
        sha1(data): [
            {
                "archive_name": "debian",
                "first_seen": first,
                "name": f"busybox-static_1.35.0-4+b3_{architecture}.deb",
                "path": "/pool/main/b/busybox",
                "size": len(data),
            }
        ]
        for data, architecture, first in ((AMD64, "amd64", FIRST), (ARM64, "arm64", SECOND))
    }


def test_a_file_is_known_in_every_archive_by_its_first_state(service: SnapshotServer) -> None:
    answer = ask(service, f"/mr/file/{sha1(NEW)}/info")
    assert (answer["_comment"], answer["hash"]) == ("foo", sha1(NEW))
    assert [(row["archive_name"], row["first_seen"], row["path"]) for row in answer["result"]] == [
        ("debian-security", "20240212T000000Z", "/pool/updates/main/l/linux-signed-amd64"),
        ("debian", SECOND, "/pool/main/l/linux-signed-amd64"),
    ]
    same = ask(service, f"/mr/binary/{NAME}/6.1.76-1/binfiles?fileinfo=1")["fileinfo"]
    assert same == {sha1(NEW): answer["result"]}


def test_files_by_their_digest(service: SnapshotServer) -> None:
    assert get(service, f"/file/{sha1(OLD)}") == (200, OLD, "")


@pytest.mark.parametrize(
    "path",
    [
        "/mr/binary/no-such-package/",
        f"/mr/binary/{NAME}/6.1.77-1/binfiles",
        f"/mr/file/{'0' * 40}/info",
        "/mr/file/0123/info",
        f"/file/{'0' * 40}",
        "/file/0123",
        "/archive/debian/20240210T145959Z/dists/bookworm/Release",
        "/archive/debian-ports/now/",
        "/archive/debian/yesterday/dists/bookworm/Release",
        f"/archive/debian/{SECOND}/dists/bookworm/InRelease",
        f"/archive/debian/{SECOND}/pool/main/l/linux-signed-amd64/{NAME}_6.1.9-1_amd64.deb",
    ],
)
def test_what_is_not_there(service: SnapshotServer, path: str) -> None:
    status, body, _ = get(service, path)
    assert status == 404
    assert body.startswith(b"<!doctype html>")


@pytest.mark.parametrize(
    ("date", "state"),
    [
        (FIRST, 0),
        ("20240430T235959Z", 0),
        ("20240211", 0),
        (SECOND, 1),
        ("20990101T000000Z", 1),
        ("now", 1),
    ],
)
@pytest.mark.parametrize("suite", ["bookworm", "stable"])
def test_an_archive_at_a_moment(service: SnapshotServer, date: str, state: int, suite: str) -> None:
    path = f"dists/{suite}/main/binary-arm64/Packages.xz"
    status, _, place = get(service, f"/archive/debian/{date}/{path}")
    assert (status, place[:6]) == (302, "/file/")
    assert len(get(service, place)[1]) > 32 if state else len(get(service, place)[1]) == 32
    status, _, place = get(service, f"/archive/debian/{date}/dists/{suite}")
    moment = (FIRST, SECOND)[state]
    assert (status, place) == (301, f"/archive/debian/{moment}/dists/bookworm/")
    status, body, _ = get(service, place)
    assert (status, b"Release" in body) == (200, True)


def test_links_within_an_archive(service: SnapshotServer) -> None:
    place = "/archive/debian-security/now/dists/stable-security/updates/main/binary-all/Packages.xz"
    plain = "/archive/debian-security/now/dists/bookworm-security/main/binary-all/Packages.xz"
    assert get(service, place)[0] == 302
    assert get(service, place) == get(service, plain)
    status, _, root = get(service, "/archive/debian/now")
    assert (status, root) == (301, f"/archive/debian/{SECOND}/")
    assert get(service, root)[0] == 200


def test_architectures_can_be_missing(tmp_path: Path) -> None:
    archive = SimulatedArchive(tmp_path / "debian", None)
    archive.suite("sid").add(package("x", "1", "all", {}))
    with SnapshotServer(tmp_path / "farm", architectures=False) as service:
        service.state("debian", FIRST, archive.directory)
        answer = ask(service, "/mr/binary/x/1/binfiles?fileinfo=1")
    (row,) = answer["result"]
    assert list(row) == ["hash"]
    assert answer["fileinfo"][row["hash"]][0]["name"] == "x_1_all.deb"


def test_faults_are_those_of_any_server(service: SnapshotServer) -> None:
    service.fail("/mr/*", status=429, times=1, headers={"Retry-After": "1"})
    assert get(service, f"/mr/binary/{NAME}/")[0] == 429
    assert get(service, f"/mr/binary/{NAME}/")[0] == 200
