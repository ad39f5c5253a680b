"""The .deb reader: every compression, the rules of deb(5), damage and hostile content."""

from __future__ import annotations

import io

import pytest

from rdcompose.errors import FormatError, RdcomposeError, UnsupportedError
from rdcompose.formats import deb as deb_module
from rdcompose.formats.deb import Control, Deb, Kind
from tests.support.debs import (
    COMPRESSORS,
    Content,
    control_text,
    hard_link,
    make_ar,
    make_deb,
    make_tar,
)

FILES: dict[str, Content] = {
    "boot/vmlinuz": b"kernel" * 1000,
    "usr/bin/tool": (0o755, b"program"),
    "usr/bin/alias": "tool",
    "usr/bin/same": hard_link("./usr/bin/tool"),
}
EXPECTED = [
    ("boot", Kind.DIRECTORY, 0o755, "", b""),
    ("boot/vmlinuz", Kind.FILE, 0o644, "", b"kernel" * 1000),
    ("usr", Kind.DIRECTORY, 0o755, "", b""),
    ("usr/bin", Kind.DIRECTORY, 0o755, "", b""),
    ("usr/bin/tool", Kind.FILE, 0o755, "", b"program"),
    ("usr/bin/alias", Kind.SYMLINK, 0o777, "tool", b""),
    ("usr/bin/same", Kind.HARDLINK, 0o644, "usr/bin/tool", b""),
]


def listing(data: bytes, threads: int = 1) -> list[tuple[str, Kind, int, str, bytes]]:
    members = Deb.open(io.BytesIO(data), threads=threads).members()
    return [(m.path, m.kind, m.mode, m.target, m.content) for m in members]


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("suffix", COMPRESSORS)
def test_every_compression(suffix: str, threads: int) -> None:
    assert listing(make_deb(FILES, data=suffix), threads) == EXPECTED


@pytest.mark.parametrize("suffix", COMPRESSORS)
def test_every_compression_of_the_control_member(suffix: str) -> None:
    data = make_deb({}, control={"Package": "some-name"}, control_data=suffix)
    assert Deb.open(io.BytesIO(data)).control.package == "some-name"


def test_files_can_be_read_again_and_by_name() -> None:
    deb = Deb.open(io.BytesIO(make_deb(FILES)))
    assert (deb.data_member.name, len(list(deb.members()))) == ("data.tar.xz", 7)
    wanted = {m.path: m.content for m in deb.members("usr/bin/tool".__eq__) if m.content}
    assert wanted == {"usr/bin/tool": b"program"}


CONTROL = b"""\
Package: linux-image-6.1.0-56-amd64
Version: 6.1.192-2
Architecture: amd64
Depends: kmod,
 linux-base (>= 4.3~)
Description: Linux 6.1
 The kernel.
 .
\tMore \xc3\xa9 of it.
Empty:
"""


def test_control() -> None:
    control = Control.parse(CONTROL)
    assert control.fields == (
        ("Package", "linux-image-6.1.0-56-amd64"),
        ("Version", "6.1.192-2"),
        ("Architecture", "amd64"),
        ("Depends", "kmod,\nlinux-base (>= 4.3~)"),
        ("Description", "Linux 6.1\nThe kernel.\n.\nMore é of it."),
        ("Empty", ""),
    )
    assert (control.package, control.version) == ("linux-image-6.1.0-56-amd64", "6.1.192-2")
    assert (control.architecture, control.get("DEPENDS")[:4]) == ("amd64", "kmod")
    assert (control.get("Missing"), control.get("Missing", "-")) == ("", "-")
    assert Control.parse(CONTROL + b"\n\n") == control


