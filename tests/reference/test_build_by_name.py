"""``rdcompose kernels`` and ``rdcompose build NAME`` on the mirror that apt uses; apt is the judge.

A mirror can have indexes that do not fit its signed ``InRelease``, mostly those of the security
suite for architectures that few ask for. apt and rdcompose both go on without such a suite:
they are compared in the suites that both could load, and the main suite is always one.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import email.utils
import hashlib
import itertools
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import pytest

from tests.support.apt import apt_settings, as_options
from tests.support.archive import SimulatedArchive
from tests.support.kernels import KEYRING, cache_directory, locked, mirrors, package
from tests.support.server import ArchiveServer
from tests.support.signing import make_key
from tests.support.snapshot_service import SnapshotServer
from tests.support.tools import run, tool

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

    Row = dict[str, Any]
    # Kernels, and the dates of suites.
    Listing = tuple[list[Row], dict[str, str]]

pytestmark = pytest.mark.reference
T = TypeVar("T")

# Each with the suites that belong to it, in the order in which rdcompose names them.
SUITES: Final = {
    suite: (suite, f"{suite}-security", f"{suite}-updates") for suite in ("bookworm", "trixie")
}
# Metapackages have a kilobyte or two.
SMALLEST_KERNEL: Final = 1_000_000
LEFT_OUT: Final = re.compile(r"warning: left out, though newer versions may be there: (\S+): ")
COMPARE: Final = """
while read -r newer older; do
    dpkg --compare-versions "$newer" ge "$older" || echo "$newer $older"
