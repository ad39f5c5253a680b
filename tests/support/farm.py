"""Archives with kernels of several releases of Debian.

    farm = Farm(tmp_path)
    farm.publish()
    with ArchiveServer(farm.directory) as server:
        main(["build", "cloud-amd64", "--mirror", f"{server.url}/debian", …])

Of bookworm there is a security suite, with the newest kernel; programs are in each release.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.support.archive import SimulatedArchive
from tests.support.archive_packages import (
    busybox_package,
    e2fsck_package,
    kernel_package,
    metapackage,
)
from tests.support.signing import make_key

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.archive import SuiteBuilder
    from tests.support.signing import SigningKey

OLD: Final = "6.1.0-43-cloud-amd64"
NEW: Final = "6.1.0-44-cloud-amd64"
SECURE: Final = "6.1.0-45-cloud-amd64"
ARM: Final = "6.1.0-44-arm64"
TRIXIE: Final = "6.12.57+deb13-cloud-amd64"
BACKPORT: Final = "6.17.8+deb13-cloud-amd64"


class Farm:
    """A main and a security archive below one directory, as mirrors have them.

    ``keyring`` is the file with the key that signed them.
    """

    def __init__(self, path: Path, key: SigningKey | None = None) -> None:
        path.mkdir(parents=True, exist_ok=True)
        self.key = key or make_key("archive")
        self.directory = path / "mirror"
        self.main = SimulatedArchive(self.directory / "debian", self.key)
        self.security = SimulatedArchive(self.directory / "debian-security", self.key)
        self.keyring = path / "archive.pgp"
        self.keyring.write_bytes(self.key.certificate)
        self.bookworm = self.main.suite("bookworm", suite="oldstable")
        self.bookworm_security = self.security.security_suite("bookworm", suite="oldstable")
        self.trixie = self.main.suite("trixie", suite="stable")
        self.backports = self.main.suite("trixie-backports", suite="stable-backports")
        for suite in (self.bookworm, self.trixie):
            _programs(suite)
        _kernels(self.bookworm, {OLD: "6.1.162-1", NEW: "6.1.164-1", ARM: "6.1.164-1"})
        _kernels(self.bookworm_security, {SECURE: "6.1.170-1"})
        _kernels(self.trixie, {TRIXIE: "6.12.57-1"})
        _kernels(self.backports, {BACKPORT: "6.17.8-1~bpo13+1"})

    @property
    def suites(self) -> tuple[SuiteBuilder, ...]:
        """All suites."""
        return (self.bookworm, self.bookworm_security, self.trixie, self.backports)

    def publish(self) -> None:
        """Write all suites."""
        for suite in self.suites:
            suite.write()

    def debs(self) -> Iterator[Path]:
        """Yield every package's file."""
        yield from self.directory.rglob("*.deb")


def _programs(suite: SuiteBuilder) -> None:
    for architecture in ("amd64", "arm64"):
        suite.add(busybox_package(architecture=architecture))
        suite.add(e2fsck_package(architecture=architecture))


def _kernels(suite: SuiteBuilder, releases: dict[str, str]) -> None:
    """Add kernels; the metapackage of each flavour depends on the last of it."""
    newest: dict[str, tuple[str, str]] = {}
    for release, version in releases.items():
        flavour = "arm64" if release.endswith("-arm64") else "cloud-amd64"
        suite.add(kernel_package(release, version, flavour.rpartition("-")[2]))
        newest[flavour] = (release, version)
    for flavour, (release, version) in newest.items():
        name = f"linux-image-{flavour}"
        depends = f"linux-image-{release} (= {version})"
        suite.add(metapackage(name, version, flavour.rpartition("-")[2], depends))