BASE = control_text()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("", "line 1", id="empty"),
        pytest.param(" x\n" + BASE, "line 1", id="continuation-first"),
        pytest.param(BASE + "no field\n", "line 4", id="no-colon"),
        pytest.param(BASE + ": x\n", "line 4", id="no-name"),
        pytest.param(BASE + "A B: x\n", "line 4", id="space-in-name"),
        pytest.param(BASE + "#: x\n", "line 4", id="comment"),
        pytest.param(BASE + "-x: x\n", "line 4", id="dash"),
        pytest.param(BASE + "Ä: x\n", "line 4", id="non-ascii-name"),
        pytest.param(BASE + "\nPackage: other\n", "line 4", id="second-stanza"),
        pytest.param(BASE + " \nA: x\n", "line 4", id="blank-continuation"),
        pytest.param(BASE + "package: other\n", "repeats the field package", id="repeated"),
        pytest.param("Package: a\nVersion: 1\n", "no valid field Architecture", id="missing"),
        pytest.param(control_text({"Package": ""}), "no valid field Package", id="no-value"),
        pytest.param(control_text({"Version": "1 2"}), "no valid field Version", id="two-words"),
    ],
)
def test_malformed_control(text: str, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        Control.parse(text.encode())


def test_control_in_latin_1() -> None:
    with pytest.raises(FormatError, match="not UTF-8 at byte 9"):
        Control.parse(b"Package: \xe9\n")


GZ = COMPRESSORS["gz"]
VERSION = ("debian-binary", b"2.0\n")
STANZA = ("control.tar.gz", GZ(make_tar({"control": BASE.encode()})))
DATA = ("data.tar.gz", GZ(make_tar({"a": b"1"})))


@pytest.mark.parametrize(
    "members",
    [
        pytest.param([VERSION, STANZA, DATA], id="plain"),
        pytest.param([("debian-binary", b"2.11\nmore\n"), STANZA, DATA], id="minor-version"),
        pytest.param([VERSION, ("_new", b"x"), STANZA, ("_y", b""), DATA], id="underscores"),
        pytest.param([VERSION, STANZA, DATA, ("sbom.json", b"{}")], id="members-behind"),
        pytest.param(
            [VERSION, ("control.tar", make_tar({"md5sums": b"", "control": BASE.encode()})), DATA],
            id="control-not-first",
        ),
        pytest.param(
            [VERSION, ("control.tar", make_tar({"control": BASE.encode()}, prefix="")), DATA],
            id="no-dot-slash",
        ),
    ],
)
def test_accepted(members: list[tuple[str, bytes]]) -> None:
    assert [path for path, *_ in listing(make_ar(members))] == ["a"]


def stanza(files: dict[str, Content]) -> tuple[str, bytes]:
    return ("control.tar", make_tar(files))


@pytest.mark.parametrize(
    ("members", "message"),
    [
        pytest.param([], "first member is not debian-binary", id="no-members"),
        pytest.param([STANZA, DATA], "first member is not debian-binary", id="no-version"),
        pytest.param([("debian-binary", b"")], "does not state its format", id="empty-version"),
        pytest.param([("debian-binary", b"two\n")], "does not state its format", id="words"),
        pytest.param([("debian-binary", b"2\n")], "does not state its format", id="no-minor"),
        pytest.param([VERSION], "no control.tar", id="nothing-more"),
        pytest.param([VERSION, DATA, STANZA], "no control.tar", id="wrong-order"),
        pytest.param([VERSION, STANZA], "no data.tar", id="no-data"),
        pytest.param([VERSION, STANZA, ("other", b""), DATA], "no data.tar", id="between"),
        pytest.param([VERSION, STANZA, DATA] * 30, "over 64 members", id="many-members"),
        pytest.param([VERSION, stanza({}), DATA], "control file is missing", id="no-control"),
        pytest.param(
            [VERSION, stanza({"control": "/etc/passwd"}), DATA],
            "control file is missing",
            id="control-is-a-link",
        ),
        pytest.param(
            [VERSION, stanza({"control": b"x"}), DATA], "in control.tar: line 1", id="bad-control"
        ),
        pytest.param(
            [VERSION, ("control.tar.xz", STANZA[1]), DATA],
            "in control.tar.xz: .* not compressed with xz",
            id="wrong-suffix",
        ),
        pytest.param(
            [VERSION, STANZA, ("data.tar.zst", DATA[1])],
            "in data.tar.zst: .* not compressed with zstd",
            id="wrong-suffix-of-data",
        ),
        pytest.param(
            [VERSION, STANZA, ("data.tar.xz", b"")], "not compressed with xz", id="empty-data"
        ),
    ],
)
def test_refused(members: list[tuple[str, bytes]], message: str) -> None:
    with pytest.raises(FormatError, match=message) as caught:
        Deb.open(io.BytesIO(make_ar(members)))
    assert caught.value.hint
    assert "\n" not in caught.value.message


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([("debian-binary", b"3.0\n"), STANZA, DATA], "format version 3"),
        ([VERSION, STANZA, ("data.tar.lz4", b"")], "no known compression has the suffix"),
        ([VERSION, ("control.tar.Z", b""), DATA], "no known compression has the suffix"),
    ],
)
def test_not_supported(members: list[tuple[str, bytes]], message: str) -> None:
    with pytest.raises(UnsupportedError, match=message):
        Deb.open(io.BytesIO(make_ar(members)))