done
"""
# Nobody listens on this port.
NO_NETWORK: Final = {
    name: "" if "no_" in name.lower() else "http://127.0.0.1:9"
    for name in ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
}
LOOPBACK: Final = {"no_proxy": "127.0.0.1", "NO_PROXY": "127.0.0.1"}


@dataclasses.dataclass(frozen=True, slots=True)
class Apt:
    """An apt that knows one release of Debian, for one architecture."""

    options: list[str]

    def __call__(self, program: str, *arguments: str) -> str:
        return run(tool(program), *self.options, *arguments)

    def suites(self) -> dict[str, str]:
        """Return the codenames of the suites that could be loaded, and the date of each."""
        listing = self(
            *("apt-get", "indextargets", "--format", "$(CODENAME) $(FILENAME)"),
            "Created-By: Packages",
        )
        dates = {}
        for line in listing.splitlines():
            codename, _, packages = line.partition(" ")
            inrelease = Path(packages.partition("_main_binary-")[0] + "_InRelease")
            date = re.search(r"^Date: (.*)$", inrelease.read_text(encoding="utf-8"), re.MULTILINE)
            assert date
            dates[codename] = email.utils.parsedate_to_datetime(date[1]).isoformat()
        return dates

    def versions(self, names: Iterable[str]) -> list[tuple[dict[str, str], set[str]]]:
        """Return stanzas of packages, with the suites that have them; newest first of a name."""
        suites: dict[str, set[str]] = {}
        for line in self("apt-cache", "madison", *names).splitlines():
            name, version, place = (part.strip() for part in line.split("|"))
            suites.setdefault(f"{name}={version}", set()).add(place.split()[1].partition("/")[0])
        stanzas = self("apt-cache", "show", *suites).strip("\n").split("\n\n")
        found = [dict(re.findall(r"^(\S+): *(.*)$", text, re.MULTILINE)) for text in stanzas]
        assert [f"{row['Package']}={row['Version']}" for row in found] == list(suites)
        return list(zip(found, suites.values(), strict=True))

    def kernels(self, suite: str, among: Collection[str]) -> list[Row]:
        """Return the kernels of suites, as rdcompose prints them."""
        listing = self("apt-cache", "pkgnames", "linux-image-")
        names = [
            name
            for name in re.findall(r"^linux-image-\d.*$", listing, re.MULTILINE)
            if not name.endswith(("-dbg", "-signed-template"))
        ]
        rows = [row for row in self.versions(names) if int(row[0]["Size"]) > SMALLEST_KERNEL]
        have = {(stanza["Package"], place) for stanza, places in rows for place in places}
        found = []
        for stanza, places in rows:
            name = stanza["Package"]
            signed = name.removesuffix("-unsigned")
            own = [
                place
                for place in SUITES[suite]
                if place in places
                and place in among
                # The twin that is not signed counts only where the signed one is not there.
                and (name == signed or (signed, place) not in have)
            ]
            if own:
                found.append(_row(signed.removeprefix("linux-image-"), stanza, own))
        return found

    def kernel_of(self, metapackage: str, among: Collection[str]) -> Row:
        """Return the kernel that the newest version of a metapackage wants."""
        newest = next(
            stanza for stanza, places in self.versions([metapackage]) if places & set(among)
        )
        wanted = re.search(r"(linux-image-\S+) \(= (\S+)\)", newest["Depends"])
        assert wanted
        found = [row for row, _ in self.versions([wanted[1]]) if row["Version"] == wanted[2]]
        return {
            "package": wanted[1],
            "version": wanted[2],
            "architecture": found[0]["Architecture"],
            "size": int(found[0]["Size"]),
            "sha256": found[0]["SHA256"],
            "path": found[0]["Filename"],
        }


def _row(release: str, stanza: dict[str, str], suites: list[str]) -> Row:
    return {
        "release": release,
        "package": stanza["Package"],
        "version": stanza["Version"],
        "architecture": stanza["Architecture"],
        "suites": suites,
        "size": int(stanza["Size"]),
        "sha256": stanza["SHA256"],
    }


@contextlib.contextmanager
def apt(suite: str, architecture: str) -> Iterator[Apt]:
    """Give an apt of its own, brought up to date as far as the mirror lets it."""
    main, security = mirrors()
    directory = cache_directory() / f"kernels-{suite}-{architecture}"
    settings = apt_settings(directory, architecture)
    origin = f"deb [arch={architecture} signed-by={KEYRING}]"
    sources = [
        f"{origin} {security if name.endswith('-security') else main} {name} main\n"
        for name in SUITES[suite]
    ]
    with locked(directory / ".lock"), tempfile.TemporaryDirectory() as scratch:
        (directory / "sources.list").write_text("".join(sources))
        # Settings of containers switch these off, and then every call reads all indexes.
        for name in ("pkgcache", "srcpkgcache"):
            settings[f"Dir::Cache::{name}"] = f"{scratch}/{name}.bin"
        options = as_options(settings)
        command = [tool("apt-get"), *options, "-qq", "update"]
        subprocess.run(command, capture_output=True, check=False, timeout=900)
        yield Apt(options)


def rdcompose(
    directory: Path,
    *arguments: str | Path,
    cache: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run rdcompose in a directory, by default with the cache that tests share."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "rdcompose", *arguments),
            *("--no-progress", "--cache", cache or cache_directory() / "archive"),
        ],
        cwd=directory,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **(env or {})},
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    assert done.returncode == 0, done.stderr
    return done


def agree(compare: Callable[[], tuple[T, T]]) -> T:
    """Compare what rdcompose and apt say; once more if the mirror may have been updated between."""
    ours, theirs = compare()
    if ours != theirs:
        ours, theirs = compare()
    assert ours == theirs
    return ours


def loaded(suite: str, own: Apt, done: subprocess.CompletedProcess[str]) -> dict[str, str]:
    """Return the suites that apt and rdcompose both could load, with their dates."""
    left_out = LEFT_OUT.findall(done.stderr)
    both = {name: date for name, date in own.suites().items() if name not in left_out}
    assert suite in both
    return both


def digests(directory: Path) -> dict[str, str]:
    return {path.name: _digest(path) for path in directory.iterdir()}


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def manifest(directory: Path) -> Row:
    [path] = directory.glob("manifest-*.json")
    loaded: Row = json.loads(path.read_text(encoding="utf-8"))
    return loaded


def kernel_input(directory: Path) -> Row:
    [kernel] = (row for row in manifest(directory)["inputs"] if row["role"] == "kernel")
    return dict(kernel)


@pytest.mark.parametrize(
    ("architecture", "suite"),
    [
        ("amd64", "bookworm"),
        ("arm64", "bookworm"),
        ("armhf", "bookworm"),
        ("armel", "bookworm"),
        ("i386", "bookworm"),
        ("ppc64el", "bookworm"),
        ("s390x", "bookworm"),
        ("riscv64", "trixie"),
    ],
)
def test_kernels_are_those_that_apt_has(tmp_path: Path, architecture: str, suite: str) -> None:
    def compare() -> tuple[Listing, Listing]:
        done = rdcompose(tmp_path, "kernels", "--arch", architecture, "--suite", suite, "--json")
        rows: list[Row] = json.loads(done.stdout)
        with apt(suite, architecture) as own:
            both = loaded(suite, own, done)
            expected = own.kernels(suite, both)
        dates = {row["suites"][0]: row.pop("date") for row in rows}
        dates = {name: date for name, date in dates.items() if name in both}
        for row in rows:
            row["suites"] = [name for name in row["suites"] if name in both]
        found = [row for row in rows if row["suites"]]
        newest_first([row["version"] for row in rows])
        return (_sorted(found), dates), (_sorted(expected), {name: both[name] for name in dates})

    kernels, _dates = agree(compare)
    assert kernels


def _sorted(rows: list[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: (row["package"], row["version"]))


def newest_first(versions: list[str]) -> None:
    tool("dpkg")
    pairs = "".join(f"{newer} {older}\n" for newer, older in itertools.pairwise(versions))
    assert run("sh", "-c", COMPARE, stdin=pairs.encode()) == ""


@pytest.mark.parametrize(
    ("flavour", "architecture"),
    # At least two of them are not for the machine that this runs on.
    [("cloud-amd64", "amd64"), ("arm64", "arm64"), ("armmp", "armhf")],
)
def test_flavour_is_the_kernel_that_apt_would_install(
    tmp_path: Path, flavour: str, architecture: str
) -> None:
    def compare() -> tuple[Row, Row]:
        with tempfile.TemporaryDirectory(dir=tmp_path) as name:
            out = Path(name) / "out"
            options = ("--suite", "bookworm", "--disk", "none", "-o", out)
            done = rdcompose(tmp_path, "build", flavour, *options)
            kernel = kernel_input(out)
        with apt("bookworm", architecture) as own:
            both = loaded("bookworm", own, done)
            expected = own.kernel_of(f"linux-image-{flavour}", both)
        kernel["path"] = kernel["archive"]["path"]
        return {key: kernel[key] for key in expected}, expected

    kernel = agree(compare)
    name = kernel["path"].rpartition("/")[2]
    [file] = (cache_directory() / "archive").rglob(name)
    assert _digest(file) == kernel["sha256"]


def test_same_again_from_the_cache_alone(tmp_path: Path) -> None:
    """With ``--locked``, not even the mirror's indexes are asked for."""
    mirrors()
    build = ("build", "cloud-amd64", "--suite", "bookworm", "-o")
    cache = tmp_path / "cache"
    first, second, third = (tmp_path / name for name in ("first", "second", "third"))
    rdcompose(tmp_path, *build, first, cache=cache)
    rdcompose(tmp_path, *build, second, "--offline", cache=cache, env=NO_NETWORK)
    assert digests(second) == digests(first)
    [lock] = first.glob("manifest-*.json")
    rdcompose(tmp_path, "build", "--locked", lock, "-o", third, cache=cache, env=NO_NETWORK)
    assert digests(third) == digests(first)


