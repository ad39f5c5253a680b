"""apt's sources as apt itself reads them."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rdcompose.archive.sources import apt_sources
from rdcompose.archive.suites import is_debian_suite
from tests.support.apt import apt_settings, as_options
from tests.support.hosts import EMBEDDED_KEY, HOSTS, LIST, PARTS, make_host
from tests.support.tools import search_path, tool

if TYPE_CHECKING:
    from collections.abc import Mapping

pytestmark = pytest.mark.reference

FORMAT: Final = "$(REPO_URI)|$(RELEASE)|$(COMPONENT)"
SUPPORTED: Final = re.compile(r"https?://|file:|mirror\+file:")


def apt(root: Path) -> list[str]:
    """Options for apt that give it nothing of this machine's but its programs."""
    return as_options(
        apt_settings(root / "state", "amd64")
        | {"Dir::Etc::sourcelist": root / LIST, "Dir::Etc::sourceparts": root / PARTS}
    )


def targets(options: list[str]) -> tuple[list[str] | None, str]:
    """What apt has packages of, as address, suite and component, and its complaints.

    Nothing if apt refuses the files.
    """
    command = [tool("apt-get"), *options, "indextargets", "--no-release-info"]
    command += ["--format", FORMAT, "Created-By: Packages"]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={"PATH": search_path(), "LC_ALL": "C"},
    )
    return (done.stdout.splitlines() if done.returncode == 0 else None), done.stderr


def expected(rows: list[str], root: Path) -> list[str]:
    """Address and suite of those that can be Debian's, in our notation."""
    found = []
    for row in rows:
        uri, suite, component = row.split("|")
        uri = uri.rstrip("/")
        if component != "main" or not is_debian_suite(suite) or not SUPPORTED.match(uri):
            continue
        if uri.startswith("mirror+file:"):
            mirrors = root / re.sub(r"mirror\+file:(//)?/", "", uri)
            (uri,) = mirrors.read_text(encoding="ascii").split()
        found.append(f"{re.sub('^file:/+', 'file:///', uri)} {suite}")
    return list(dict.fromkeys(found))


def ours(root: Path) -> list[str]:
    return [f"{source.uri} {source.suite}" for source in apt_sources(root).sources]


@pytest.mark.parametrize("files", [files for files, _ in HOSTS.values()], ids=list(HOSTS))
def test_typical_hosts(files: Mapping[str, str], tmp_path: Path) -> None:
    root = make_host(tmp_path, files)
    rows, complaints = targets(apt(root))
    assert (rows is not None, complaints) == (True, "")
    assert ours(root) == expected(rows or [], root)
    assert apt_sources(root).notes == ()


def test_this_machine() -> None:
    rows, _ = targets([])
    assert rows is not None
    assert ours(Path("/")) == expected(rows, Path("/"))


NAMES: Final = [
    *("a.list", "B.list", "a_b-c.list", "a:b.list", "a.b.list", "10.sources", "9.sources"),
    *("a.sources", "a.list.bak", "a.sources~", "a b.list", ".a.list", "a.lists", "list"),
    *("ä.list", "a+b.list", "a.LIST", "a.list.", "-.list", "_.sources", "a..list", ".list"),
]


def test_names_of_files_and_their_order(tmp_path: Path) -> None:
    files = {}
    for number, name in enumerate(NAMES):
        uri = f"http://{number}.example.org/"
        one_line = f"deb {uri} sid main\n"
        deb822 = f"Types: deb\nURIs: {uri}\nSuites: sid\nComponents: main\n"
        files[f"{PARTS}/{name}"] = deb822 if name.endswith(".sources") else one_line
    root = make_host(tmp_path, files)
    (root / PARTS / "directory.list").mkdir()
    (root / PARTS / "link.list").symlink_to("a.lists")
    (root / PARTS / "broken.list").symlink_to("nothing")
    rows, _ = targets(apt(root))
    assert rows is not None
    assert len(set(rows)) == 12
    assert ours(root) == expected(rows, root)


