"""The archives that tests of the archive layer are made with are what they say.

That apt takes them for archives is in ``tests/reference/test_simulator.py``.
"""

from __future__ import annotations

import datetime
import gzip
import hashlib
import lzma
import re
from typing import TYPE_CHECKING

import pytest

from rdcompose.cli.main import main
from tests.support.archive import DATE, SimulatedArchive, SuiteBuilder, bomb
from tests.support.archive_packages import (
    busybox_package,
    e2fsck_package,
    kernel_package,
    metapackage,
    package,
)
from tests.support.signing import SigningKey, make_key

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def key() -> SigningKey:
    return make_key()


@pytest.fixture
def archive(tmp_path: Path, key: SigningKey) -> SimulatedArchive:
    return SimulatedArchive(tmp_path / "debian", key)


RELEASE = "6.1.0-44-cloud-amd64"
KERNEL = kernel_package(RELEASE, "6.1.164-1")
META = metapackage("linux-image-cloud-amd64", "6.1.164-1", "amd64", f"linux-image-{RELEASE}")


def fields(text: str) -> dict[str, str]:
    """Return the fields of a stanza, as a reader that knows nothing of archives."""
    return dict(re.findall(r"^([A-Z][\w-]*): ?(.*(?:\n .*)*)", text, re.MULTILINE))


def sums(suite: SuiteBuilder, section: str) -> dict[str, tuple[str, int]]:
    rows = fields((suite.directory / "Release").read_text())[section].split("\n")
    return {
        path: (digest, int(size)) for digest, size, path in (row.split() for row in rows if row)
    }


def stanzas(suite: SuiteBuilder, architecture: str = "amd64") -> list[dict[str, str]]:
    path = suite.directory / "main" / f"binary-{architecture}" / "Packages.xz"
    return [
        fields(text) for text in lzma.decompress(path.read_bytes()).decode().split("\n\n") if text
    ]


def snapshot(directory: Path) -> dict[str, bytes]:
    return {str(p): p.read_bytes() for p in directory.rglob("*") if p.is_file()}


def test_a_package_is_in_the_pool_and_in_the_index(archive: SimulatedArchive) -> None:
    suite = archive.suite("bookworm", suite="oldstable")
    file = suite.add(KERNEL)
    suite.write()
    assert file.filename == (
        "pool/main/l/linux-signed-amd64/linux-image-6.1.0-44-cloud-amd64_6.1.164-1_amd64.deb"
    )
    assert file.path == archive.directory / file.filename
    assert file.path.read_bytes() == KERNEL
    (row,) = stanzas(suite)
    assert row["Package"] == f"linux-image-{RELEASE}"
    assert row["Source"] == "linux-signed-amd64 (6.1.164+1)"
    assert row["Depends"] == "kmod, linux-base (>= 4.3~)"
    assert row["Description"].split("\n")[1:] == [" It is small.", " .", " It has several lines."]
    assert (row["Filename"], row["Size"]) == (file.filename, str(len(KERNEL)))
    assert row["SHA256"] == hashlib.sha256(KERNEL).hexdigest() == file.sha256
    assert row["MD5sum"] == hashlib.md5(KERNEL).hexdigest()
    assert stanzas(suite, "arm64") == []


def test_pool_names_are_those_of_dak(archive: SimulatedArchive) -> None:
    suite = archive.suite("sid", components=("main", "contrib"))
    library = package("libx1", "2:1.0+b~1-2", "all", {}, Source="libx")
    assert suite.add(library).filename == "pool/main/libx/libx/libx1_1.0+b~1-2_all.deb"
    other = package("x", "1", "amd64", {})
    assert suite.add(other, "contrib").filename == "pool/contrib/x/x/x_1_amd64.deb"
    suite.write()
    for architecture in ("all", "amd64", "arm64"):
        assert [row["Version"] for row in stanzas(suite, architecture)] == ["2:1.0+b~1-2"]


