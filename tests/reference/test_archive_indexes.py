"""Versions against dpkg, ``Release`` and ``Packages`` against what apt reads in real suites."""

from __future__ import annotations

import collections
import functools
import hashlib
import itertools
import random
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from rdcompose.archive.packages import PackageIndex
from rdcompose.archive.release_file import IndexFile, ReleaseFile
from rdcompose.archive.version import version_key
from tests.support.apt import apt_settings, as_options
from tests.support.kernels import KEYRING, cache_directory, locked, mirrors
from tests.support.tools import run, tool

if TYPE_CHECKING:
    from collections.abc import Iterable

pytestmark = pytest.mark.reference

SUITES: Final = ("bookworm", "trixie-security", "sid")
# Every so many stanzas of an index are compared with apt, beside the kernels.
STEP: Final = 400
COMPARE: Final = """
while read -r older relation newer; do
    dpkg --compare-versions "$older" "$relation" "$newer" || echo "$older $relation $newer"
done
"""


class Apt:
    """An apt with nothing but the ``main`` component of one suite, for amd64.

    Its lists are fetched once and stay uncompressed in the cache of the tests. They may be
    of any age: apt and rdcompose read the same files.
    """

    def __init__(self, suite: str) -> None:
        self.state = cache_directory() / f"indexes-{suite}"
        settings = apt_settings(self.state, "amd64") | {
            "Acquire::GzipIndexes": "false",
            # A mirror may be behind.
            "Acquire::Check-Valid-Until": "false",
        }
        self._options = as_options(settings)
        with locked(self.state / ".lock"):
            if not list((self.state / "lists").glob("*_Packages")):
                main, security = mirrors()
                uri = security if suite.endswith("-security") else main
                source = f"deb [arch=amd64 signed-by={KEYRING}] {uri} {suite} main\n"
                (self.state / "sources.list").write_text(source)
                self("apt-get", "-qq", "--error-on=any", "update")
        (row,) = self.targets("$(FILENAME)|$(RELEASE)|$(ORIGIN)|$(LABEL)|$(SUITE)|$(CODENAME)")
        filename, *self.names = row.split("|")
        self.packages = Path(filename)
        self.inrelease = next((self.state / "lists").glob("*_InRelease"))

    def __call__(self, program: str, *arguments: str) -> str:
        return run(tool(program), *self._options, *arguments, cwd=self.state, timeout=1800)

    def targets(self, layout: str) -> list[str]:
        text = self("apt-get", "indextargets", "--format", layout, "Created-By: Packages")
        return text.splitlines()


@functools.cache
def apt(suite: str) -> Apt:
    return Apt(suite)


@functools.cache
def index(suite: str) -> PackageIndex:
    return PackageIndex(apt(suite).packages.read_bytes())


def inrelease_text(suite: str) -> str:
    """The text between the armour of an ``InRelease``, and no more than that."""
    text = apt(suite).inrelease.read_text(encoding="utf-8")
    return text.partition("\n\n")[2].partition("-----BEGIN PGP SIGNATURE-----")[0]


def release(suite: str) -> ReleaseFile:
    return ReleaseFile.parse(inrelease_text(suite).encode())


def fields(stanza: str) -> dict[str, str]:
    """First lines of the fields of a stanza, read as simply as can be."""
    rows = (line.partition(": ") for line in stanza.split("\n") if line[:1] not in {" ", ""})
    return {name: value.strip() for name, _, value in rows}


def stanzas(suite: str) -> list[dict[str, str]]:
    text = apt(suite).packages.read_text(encoding="utf-8")
    return [fields(stanza) for stanza in text.strip("\n").split("\n\n")]


@pytest.mark.parametrize("suite", SUITES)
def test_release_fields(suite: str) -> None:
    parsed = release(suite)
    asked, origin, label, name, codename = apt(suite).names
    assert [parsed.origin, parsed.label, parsed.suite, parsed.codename] == [
        *(origin, label, name, codename)
    ]
    assert asked in {parsed.codename, parsed.suite}
    assert parsed.by_hash is ("yes" in apt(suite).targets("$(BY_HASH)"))
    lines = fields(inrelease_text(suite))
    assert parsed.date.timestamp() == float(run(tool("date"), "-d", lines["Date"], "+%s"))
    valid_until = parsed.valid_until and parsed.valid_until.timestamp()
    text = lines.get("Valid-Until")
    assert valid_until == (float(run(tool("date"), "-d", text, "+%s")) if text else None)