def test_real_kernel_that_left_the_mirror(tmp_path: Path) -> None:
    """Found by the snapshot service, it makes what its file makes; by its lock, too."""
    kernel, busybox, e2fsck = debs = [
        package("bookworm", "amd64", name)
        for name in ("linux-image-cloud-amd64", "busybox-static", "e2fsck-static")
    ]
    name = run(tool("dpkg-deb"), "-f", kernel, "Package").strip()
    key = make_key()
    keyring = tmp_path / "archive.pgp"
    keyring.write_bytes(key.certificate)
    archive = SimulatedArchive(tmp_path / "mirror" / "debian", key)
    suite = archive.suite("bookworm", suite="oldstable", architectures=["amd64"])
    for deb in debs:
        suite.add(deb)
    suite.valid_until = suite.date + datetime.timedelta(days=7)
    suite.write()
    by_file, by_name, by_lock = (tmp_path / name for name in ("file", "name", "lock"))
    rdcompose(tmp_path, "build", kernel, "--busybox", busybox, "--e2fsck", e2fsck, "-o", by_file)
    with (
        SnapshotServer(tmp_path / "snapshots") as service,
        ArchiveServer(archive.directory.parent) as server,
    ):
        service.state("debian", "20240210T150000Z", archive.directory)
        suite.remove(name)
        suite.date, suite.valid_until = suite.date.replace(month=5), None
        suite.write()
        service.state("debian", "20240510T150000Z", archive.directory)
        places: tuple[str | Path, ...] = (
            *("--suite", "bookworm", "--mirror", f"{server.url}/debian", "--keyring", keyring),
            *("--snapshot-service", service.url),
        )

        def build(out: Path, *arguments: str | Path) -> None:
            cache = tmp_path / f"cache of {out.name}"
            given = (*arguments, *places, "-o", out)
            rdcompose(tmp_path, "build", *given, cache=cache, env=LOOPBACK)

        build(by_name, name.removeprefix("linux-image-"))
        [lock] = by_name.glob("manifest-*.json")
        build(by_lock, "--locked", lock)
    assert digests(by_lock) == digests(by_name)
    found = kernel_input(by_name)
    assert (found["sha256"], found["archive"]["verified"]) == (_digest(kernel), True)
    # The manifest tells where the packages were.
    assert _without_manifest(by_name) == _without_manifest(by_file)


def _without_manifest(directory: Path) -> dict[str, str]:
    return {
        name: digest
        for name, digest in digests(directory).items()
        if not name.startswith(("manifest-", "SHA256SUMS"))
    }