def test_the_signed_index_covers_all_forms(archive: SimulatedArchive) -> None:
    suite = archive.suite("bookworm", suite="oldstable", stored=("", ".gz", ".xz"))
    suite.add(KERNEL)
    suite.add(META)
    suite.write()
    head = fields((suite.directory / "Release").read_text())
    assert (head["Origin"], head["Label"], head["Suite"], head["Codename"]) == (
        *("Debian", "Debian", "oldstable", "bookworm"),
    )
    assert (head["Date"], head["Acquire-By-Hash"]) == ("Sat, 10 Feb 2024 11:07:25 UTC", "yes")
    assert "Valid-Until" not in head
    listed = sums(suite, "SHA256")
    assert len(listed) == 3 * 3
    assert {path: size for path, (_, size) in sums(suite, "MD5Sum").items()} == {
        path: size for path, (_, size) in listed.items()
    }
    for path, (digest, size) in listed.items():
        data = (suite.directory / path).read_bytes()
        assert (hashlib.sha256(data).hexdigest(), len(data)) == (digest, size)
        parent = (suite.directory / path).parent
        assert (parent / "by-hash" / "SHA256" / digest).read_bytes() == data
    plain = (suite.directory / "main/binary-amd64/Packages").read_bytes()
    assert (
        gzip.decompress((suite.directory / "main/binary-amd64/Packages.gz").read_bytes()) == plain
    )
    assert (
        lzma.decompress((suite.directory / "main/binary-amd64/Packages.xz").read_bytes()) == plain
    )


def test_the_plain_index_is_listed_but_not_stored(archive: SimulatedArchive) -> None:
    suite = archive.suite("trixie", by_hash=False)
    suite.write()
    assert "main/binary-amd64/Packages" in sums(suite, "SHA256")
    names = {path.name for path in (suite.directory / "main" / "binary-amd64").iterdir()}
    assert names == {"Packages.gz", "Packages.xz"}
    assert "Acquire-By-Hash" not in fields((suite.directory / "Release").read_text())


def test_the_signature_is_around_the_index(archive: SimulatedArchive) -> None:
    suite = archive.suite("trixie")
    suite.write()
    signed = suite.inrelease.read_bytes()
    release = (suite.directory / "Release").read_bytes()
    assert signed.startswith(b"-----BEGIN PGP SIGNED MESSAGE-----\n")
    assert release.rstrip(b"\n") in signed
    assert signed.rstrip().endswith(b"-----END PGP SIGNATURE-----")
    suite.key = None
    suite.write()
    assert not suite.inrelease.exists()
    assert (suite.directory / "Release").read_bytes() == release


def test_suites_are_links_to_codenames(archive: SimulatedArchive) -> None:
    for codename in ("bookworm", "trixie"):
        archive.suite(codename, suite="stable").write()
    link = archive.directory / "dists" / "stable"
    assert str(link.readlink()) == "trixie"
    assert (link / "InRelease").is_file()


def test_a_security_suite_is_as_the_security_archive_has_it(archive: SimulatedArchive) -> None:
    until = DATE + datetime.timedelta(days=7)
    suite = archive.security_suite("bookworm", suite="oldstable", valid_until=until)
    file = suite.add(KERNEL)
    suite.write()
    assert file.filename.startswith("pool/updates/main/l/linux-signed-amd64/")
    head = fields((suite.directory / "Release").read_text())
    assert (head["Label"], head["Suite"], head["Codename"], head["Components"]) == (
        *("Debian-Security", "oldstable-security", "bookworm-security", "updates/main"),
    )
    assert head["Valid-Until"] == "Sat, 17 Feb 2024 11:07:25 UTC"
    assert [row["Filename"] for row in stanzas(suite)] == [file.filename]
    assert (suite.directory / "updates/main/binary-amd64/Packages.xz").is_file()


def test_it_can_be_written_anew_later_and_earlier(archive: SimulatedArchive) -> None:
    suite = archive.suite("sid", suite="unstable")
    suite.add(KERNEL)
    suite.key = None
    suite.write()
    first = snapshot(suite.directory)
    suite.date += datetime.timedelta(days=1)
    suite.add(META)
    suite.write()
    assert [row["Package"] for row in stanzas(suite)] == [
        f"linux-image-{RELEASE}",
        "linux-image-cloud-amd64",
    ]
    assert (suite.directory / "Release").stat().st_mtime == suite.date.timestamp()
    suite.date = DATE
    suite.remove("linux-image-cloud-amd64")
    suite.write()
    assert not list(archive.directory.rglob("linux-image-cloud*"))
    again = snapshot(suite.directory)
    # What indexes were called by hash stays there.
    assert {path: again[path] for path in first} == first


