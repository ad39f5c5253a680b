"""apt's sources: typical hosts, both kinds of files, lists of mirrors, and what is left out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rdcompose.archive.sources import Source, apt_sources
from tests.support.hosts import DEBIAN_KEYRING, EMBEDDED_KEY, HOSTS, LIST, PARTS, make_host

if TYPE_CHECKING:
    from collections.abc import Mapping

A_STANZA = "Types: deb\nURIs: http://a.example.org/\nSuites: sid\nComponents: main\n"
A_FINGERPRINT = "0123456789abcdef0123456789ABCDEF01234567"


def listing(root: Path) -> list[str]:
    return [f"{source.uri} {source.suite}" for source in apt_sources(root).sources]


def only(root: Path) -> Source:
    """The only source of a host, which has nothing left out."""
    found = apt_sources(root)
    assert found.notes == ()
    (source,) = found.sources
    return source


def notes(root: Path, files: Mapping[str, str]) -> list[str]:
    """What is told of a host, with paths relative to its root."""
    prefix = f"{make_host(root, files)}/"
    return [note.replace(prefix, "") for note in apt_sources(root).notes]


@pytest.mark.parametrize(("files", "expected"), HOSTS.values(), ids=list(HOSTS))
def test_typical_hosts(files: Mapping[str, str], expected: list[str], tmp_path: Path) -> None:
    root = make_host(tmp_path, files)
    assert listing(root) == expected
    assert apt_sources(root).notes == ()


def test_a_host_without_apt(tmp_path: Path) -> None:
    assert apt_sources(tmp_path).sources == ()
    assert apt_sources(tmp_path).notes == ()


def test_everything_of_a_source(tmp_path: Path) -> None:
    path = f"{PARTS}/debian.sources"
    root = make_host(tmp_path, HOSTS["trixie"][0])
    assert apt_sources(root).sources[2] == Source(
        uri="http://security.example.org/debian-security",
        suite="trixie-security",
        components=("main", "non-free-firmware"),
        signed_by=(root / DEBIAN_KEYRING[1:],),
        where=f"{root / path}:7",
    )


def test_the_root_is_where_paths_begin(tmp_path: Path) -> None:
    line = "deb [signed-by=/etc/a.gpg] mirror+file:/etc/mirrors sid main\n"
    files = {LIST: line, "etc/mirrors": "file:/srv/debian\n"}
    source = only(make_host(tmp_path, files))
    assert source.signed_by == (tmp_path / "etc/a.gpg",)
    # What an archive's address says is of no root.
    assert source.uri == "file:///srv/debian"


@pytest.mark.parametrize(
    ("options", "paths", "fingerprints"),
    [
        ("", [], ()),
        ("[signed-by=/a.gpg]", ["a.gpg"], ()),
        ("[arch=amd64,i386 signed-by=/k/a.gpg,/k/b.asc lang=none]", ["k/a.gpg", "k/b.asc"], ()),
        (f"[ signed-by={A_FINGERPRINT} ]", [], (A_FINGERPRINT.upper(),)),
        (f"[signed-by={A_FINGERPRINT}!,/a.gpg]", ["a.gpg"], (A_FINGERPRINT.upper() + "!",)),
        ("[signed-by=/a.gpg signed-by=/b.gpg]", ["b.gpg"], ()),
        ("[trusted=yes#really]", [], ()),
    ],
)
def test_signers_in_one_line(
    options: str, paths: list[str], fingerprints: tuple[str, ...], tmp_path: Path
) -> None:
    line = f"deb {options} http://a.example.org/ sid main # nobody\n"
    source = only(make_host(tmp_path, {LIST: line}))
    assert source.signed_by == tuple(tmp_path / path for path in paths)
    assert source.fingerprints == fingerprints
    assert source.key is None


def test_an_embedded_key(tmp_path: Path) -> None:
    source = only(
        make_host(tmp_path, {f"{PARTS}/a.sources": f"{A_STANZA}Signed-By:\n{EMBEDDED_KEY}"})
    )
    lines = [line[1:] for line in EMBEDDED_KEY.splitlines()]
    assert lines[1] == "."
    lines[1] = ""
    assert source.key == "".join(f"{line}\n" for line in lines).encode()
    assert (source.signed_by, source.fingerprints) == ((), ())


@pytest.mark.parametrize("signer", ["a.gpg", A_FINGERPRINT[:-1], "01234567", f"{A_FINGERPRINT}!!"])
def test_what_is_no_signer(signer: str, tmp_path: Path) -> None:
    text = f"{A_STANZA}Signed-By: /a.gpg {signer}\n"
    assert notes(tmp_path, {f"{PARTS}/a.sources": text}) == [
        f"{PARTS}/a.sources:1: left out: Signed-By has '{signer}', no path and no fingerprint"
    ]
    assert listing(tmp_path) == []


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("arch=amd64", True),
        ("check-valid-until=yes", True),
        ("check-valid-until=no", False),
        ("check-valid-until=FALSE", False),
        ("check-date=no", False),
        ("check-date=no check-valid-until=yes", False),
        ("check-date=yes check-valid-until=0", False),
    ],
)
def test_valid_until(options: str, expected: bool, tmp_path: Path) -> None:
    line = f"deb [{options}] http://a.example.org/ sid main\n"
    assert only(make_host(tmp_path, {LIST: line})).check_valid_until == expected


@pytest.mark.parametrize(
    ("value", "enabled"),
    [("no", False), ("No", False), ("0", False), ("off", False), ("yes", True), ("x", True)],
)
def test_enabled(value: str, enabled: bool, tmp_path: Path) -> None:
    root = make_host(tmp_path, {f"{PARTS}/a.sources": f"{A_STANZA}Enabled: {value}\n"})
    assert listing(root) == ["http://a.example.org sid"] * enabled


@pytest.mark.parametrize(
    "line",
    [
        "deb-src http://a.example.org/ sid main",
        "deb http://a.example.org/ sid contrib non-free",
        "deb http://a.example.org/ noble main",
        "deb http://a.example.org/ sid/ ",
        "deb [trusted=yes] copy:/srv/packages ./",
        "#deb http://a.example.org/ sid main",
        " \t # nothing\r",
    ],
)
def test_others_are_left_out_silently(line: str, tmp_path: Path) -> None:
    root = make_host(tmp_path, {LIST: f"{line}\n"})
    assert (listing(root), apt_sources(root).notes) == ([], ())


@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        ("cdrom:[Debian GNU/Linux 12.0.0 _Bookworm_ - Official amd64]/", "with 'cdrom'"),
        ("tor+http://a.example.org/debian", "with 'tor+http'"),
        ("ftp://user:secret@a.example.org/debian", "with 'ftp'"),
        ("copy:/srv/debian", "with 'copy'"),
        ("mirror://a.example.org/list", "with 'mirror'"),
        ("mirror+https://a.example.org/list", "with 'mirror+https'"),
        ("http:/debian", "with 'http'"),
        ("file:srv/debian", "with 'file'"),
        ("https://a.example.org/\x7f", "with 'https'"),
        ("http://a.example.org/$(ARCH)", "another for each architecture"),
        ('"http://a.example.org/a b"', "with 'http'"),
    ],
)
def test_addresses_that_are_not_used(uri: str, reason: str, tmp_path: Path) -> None:
    (note,) = notes(tmp_path, {LIST: f"\ndeb {uri} bookworm main\n"})
    assert note.startswith(f"{LIST}:2: left out: ")
    assert note.endswith(reason)
    assert listing(tmp_path) == []


MALFORMED = [
    ("deb", "it has no address"),
    ("deb http://a.example.org/", "it has no suite"),
    ("deb http://a.example.org/ sid", "it has no components of 'sid'"),
    ("deb http://a.example.org/ sid/ main", "it has components, though 'sid/'"),
    ("deb a.example.org sid main", "its address is no URI"),
    ("rpm http://a.example.org/ sid main", "'rpm' is no type of source"),
    ("deb [arch=amd64 http://a.example.org/ sid main", "do not end with a bracket"),
    ("deb [arch=amd64]http://a.example.org/ sid main", "do not end with a bracket"),
    ("deb [arch] http://a.example.org/ sid main", "its option 'arch' is no assignment"),
    ("deb [arch=] http://a.example.org/ sid main", "its option 'arch=' is no assignment"),
    ("deb [=amd64] http://a.example.org/ sid main", "its option '=amd64' is no assignment"),
    ('deb "http://a.example.org/ sid main', "a quote or bracket without its end"),
    ("deb cdrom:[Debian sid main", "a quote or bracket without its end"),
]


@pytest.mark.parametrize(("line", "reason"), MALFORMED)
def test_malformed_lines(line: str, reason: str, tmp_path: Path) -> None:
    good = "deb http://good.example.org/ sid main\n"
    (note,) = notes(tmp_path, {LIST: f"# Sources\n{line}\n{good}"})
    assert note.startswith(f"{LIST}:2: left out: ")
    assert reason in note
    assert listing(tmp_path) == ["http://good.example.org sid"]


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("Types: deb\n", "", "it has no type"),
        ("Types: deb", "Types: deb ppa", "'ppa' is no type"),
        ("URIs: http://a.example.org/\n", "", "it has no address"),
        ("http://a.example.org/", "http://a.example.org/ a", "its address is no URI"),
        ("Suites: sid\n", "", "it has no suite"),
        ("Suites: sid", "Suites: sid ./", "it has components, though './'"),
        ("Components: main\n", "", "it has no components of 'sid'"),
        ("Suites: sid", "Suites", "line 6 is no field: 'Suites'"),
    ],
)
def test_malformed_stanzas(old: str, new: str, reason: str, tmp_path: Path) -> None:
    good = A_STANZA.replace("http://a", "http://good")
    assert old in A_STANZA
    text = f"# Sources\n\n\n{A_STANZA.replace(old, new)}\n{good}"
    (note,) = notes(tmp_path, {f"{PARTS}/a.sources": text})
    assert note.startswith(f"{PARTS}/a.sources:4: left out: ")
    assert reason in note
    assert listing(tmp_path) == ["http://good.example.org sid"]


def test_files_and_their_order(tmp_path: Path) -> None:
    names = ["b.list", "A.list", "a.list", "10.sources", "9.sources", "a:b.list", "a.b.list"]
    others = ["a", "list", ".a.list", "a.list.bak", "a list.list", "ä.list", "a.list~", "a.lists"]
    files = {LIST: "deb http://main.example.org/ sid main\n"}
    for name in names + others:
        text = A_STANZA if name.endswith(".sources") else "deb http://a.example.org/ sid main\n"
        files[f"{PARTS}/{name}"] = text.replace("http://a", f"http://{name.replace(':', '_')}")
    root = make_host(tmp_path, files)
    (root / PARTS / "directory.list").mkdir()
    (root / PARTS / "dangling.list").symlink_to("nothing")
    order = ["main", "10.sources", "9.sources", "A.list", "a.b.list", "a.list", "a_b.list"]
    expected = [*order, "b.list"]
    assert listing(root) == [f"http://{name}.example.org sid" for name in expected]
    assert apt_sources(root).notes == ()


def test_a_suite_at_an_address_is_given_once(tmp_path: Path) -> None:
    lines = [
        "deb http://a.example.org/debian sid contrib",
        "deb http://a.example.org/debian/ sid main",
        "deb http://a.example.org/debian sid non-free main",
    ]
    source = only(make_host(tmp_path, {LIST: "\n".join(lines)}))
    assert (source.components, source.where) == (("main",), f"{tmp_path / LIST}:2")


def test_what_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = make_host(tmp_path, HOSTS["backports"][0])
    read = Path.read_bytes

    def refuse(path: Path) -> bytes:
        if path == root / LIST:
            raise PermissionError(13, "Permission denied")
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", refuse)
    assert notes(root, {}) == [f"{LIST}: left out: it cannot be read: Permission denied"]
    assert listing(root) == ["http://mirror.example.org/debian bookworm-backports"]


def test_a_directory_that_is_none(tmp_path: Path) -> None:
    root = make_host(tmp_path, {LIST: "deb http://a.example.org/ sid main\n"})
    (root / PARTS).rmdir()
    assert listing(root) == ["http://a.example.org sid"]
    (root / PARTS).write_bytes(b"")
    (note,) = apt_sources(root).notes
    assert note == f"{root / PARTS}: left out: it cannot be read: Not a directory"
    assert listing(root) == ["http://a.example.org sid"]


MIRRORS = """\
# The mirrors of this site

