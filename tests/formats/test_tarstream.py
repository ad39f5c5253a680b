"""The libarchive adapter: entries, hostile names, and every way a stream can end badly."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tarfile
import unicodedata
from typing import TYPE_CHECKING

import pytest

from rdcompose.errors import FormatError, UnsupportedError
from rdcompose.formats import tarstream
from rdcompose.formats.tarstream import Kind, Member, iter_tar, plain_path
from tests.support.debs import MTIME, Content, hard_link, make_tar

if TYPE_CHECKING:
    from collections.abc import Iterator


def read(tar: bytes, piece: int = 1 << 20) -> list[Member]:
    return list(iter_tar(tar[start : start + piece] for start in range(0, len(tar), piece)))


def node() -> tarfile.TarInfo:
    header = tarfile.TarInfo()
    header.type, header.devmajor, header.devminor, header.mode = tarfile.CHRTYPE, 1, 3, 0o666
    return header


FILES: dict[str, Content] = {
    "usr/bin/tool": (0o4755, b"binary" * 1000),
    "usr/empty": b"",
    "usr/lib": None,
    "usr/lib/link": "../bin/tool",
    "usr/lib/same": hard_link("./usr/bin/tool"),
    "dev/null": node(),
    "usr/" + "long-name/" * 15 + "x": b"deep",
}


def member(path: str, kind: Kind, mode: int = 0o644, content: bytes = b"", **more: str) -> Member:
    return Member(
        path=path,
        kind=kind,
        mode=mode,
        size=len(content),
        mtime=MTIME if path != "dev/null" else 0,
        content=content,
        target=more.get("target", ""),
    )


def directory(path: str) -> Member:
    return member(path, Kind.DIRECTORY, 0o755)


DEEP = "usr/" + "long-name/" * 15
EXPECTED = [
    directory("usr"),
    directory("usr/bin"),
    member("usr/bin/tool", Kind.FILE, 0o4755, b"binary" * 1000),
    member("usr/empty", Kind.FILE),
    directory("usr/lib"),
    member("usr/lib/link", Kind.SYMLINK, 0o777, target="../bin/tool"),
    member("usr/lib/same", Kind.HARDLINK, target="usr/bin/tool"),
    directory("dev"),
    member("dev/null", Kind.OTHER, 0o666),
    *(directory("usr" + "/long-name" * n) for n in range(1, 16)),
    member(DEEP + "x", Kind.FILE, content=b"deep"),
]


@pytest.mark.parametrize("piece", [1 << 20, 10_240, 512, 300, 7])
@pytest.mark.parametrize("tar_format", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT], ids=["gnu", "pax"])
def test_entries(piece: int, tar_format: int) -> None:
    assert read(make_tar(FILES, tar_format=tar_format), piece) == EXPECTED


def test_empty_pieces_are_passed_over() -> None:
    tar = make_tar({"a": b"1"})
    assert [m.path for m in iter_tar([b"", tar[:512], b"", tar[512:], b""])] == ["a"]


def test_content_is_read_only_where_wanted() -> None:
    tar = make_tar({"a": b"11", "b": b"22", "c": b"33"})
    got = [(m.path, m.size, m.content) for m in iter_tar([tar], wanted="b".__eq__)]
    assert got == [("a", 2, b""), ("b", 2, b"22"), ("c", 2, b"")]


def test_a_tar_of_nothing() -> None:
    assert read(make_tar({}, prefix="")) == []


@pytest.mark.parametrize("name", [b"caf\xc3\xa9", b"caf\xe9"], ids=["utf-8", "latin-1"])
def test_names_are_bytes(name: bytes) -> None:
    tar = make_tar({name.decode("utf-8", "surrogateescape"): b"1"})
    assert [m.path.encode("utf-8", "surrogateescape") for m in read(tar)] == [name]


SCRIPT = """
import sys
from rdcompose.formats.tarstream import iter_tar
for m in iter_tar([sys.stdin.buffer.read()]):
    print(m.kind.name, ascii(m.path), ascii(m.target))