def test_a_stanza_can_be_false(archive: SimulatedArchive) -> None:
    suite = archive.suite("sid")
    suite.add(KERNEL, overrides={"Filename": "../x", "SHA256": None, "Size": "-1"})
    suite.write()
    (row,) = stanzas(suite)
    assert (row["Filename"], row["Size"]) == ("../x", "-1")
    assert "SHA256" not in row


def test_fields_of_the_signed_index_can_be_false(archive: SimulatedArchive) -> None:
    suite = archive.suite("trixie")
    suite.fields.update({"Codename": "sid", "Date": None})
    suite.write()
    head = fields(suite.inrelease.read_text())
    assert (head["Codename"], "Date" in head) == ("sid", False)


def test_stored_files_can_differ_from_the_signed(archive: SimulatedArchive) -> None:
    suite = archive.suite("trixie")
    suite.add(KERNEL)
    suite.tamper("main/binary-amd64/Packages.xz", lambda data: data[:100])
    suite.tamper("main/binary-amd64/Packages.gz", lambda _: None)
    suite.write()
    digest, size = sums(suite, "SHA256")["main/binary-amd64/Packages.xz"]
    directory = suite.directory / "main" / "binary-amd64"
    assert size > 100
    assert len((directory / "Packages.xz").read_bytes()) == 100
    assert len((directory / "by-hash" / "SHA256" / digest).read_bytes()) == 100
    assert not (directory / "Packages.gz").exists()


def test_the_archive_itself_can_be_at_fault(archive: SimulatedArchive) -> None:
    suite = archive.suite("trixie")
    suite.tamper("main/binary-amd64/Packages", lambda _: b"no stanza", listed=True)
    suite.tamper("main/binary-arm64/Packages.xz", lambda _: bomb(".xz", 5 << 20), listed=True)
    suite.write()
    listed = sums(suite, "SHA256")
    assert listed["main/binary-amd64/Packages"][1] == 9
    packed = (suite.directory / "main/binary-amd64/Packages.xz").read_bytes()
    assert lzma.decompress(packed) == b"no stanza"
    stored = (suite.directory / "main/binary-arm64/Packages.xz").read_bytes()
    assert listed["main/binary-arm64/Packages.xz"][0] == hashlib.sha256(stored).hexdigest()
    assert lzma.decompress(stored) == bytes(5 << 20)


@pytest.mark.parametrize("suffix", [".gz", ".xz"])
def test_bombs_are_small(suffix: str) -> None:
    assert len(bomb(suffix, 1 << 30)) < 2 << 20
    unpacked = {".gz": gzip.decompress, ".xz": lzma.decompress}[suffix](bomb(suffix, 3 << 20))
    assert unpacked == bytes(3 << 20)


@pytest.mark.parametrize("architecture", ["amd64", "arm64"])
def test_the_packages_can_be_composed(architecture: str, tmp_path: Path) -> None:
    release = f"6.12.63+deb13-{architecture}"
    inputs = {
        "kernel": kernel_package(release, "6.12.63-1", architecture, padding=100_000),
        "busybox": busybox_package(architecture=architecture),
        "e2fsck": e2fsck_package(architecture=architecture),
    }
    assert len(inputs["kernel"]) > 100_000
    for name, data in inputs.items():
        (tmp_path / name).write_bytes(data)
    arguments = ["build", str(tmp_path / "kernel"), "-o", str(tmp_path / "out"), "--quiet"]
    for name in ("busybox", "e2fsck"):
        arguments += [f"--{name}", str(tmp_path / name)]
    assert main(arguments) == 0
    assert b"Debian 6.12.63-1 " in (tmp_path / "out" / f"vmlinuz-{release}").read_bytes()
    assert (tmp_path / "out" / f"modules-{release}.qcow2").is_file()