def test_a_bomb_in_the_control_member(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deb_module, "_MAX_CONTROL", 100_000)
    bomb = ("control.tar.gz", GZ(make_tar({"control": BASE.encode(), "x": bytes(1 << 20)})))
    with pytest.raises(FormatError, match=r"in control\.tar\.gz: it unpacks to more than"):
        Deb.open(io.BytesIO(make_ar([VERSION, bomb, DATA])))


@pytest.mark.parametrize("suffix", COMPRESSORS)
def test_cut_anywhere(suffix: str) -> None:
    data = make_deb({"a": b"1", "b": bytes(600)}, data=suffix)
    end = len(data) - 1  # the last byte may be padding, which nobody needs
    for length in range(0, end, 1 if suffix else 64):
        with pytest.raises(RdcomposeError):
            listing(data[:length])


@pytest.mark.parametrize("suffix", COMPRESSORS)
def test_a_data_member_cut_within_its_own_size(suffix: str) -> None:
    # As left by a program that wrote the archive, but not all of the content.
    packed = COMPRESSORS[suffix](make_tar({"a": b"1" * 600}))
    name = f"data.tar.{suffix}" if suffix else "data.tar"
    for length in range(1, len(packed), 7) if suffix else (512, 1024, 1600, 2048):
        with pytest.raises(FormatError):
            listing(make_ar([VERSION, STANZA, (name, packed[:length])]))


@pytest.mark.parametrize("suffix", COMPRESSORS)
def test_junk_behind_the_data(suffix: str) -> None:
    packed = COMPRESSORS[suffix](make_tar({"a": b"1" * 600}))
    name = f"data.tar.{suffix}" if suffix else "data.tar"
    with pytest.raises(FormatError, match=f"in {name}: "):
        listing(make_ar([VERSION, STANZA, (name, packed + b"\xffjunk" * 8)]))


@pytest.mark.parametrize("suffix", ["xz", "zst", "gz", "bz2"])
def test_a_flipped_bit_never_changes_content(suffix: str) -> None:
    data = make_deb({"a": b"content"}, data=suffix)
    good, noticed = listing(make_deb({"a": b"content"}, data="gz")), 0
    for place in range(len(data) - 100, len(data)):
        damaged = bytearray(data)
        damaged[place] ^= 1
        try:
            assert listing(bytes(damaged)) == good
        except RdcomposeError:
            noticed += 1
    assert noticed > 80


@pytest.mark.parametrize(
    "name", ["../x", "/etc/x", "a/../../x", "d/" * 10_000 + "x", "a//b", "n" * 300]
)
def test_hostile_names(name: str) -> None:
    tar = make_tar({name: b"1"}, prefix="", parents=False)
    with pytest.raises(FormatError, match=r"in data\.tar\.gz: hostile name") as caught:
        listing(make_deb({}, data="gz", data_tar=tar))
    assert len(caught.value.message) < 400


def test_no_package_at_all() -> None:
    for data in (b"", b"PK\3\4" * 100, b"\x7fELF" * 100, b"!<arch>\n"):
        with pytest.raises(FormatError) as caught:
            Deb.open(io.BytesIO(data))
        assert caught.value.hint
