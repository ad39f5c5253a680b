"""The archives of the tests are archives to apt, and what is wrong with them is wrong to apt."""

from __future__ import annotations

import dataclasses
import datetime
import functools
import random
import re
from typing import TYPE_CHECKING

import pytest

from tests.support.apt import apt_settings
from tests.support.archive import SimulatedArchive, SuiteBuilder, bomb
from tests.support.archive_packages import busybox_package, kernel_package, metapackage, package
from tests.support.server import ArchiveServer
from tests.support.signing import make_key
from tests.support.snapshot_service import SnapshotServer
from tests.support.tools import run, tool

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.reference

RELEASE = "6.1.0-44-cloud-amd64"
KERNEL = f"linux-image-{RELEASE}"


@dataclasses.dataclass(frozen=True)
class Apt:
    """apt with lists, sources and a status of its own."""

    state: Path

    def run(self, program: str, *arguments: str, status: int = 0) -> str:
        """Run one of apt's programs and return what it printed, errors too."""
        return run(
            *("sh", "-c", 'exec "$@" 2>&1', "sh"),
            *(tool(program), *arguments),
            cwd=self.state,
            env={"APT_CONFIG": str(self.state / "apt.conf")},
            status=status,
        )

    def use(self, *sources: str) -> None:
        text = "".join(f"deb [signed-by={self.state}/key.gpg] {source}\n" for source in sources)
        (self.state / "sources.list").write_text(text)

    def update(self) -> None:
        printed = self.run("apt-get", "update")
        assert not re.search(r"^[WEN]:", printed, re.MULTILINE), printed

    def packages(self) -> dict[str, str]:
        rows = re.findall(
            r"^Package: (.*)\n(?:.+\n)*?Version: (.*)", self.run("apt-cache", "dumpavail"), re.M
        )
        return dict(rows)


@pytest.fixture
def apt(tmp_path: Path) -> Apt:
    state = tmp_path / "apt"
    for part in ("apt.conf.d", "trusted.gpg.d"):
        (state / "etc" / part).mkdir(parents=True)
    # Read before the machine's own settings, which it makes apt look for elsewhere.
    settings = apt_settings(state, "amd64") | {
        "Dir::Etc": state / "etc",
        "APT::Update::Error-Mode": "any",
        "Acquire::Retries": "0",
        "Acquire::http::Proxy::127.0.0.1": "DIRECT",
    }
    text = "".join(f'{key} "{value}";\n' for key, value in settings.items())
    (state / "apt.conf").write_text(text)
    (state / "key.gpg").write_bytes(make_key().certificate)
    return Apt(state)


def filled(tmp_path: Path) -> tuple[SimulatedArchive, SuiteBuilder]:
    archive = SimulatedArchive(tmp_path / "debian", make_key())
    suite = archive.suite("bookworm", suite="oldstable")
    suite.add(kernel_package(RELEASE, "6.1.164-1"))
    suite.add(metapackage("linux-image-cloud-amd64", "6.1.164-1", "amd64", KERNEL))
    suite.add(busybox_package("1:1.35.0-4+b7"))
    suite.add(busybox_package("1:1.35.0-4+b7", "arm64"))
    suite.add(package("linux-base", "4.9", "all", {}))
    suite.write()
    return archive, suite


PACKAGES = {
    KERNEL: "6.1.164-1",
    "linux-image-cloud-amd64": "6.1.164-1",
    "busybox-static": "1:1.35.0-4+b7",
    "linux-base": "4.9",
}


def test_apt_lists_and_downloads_what_is_there(apt: Apt, tmp_path: Path) -> None:
    archive, _ = filled(tmp_path)
    with ArchiveServer(archive.directory) as server:
        apt.use(f"{server.url} bookworm main")
        apt.update()
        assert apt.packages() == PACKAGES
        assert server.paths("*/by-hash/SHA256/*")
        apt.run("apt-get", "download", KERNEL, "busybox-static", "linux-base")
        assert len(server.paths("*.deb")) == 3
    names = {path.name for path in apt.state.glob("*.deb")}
    assert f"{KERNEL}_6.1.164-1_amd64.deb" in names
    assert "busybox-static_1%3a1.35.0-4+b7_amd64.deb" in names
    show = run(tool("dpkg-deb"), "--info", apt.state / f"{KERNEL}_6.1.164-1_amd64.deb")
    assert f" Package: {KERNEL}\n" in show
    depends = apt.run("apt-cache", "depends", "linux-image-cloud-amd64")
    assert f"Depends: {KERNEL}\n" in depends


def test_apt_finds_the_suite_by_its_other_name(apt: Apt, tmp_path: Path) -> None:
    archive, _ = filled(tmp_path)
    apt.use(f"file:{archive.directory} oldstable main")
    apt.update()
    assert apt.packages() == PACKAGES


def test_apt_takes_the_security_archive(apt: Apt, tmp_path: Path) -> None:
    archive = SimulatedArchive(tmp_path / "debian-security", make_key())
    now = datetime.datetime.now(datetime.UTC)
    suite = archive.security_suite(
        "bookworm",
        suite="oldstable",
        date=now - datetime.timedelta(days=1),
        valid_until=now + datetime.timedelta(days=6),
    )
    suite.add(kernel_package(RELEASE, "6.1.170-1"))
    suite.write()
    apt.use(f"file:{archive.directory} bookworm-security main")
    apt.update()
    assert apt.packages() == {KERNEL: "6.1.170-1"}
    policy = apt.run("apt-cache", "policy")
    assert "a=oldstable-security,n=bookworm-security,l=Debian-Security,c=main" in policy