"""


@pytest.mark.parametrize("locale", ["C", "C.UTF-8", "POSIX", "no_SUCH"])
@pytest.mark.parametrize("tar_format", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT], ids=["gnu", "pax"])
def test_names_do_not_depend_on_the_locale(locale: str, tar_format: int) -> None:
    name = unicodedata.normalize("NFC", "dätei")
    tar = make_tar({name: b"1", "z": name, "h": hard_link("./" + name)}, tar_format=tar_format)
    environment = {**os.environ, "LC_ALL": locale, "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], input=tar, env=environment, capture_output=True, check=True
    )
    assert done.stdout.decode().splitlines() == [
        r"FILE 'd\xe4tei' ''",
        r"SYMLINK 'z' 'd\xe4tei'",
        r"HARDLINK 'h' 'd\xe4tei'",
    ]
    assert done.stderr == b""


TAR = make_tar({"a": b"x" * 700, "zeros": bytes(4096)})


@pytest.mark.parametrize("length", [0, 1, 511, 512, 600, 1024, 1800, 2048, 3072, 2560 + 4096])
def test_cut(length: int) -> None:
    # 512, 2048 and 6656 lie between two entries, where libarchive sees a clean end; at 6656
    # the last bytes are zeros, too, but of a file.
    with pytest.raises(FormatError, match=r"damaged or cut short|cut short at offset"):
        read(TAR[:length])


@pytest.mark.parametrize("zeros", [512, 1024, 10_240])
def test_any_number_of_zero_blocks_ends_a_tar(zeros: int) -> None:
    assert [m.path for m in read(TAR[: 2560 + 4096] + bytes(zeros), 512)] == ["a", "zeros"]


@pytest.mark.parametrize("piece", [512, 1 << 20])
@pytest.mark.parametrize("behind", [b"junk", TAR, bytes(20_000) + b"\1"])
def test_data_behind_the_end(behind: bytes, piece: int) -> None:
    with pytest.raises(FormatError, match="followed by other data"):
        read(TAR + behind, piece)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"PK\3\4" * 1000, id="zip"),
        pytest.param(b"!<arch>\n" * 1000, id="ar"),
        pytest.param(b"\xff" * 10_240, id="noise"),
        pytest.param(bytes([*TAR[:100], 0xFF, *TAR[101:]]), id="broken-checksum"),
    ],
)
def test_no_tar(data: bytes) -> None:
    with pytest.raises(FormatError, match="damaged or cut short"):
        read(data)


@pytest.mark.parametrize("after", [0, 512, 600, 2048])
def test_an_error_of_the_source_arrives_as_it_is(after: int) -> None:
    error = OSError("disk on fire")

    def source() -> Iterator[bytes]:
        yield TAR[:after]
        raise error

    with pytest.raises(OSError, match="disk on fire") as caught:
        list(iter_tar(source()))
    assert caught.value is error


def test_an_error_of_the_source_behind_the_end_arrives() -> None:
    def source() -> Iterator[bytes]:
        yield TAR
        raise FormatError("wrong checksum at the very end")

    with pytest.raises(FormatError, match="at the very end"):
        list(iter_tar(source()))


def test_the_source_is_closed_when_reading_stops() -> None:
    closed = []

    def source() -> Iterator[bytes]:
        try:
            yield TAR[:1024]
            yield TAR[1024:]
        finally:
            closed.append(True)

    members = iter_tar(source())
    next(members)
    members.close()  # type: ignore[attr-defined]
    assert closed == [True]


def renamed(name: str, **fields: object) -> bytes:
    header = tarfile.TarInfo(name)
    for key, value in fields.items():
        setattr(header, key, value)
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as tar:
        tar.addfile(header)
    return out.getvalue()


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("../etc/passwd", id="dotdot"),
        pytest.param("./usr/../../x", id="dotdot-inside"),
        pytest.param("/etc/passwd", id="absolute"),
        pytest.param(".//etc/passwd", id="doubled-slash"),
        pytest.param("usr/./x", id="dot-inside"),
        pytest.param("d/" * 10_000 + "x", id="10000-levels"),
        pytest.param("n" * 256, id="long-component"),
        pytest.param("", id="empty"),
    ],
)
def test_hostile_names(name: str) -> None:
    with pytest.raises(FormatError, match="hostile name"):
        read(renamed(name))


@pytest.mark.parametrize("target", ["../x", "/etc/passwd", "a/../../x"])
def test_hostile_targets_of_hard_links(target: str) -> None:
    with pytest.raises(FormatError, match="hostile name"):
        read(renamed("x", type=tarfile.LNKTYPE, linkname=target))


@pytest.mark.parametrize("target", ["../../x", "/etc/passwd", "no/where"])
def test_targets_of_symlinks_are_data(target: str) -> None:
    (link,) = read(renamed("x", type=tarfile.SYMTYPE, linkname=target))
    assert (link.kind, link.target) == (Kind.SYMLINK, target)


def test_a_root_that_is_no_directory() -> None:
    with pytest.raises(FormatError, match="a file for its root"):
        read(renamed("./"[:1]))


def test_a_file_beyond_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tarstream, "MAX_CONTENT", 699)
    with pytest.raises(UnsupportedError, match="'a' has 700 bytes"):
        read(TAR)
    assert [m.size for m in iter_tar([TAR], wanted=lambda _: False)] == [700, 4096]


def test_a_file_that_claims_8_exabytes() -> None:
    # Base-256, as GNU tar writes what octal digits cannot hold.
    tar = bytearray(TAR[:1024])
    tar[512 + 124 : 512 + 136] = b"\x80" + bytes(3) + b"\x7f" + b"\xff" * 7
    tar[512 + 148 : 512 + 156] = b" " * 8
    total = sum(tar[512:1024])
    tar[512 + 148 : 512 + 156] = b"%06o\0 " % total
    with pytest.raises((FormatError, UnsupportedError), match=r"9223372036854775807|damaged"):
        read(bytes(tar) + TAR[1024:])


def sparse(real_size: int, pieces: list[tuple[int, bytes]]) -> bytes:
    """Return the header and data of a file in the old sparse format of GNU tar."""
    data = b"".join(piece for _, piece in pieces)
    header = tarfile.TarInfo("sparse")
    header.size = len(data)
    raw = bytearray(header.tobuf(tarfile.GNU_FORMAT))
    raw[156:157] = b"S"
    table = [b"%011o\0%011o\0" % (offset, len(piece)) for offset, piece in pieces]
    raw[386 : 386 + 24 * len(table)] = b"".join(table)
    raw[483:495] = b"%011o\0" % real_size
    raw[148:156] = b" " * 8
    raw[148:156] = b"%06o\0 " % sum(raw)
    return bytes(raw) + data + bytes(-len(data) % 512) + bytes(1024)


def test_gaps_of_sparse_files_are_filled() -> None:
    (member,) = read(sparse(5000, [(512, b"a" * 512), (2048, b"b" * 10)]))
    content = bytes(512) + b"a" * 512 + bytes(1024) + b"b" * 10
    assert (member.size, member.content) == (5000, content.ljust(5000, b"\0"))


@pytest.mark.parametrize(
    ("name", "path"), [("./", ""), (".", ""), ("././", ""), ("./a/", "a"), ("a/b", "a/b")]
)
def test_plain_path(name: str, path: str) -> None:
    assert plain_path(name) == path


@pytest.mark.parametrize("error", [ImportError("no wrapper"), AttributeError("symbol"), OSError()])
def test_a_missing_library(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fail() -> None:
        raise error

    monkeypatch.setattr(tarstream, "_Library", fail)
    tarstream._library.cache_clear()
    try:
        with pytest.raises(UnsupportedError, match="libarchive cannot be loaded") as caught:
            read(TAR)
    finally:
        tarstream._library.cache_clear()
    assert "apt install libarchive13" in str(caught.value.hint)


def test_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tarstream._library(), "read_new", lambda: None)
    with pytest.raises(MemoryError):
        read(TAR)