http://last.example.org/debian/
https://third.example.org/debian\tpriority:3
http://partial.example.org/debian\tarch:amd64 arch:all\tpriority:1
file:/srv/debian/\tpriority:2
ftp://user:secret@a.example.org/debian
https://fourth.example.org/debian\tpriority:3
"""


def test_mirrors_by_priority_and_the_partial_ones_last(tmp_path: Path) -> None:
    line = "deb mirror+file:/etc/apt/mirrors%20here.txt bookworm main\n"
    files = {LIST: line, "etc/apt/mirrors here.txt": MIRRORS}
    assert notes(tmp_path, files) == [
        "etc/apt/mirrors here.txt:7: left out: nothing is fetched from addresses with 'ftp'"
    ]
    assert listing(tmp_path) == [
        "file:///srv/debian bookworm",
        "https://third.example.org/debian bookworm",
        "https://fourth.example.org/debian bookworm",
        "http://last.example.org/debian bookworm",
        "http://partial.example.org/debian bookworm",
    ]
    assert {source.where for source in apt_sources(tmp_path).sources} == {f"{tmp_path / LIST}:1"}


@pytest.mark.parametrize("text", [None, "", "# nothing\n"])
def test_a_list_of_no_mirrors(text: str | None, tmp_path: Path) -> None:
    files = {LIST: "deb mirror+file:///etc/mirrors bookworm main\n"}
    if text is not None:
        files["etc/mirrors"] = text
    prefix = f"{LIST}:1: left out: "
    (note,) = notes(tmp_path, files)
    assert note == f"{prefix}etc/mirrors names no mirror that can be used"


@pytest.mark.parametrize("value", ["enable", "no"])
def test_a_snapshot_that_is_none(value: str, tmp_path: Path) -> None:
    only(make_host(tmp_path, {f"{PARTS}/a.sources": f"{A_STANZA}Snapshot: {value}\n"}))


def test_a_snapshot_of_apt_is_told(tmp_path: Path) -> None:
    text = f"{A_STANZA}Snapshot: 20250311T030104Z\n"
    (note,) = notes(tmp_path, {f"{PARTS}/a.sources": text})
    assert note == f"{PARTS}/a.sources:1: used as it is today: its snapshot is for apt only"
    assert listing(tmp_path) == ["http://a.example.org sid"]


def test_comments_in_any_encoding(tmp_path: Path) -> None:
    root = make_host(tmp_path, {})
    (root / LIST).write_bytes(b"# Spiegel f\xfcr uns\r\ndeb http://a.example.org/ sid main\r\n")
    assert only(root).uri == "http://a.example.org"


WORDS = st.sampled_from(
    ["deb", "http://a.example.org/", "mirror+file:/etc/apt/sources.list", "sid", "main", "[", "]"]
)
NAMES = st.sampled_from(["Types", "URIs", "Suites", "Components", "Signed-By", "Snapshot"])
TEXTS = st.one_of(
    st.text(),
    st.lists(st.one_of(WORDS, st.text(max_size=5))).map(" ".join),
    st.lists(st.tuples(NAMES, st.one_of(WORDS, st.text(max_size=9)))).map(
        lambda rows: "\n".join(f"{name}: {value}" for name, value in rows)
    ),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(one_line=TEXTS, deb822=TEXTS)
def test_any_text_gives_usable_sources(one_line: str, deb822: str, tmp_path: Path) -> None:
    root = make_host(tmp_path, {LIST: one_line, f"{PARTS}/a.sources": deb822})
    for source in apt_sources(root).sources:
        assert source.uri.startswith(("http://", "https://", "file:///")) or source.uri == "file://"
        assert not source.uri.endswith("/") or source.uri == "file://"
        assert " " not in source.uri
        assert "main" in source.components