def test_apt_is_told_that_nothing_changed(apt: Apt, tmp_path: Path) -> None:
    archive, suite = filled(tmp_path)
    with ArchiveServer(archive.directory) as server:
        apt.use(f"{server.url} bookworm main")
        apt.update()
        server.clear()
        assert "Hit:1" in apt.run("apt-get", "update")
        assert server.paths() == ["/dists/bookworm/InRelease"]
        suite.remove("linux-base")
        suite.date += datetime.timedelta(days=1)
        suite.write()
        apt.update()
    assert "linux-base" not in apt.packages()


def test_apt_goes_on_where_a_download_was_cut(apt: Apt, tmp_path: Path) -> None:
    archive, suite = filled(tmp_path)
    file = suite.add(package("x", "1", "amd64", {"x": random.Random(0).randbytes(300_000)}))
    suite.write()
    install = ("--assume-yes", "--download-only", "install", "x")
    with ArchiveServer(archive.directory) as server:
        apt.use(f"{server.url} bookworm main")
        apt.update()
        server.cut("*/x_1_amd64.deb", after=100_000)
        apt.run("apt-get", *install, status=100)
        apt.run("apt-get", *install)
        ranges = [
            r.headers.get("range") for r in server.requests if r.path.endswith("/x_1_amd64.deb")
        ]
    assert ranges == [None, "bytes=100000-"]
    deb = apt.state / "archives" / "x_1_amd64.deb"
    assert deb.read_bytes() == file.path.read_bytes()


def test_apt_takes_states_of_the_snapshot_service(apt: Apt, tmp_path: Path) -> None:
    archive, suite = filled(tmp_path)
    with SnapshotServer(tmp_path / "farm") as service:
        service.state("debian", "20240210T150000Z", archive.directory)
        suite.remove(KERNEL)
        suite.write()
        service.state("debian", "20240501T030000Z", archive.directory)
        apt.use(f"{service.url}/archive/debian/20240301T000000Z bookworm main")
        apt.update()
        assert apt.packages() == PACKAGES
        apt.run("apt-get", "download", KERNEL)
        apt.use(f"{service.url}/archive/debian/now bookworm main")
        apt.update()
        assert apt.packages().keys() == PACKAGES.keys() - {KERNEL}


YESTERDAY = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)


def _expire(suite: SuiteBuilder) -> None:
    suite.valid_until = YESTERDAY


def _come_from_the_future(suite: SuiteBuilder) -> None:
    suite.date = YESTERDAY + datetime.timedelta(days=3)


def _sign_by_another(suite: SuiteBuilder) -> None:
    suite.key = make_key("another")


def _sign_nothing(suite: SuiteBuilder) -> None:
    suite.key = None


def _cut_the_index(suite: SuiteBuilder) -> None:
    for suffix in (".gz", ".xz"):
        suite.tamper(f"main/binary-amd64/Packages{suffix}", lambda data: data[:-9])


def _replace_the_index(suite: SuiteBuilder) -> None:
    for suffix in (".gz", ".xz"):
        suite.tamper(f"main/binary-amd64/Packages{suffix}", lambda data: data[::-1])


def _lay_a_bomb(suite: SuiteBuilder) -> None:
    for suffix in (".gz", ".xz"):
        change = functools.partial(_bomb, suffix)
        suite.tamper(f"main/binary-amd64/Packages{suffix}", change, listed=True)


def _bomb(suffix: str, _: bytes) -> bytes:
    return bomb(suffix, 1 << 20)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_expire, "is expired"),
        (_come_from_the_future, "is not valid yet"),
        (_sign_by_another, "NO_PUBKEY"),
        (_sign_nothing, "is not signed"),
        (_cut_the_index, "File has unexpected size"),
        (_replace_the_index, "Hash Sum mismatch"),
        (_lay_a_bomb, "Hash Sum mismatch"),
    ],
)
def test_apt_refuses_what_is_wrong(
    apt: Apt, tmp_path: Path, spoil: Callable[[SuiteBuilder], None], message: str
) -> None:
    archive, suite = filled(tmp_path)
    spoil(suite)
    suite.write()
    with ArchiveServer(archive.directory) as server:
        apt.use(f"{server.url} bookworm main")
        printed = apt.run("apt-get", "update", status=100)
    assert message in printed


def test_apt_warns_of_another_suite(apt: Apt, tmp_path: Path) -> None:
    archive, suite = filled(tmp_path)
    suite.fields |= {"Suite": "testing", "Codename": "trixie"}
    suite.write()
    apt.use(f"file:{archive.directory} bookworm main")
    printed = apt.run("apt-get", "update")
    assert "expected bookworm but got trixie" in printed


def test_apt_refuses_another_package_than_the_listed(apt: Apt, tmp_path: Path) -> None:
    archive, suite = filled(tmp_path)
    file = suite.add(package("x", "1", "amd64", {}))
    suite.write()
    file.path.write_bytes(file.path.read_bytes()[::-1])
    with ArchiveServer(archive.directory) as server:
        apt.use(f"{server.url} bookworm main")
        apt.update()
        assert "Hash Sum mismatch" in apt.run("apt-get", "download", "x", status=100)