@pytest.mark.parametrize("suite", SUITES)
def test_release_checksums(suite: str) -> None:
    section = re.search(r"^SHA256:\n((?: .*\n)+)", inrelease_text(suite), re.MULTILINE)
    assert section
    rows = [tuple(row.split()) for row in section[1].splitlines()]
    found = release(suite)
    for sha256, size, path in rows:
        assert found.index(path) == IndexFile(path, int(size), sha256)
    assert len(rows) > 300
    # What apt has fetched and checked.
    path, data = "main/binary-amd64/Packages", apt(suite).packages.read_bytes()
    assert found.index(path) == IndexFile(path, len(data), hashlib.sha256(data).hexdigest())


@pytest.mark.parametrize("suite", SUITES)
def test_every_package(suite: str) -> None:
    expected = stanzas(suite)
    found = list(index(suite).matching(""))
    rows = [
        (p.name, p.version, p.architecture, p.filename, str(p.size), p.sha256, p.depends)
        for p in found
    ]
    names = ("Package", "Version", "Architecture", "Filename", "Size", "SHA256", "Depends")
    assert rows == [tuple(row.get(name, "") for name in names) for row in expected]
    descriptions = [row["Description"] for row in expected]
    assert [package.get("Description") for package in found] == descriptions


@pytest.mark.parametrize("suite", SUITES)
def test_kernels_are_those_that_apt_has(suite: str) -> None:
    real = {row["Package"] for row in stanzas(suite)}
    names = set(apt(suite)("apt-cache", "pkgnames", "linux-image-").split()) & real
    assert {package.name for package in index(suite).matching("linux-image-")} == names
    assert names


@pytest.mark.parametrize("suite", SUITES)
def test_files_are_those_that_apt_would_fetch(suite: str) -> None:
    packages = [*index(suite).matching("linux-image-"), *index(suite).find("busybox-static")]
    packages += list(index(suite).matching(""))[::STEP]
    unique = {(p.name, p.version): p for p in packages}
    wanted = (f"{name}={version}" for name, version in unique)
    output = apt(suite)("apt-get", "--print-uris", "-qq", "download", *wanted)
    uri = apt(suite).targets("$(REPO_URI)")[0]
    rows = re.findall(r"^'(\S+)' \S+ (\d+) SHA256:([0-9a-f]{64})$", output, re.MULTILINE)
    files = {(f"{uri}{p.filename}", str(p.size), p.sha256) for p in unique.values()}
    # apt escapes what need not be.
    assert {(row[0].replace("%2b", "+").replace("%7e", "~"), *row[1:]) for row in rows} == files


@pytest.mark.parametrize("suite", SUITES)
def test_versions_in_the_order_of_apt(suite: str) -> None:
    names = collections.Counter(row["Package"] for row in stanzas(suite))
    several = sorted(name for name, count in names.items() if count > 1)
    listing = apt(suite)("apt-cache", "madison", *several, "busybox-static")
    rows = [[part.strip() for part in line.split("|")] for line in listing.splitlines()]
    assert {row[0] for row in rows} >= set(several)
    for name in {row[0] for row in rows}:
        found = [package.version for package in index(suite).find(name)]
        assert found == [version for row, version, _ in rows if row == name]


def agree(ordered: Iterable[str]) -> None:
    """Check with dpkg that versions are in order, and equal just where their keys are.

    Each is compared with the next; what holds for neighbours holds for all.
    """
    rows = (
        f"{older} {'eq' if version_key(older) == version_key(newer) else 'lt'} {newer}\n"
        for older, newer in itertools.pairwise(ordered)
    )
    tool("dpkg")
    wrong = run("sh", "-c", COMPARE, stdin="".join(rows).encode())
    assert wrong == ""


def test_real_versions() -> None:
    found = {package["Version"] for suite in SUITES for package in stanzas(suite)}
    ordered = sorted(sorted(found), key=version_key)
    # Rare characters in full, of the others some stretches of neighbours.
    odd = [text for text in ordered if re.search(r"[~:]|[A-Za-z].*-", text)]
    plain = [text for start in range(0, len(ordered), 2000) for text in ordered[start : start + 50]]
    agree(odd[::5])
    agree(sorted(plain, key=version_key))
    assert len(odd) > 1000


def generated(seed: int) -> str:
    """A well-formed version; many of them are near to others."""
    source = random.Random(seed)

    def part(alphabet: str, longest: int) -> str:
        return "".join(source.choices(alphabet, k=source.randrange(longest)))

    epoch = source.choice(["", "", "", "0:", "1:", "10:"])
    upstream = source.choice("012") + part("0019aZ.+~" + "-" * (seed % 2), 7)
    revision = source.choice(["", "-" + source.choice("0a+~.") + part("0019aZ.+~", 4)])
    return f"{epoch}{upstream.rstrip('-')}{revision}"


def test_generated_versions() -> None:
    versions = sorted({generated(seed) for seed in range(2500)})
    agree(sorted(versions, key=version_key))
    keys = [version_key(text) for text in versions]
    # Otherwise no equal ones would have been compared.
    assert len(set(keys)) < len(keys)