OPTIONS: Final = [
    *("", "[arch=amd64] ", "[ arch=amd64 lang+=en ] ", "[arch=amd64]", "[a=b#c] ", "[ ]", "[] "),
    *("[a=b ", "[", "[=b] ", "[a=] ", "[a] ", "[a=b c] ", "[ signed-by=/a.gpg,/b.gpg\t] "),
]
PIECES: Final = [
    *("deb", "deb-src", "rpm", " ", "  ", "\t", "#", '"', "/", "=", "cdrom:[a b]/ ", "nothing"),
    *("http://a.example.org ", "http://a.example.org/debian/ ", "https://b.example.org/d#e"),
    *("file:/srv/debian ", " file:///srv/debian ", "sid", "stable", "trixie", "./"),
    *("main", "contrib", " main", " main ", " sid ", " trixie-updates ", "deb ", " http://a/"),
]
LINES: Final = st.builds(
    lambda kind, options, pieces, end: kind + options + "".join(pieces) + end,
    st.sampled_from(["deb ", "deb\t", "deb-src ", "rpm ", "deb", " deb ", "", "#"]),
    st.sampled_from(OPTIONS),
    st.lists(st.sampled_from(PIECES), max_size=9),
    st.sampled_from(["", "\r", " ", " http://a.example.org/ sid main"]),
)
FIELD_LINES: Final = st.lists(
    st.sampled_from(
        [
            *("Types: deb", "Types: deb deb-src", "types:deb", "Types: deb-src", "#"),
            *("URIs: http://a.example.org", "URIs:", " http://b.example.org/", "URIs: nothing"),
            *("Suites: sid", "Suites: sid trixie", " forky", "Suites: ./", "Suites :", "Suites: a"),
            *("Components: main", "Components: contrib", " main", "components:\tmain\r", "#a: b"),
            *("Enabled: no", "Enabled: yes", "Enabled:", "Enabled: maybe", " ", "\r", "\t", "", ""),
            *("Signed-By: /a.gpg", "Check-Valid-Until: no", "Description: text"),
        ]
    ),
    max_size=10,
)
COMPLETE: Final = ["Types: deb", "URIs: http://a.example.org/", "Suites: sid", "Components: main"]
STANZAS: Final = st.one_of(
    FIELD_LINES, FIELD_LINES.map(lambda lines: [*COMPLETE, *lines]).flatmap(st.permutations)
)
SLOW: Final = settings(
    max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


# What apt passes over in silence, where it comes behind what it needs.
STRICTER: Final = "is no field|a quote or bracket without its end|nothing is fetched|and a space"


def compare(root: Path, name: str, text: str) -> None:
    """A file that apt takes gives the same sources; one that it refuses is not just used."""
    shutil.rmtree(root / "etc", ignore_errors=True)
    make_host(root, {f"{PARTS}/{name}": text})
    rows, _ = targets(apt(root))
    notes = apt_sources(root).notes
    if rows is None:
        assert notes or not ours(root) or "Enabled: no" in text
        return
    if any(re.search(STRICTER, note) for note in notes):
        assert set(ours(root)) <= set(expected(rows, root))
        return
    assert notes == ()
    assert ours(root) == expected(rows, root)


@SLOW
@given(line=LINES)
def test_one_line_files(line: str, tmp_path: Path) -> None:
    compare(tmp_path, "a.list", line + "\n")


@SLOW
@given(lines=STANZAS)
def test_deb822_files(lines: list[str], tmp_path: Path) -> None:
    compare(tmp_path, "a.sources", "\n".join(lines) + "\n")


SIGNERS: Final = {
    "path": "/a.gpg",
    "paths": "/a.gpg /b.gpg",
    "commas": "/a.gpg,/b.gpg ,\t/c.asc",
    "lines": "\n /a.gpg\n /b.gpg",
    "fingerprints": f"{'ab' * 20} {'CD' * 20}!",
    "both": f"/a.gpg {'AB' * 20}",
    "key": f"\n{EMBEDDED_KEY}".rstrip("\n"),
    "key on the first line": EMBEDDED_KEY.strip(),
}


@pytest.mark.parametrize("text", SIGNERS.values(), ids=SIGNERS)
def test_signers(text: str, tmp_path: Path) -> None:
    # Asked for two different signers of one archive, apt names both.
    stanza = "\n".join([*COMPLETE, f"Signed-By: {text}"]) + "\n"
    other = "deb [signed-by=/other.gpg] http://a.example.org/ sid main\n"
    root = make_host(tmp_path, {f"{PARTS}/a.sources": stanza, f"{PARTS}/b.list": other})
    _, complaint = targets(apt(root))
    found = re.search(r"example\.org/ sid: (.*?) != /other\.gpg", complaint, re.DOTALL)
    assert found is not None, complaint
    (source,) = apt_sources(root).sources
    if source.key is not None:
        # apt's messages have indented lines, and no empty ones.
        key = source.key.decode().replace("\n\n", "\n")
        assert key == found[1].replace("\n   ", "\n")
        return
    paths = ["/" + str(path.relative_to(root)) for path in source.signed_by]
    assert [*paths, *source.fingerprints] == found[1].split(",")


@pytest.mark.parametrize(
    "text", ["", "0", "1", "no", "yes", "No", "OFF", "True", "maybe", "disable", "with", "2"]
)
@pytest.mark.parametrize("option", ["Check-Valid-Until", "Check-Date"])
def test_flags(option: str, text: str, tmp_path: Path) -> None:
    # With a value that means another than "no", apt refuses to hear "no" as well.
    stanza = "\n".join([*COMPLETE, f"{option}: {text}"]) + "\n"
    other = f"deb [{option.lower()}=no] http://a.example.org/ sid main\n"
    root = make_host(tmp_path, {f"{PARTS}/a.sources": stanza, f"{PARTS}/b.list": other})
    rows, complaint = targets(apt(root))
    assert (rows is None) == ("Conflicting values" in complaint)
    (source,) = apt_sources(root).sources
    assert source.check_valid_until == (rows is None)
