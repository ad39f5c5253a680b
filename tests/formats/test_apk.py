"""The reader for Alpine's packages."""

from __future__ import annotations

import gzip
import io

import pytest

from rdcompose.errors import FormatError, RdcomposeError, UnsupportedError
from rdcompose.formats.apk import Apk, PackageInfo, read_apk_file
from rdcompose.formats.tarstream import Kind
from tests.support.debs import Content, make_apk, make_tar

FILES: dict[str, Content] = {
    "bin/busybox.static": (0o755, b"program" * 100),
    "bin/link": "busybox.static",
    ".x/y": b"1",
}


@pytest.mark.parametrize("signed", [True, False])
def test_members(signed: bool) -> None:
    apk = Apk.open(io.BytesIO(make_apk(FILES, info={"arch": "aarch64"}, signed=signed)))
    assert (apk.info.package, apk.info.version) == ("sample", "1.0-r0")
    assert apk.info.architecture == "aarch64"
    assert [(m.path, m.kind, m.mode, m.target, m.size) for m in apk.members()] == [
        ("bin", Kind.DIRECTORY, 0o755, "", 0),
        ("bin/busybox.static", Kind.FILE, 0o755, "", 700),
        ("bin/link", Kind.SYMLINK, 0o777, "busybox.static", 0),
        (".x/y", Kind.FILE, 0o644, "", 1),
    ]


def test_one_file() -> None:
    stream = io.BytesIO(make_apk(FILES))
    assert read_apk_file(stream, "bin/busybox.static") == b"program" * 100


@pytest.mark.parametrize("path", ["bin/other", "bin/link", "bin", ".PKGINFO", ""])
def test_no_such_file(path: str) -> None:
    with pytest.raises(FormatError, match="has no file"):
        read_apk_file(io.BytesIO(make_apk(FILES)), path)


def test_package_info() -> None:
    text = b"# comment\n\npkgname = a\npkgver = 1\narch = x86\ndepend = so:x=1\ndepend = y\nz =\n"
    info = PackageInfo.parse(text)
    assert info.fields[3:] == (("depend", "so:x=1"), ("depend", "y"), ("z", ""))
    assert (info.get("depend"), info.get("none"), info.get("none", "-")) == ("so:x=1", "", "-")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "no field pkgname"),
        (b"pkgname = a\npkgver = 1\n", "no field arch"),
        (b"pkgname a\n", "has the line"),
        (b"= a\n", "has the line"),
    ],
)
def test_malformed_info(text: bytes, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        PackageInfo.parse(text)


def gz(tar: bytes) -> bytes:
    return gzip.compress(tar, mtime=0)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"!<arch>\n" * 20, id="deb"),
        pytest.param(gz(b""), id="empty-gzip"),
        pytest.param(gz(make_tar({"a": b"1"})), id="any-tar-gz"),
        pytest.param(gz(make_tar({".SIGN.x": b"1"}, prefix="")), id="signature-only"),
        pytest.param(gz(make_tar({"a": b"", ".PKGINFO": b"x"}, prefix="")), id="info-not-first"),
        pytest.param(gz(make_tar({".PKGINFO": "/etc/x"}, prefix="")), id="info-is-a-link"),
    ],
)
def test_no_package(data: bytes) -> None:
    with pytest.raises(FormatError):
        Apk.open(io.BytesIO(data))


@pytest.mark.parametrize("magic", [b"ADBd", b"ADB.", b"ADBc"])
def test_version_3(magic: bytes) -> None:
    with pytest.raises(UnsupportedError, match="version 3"):
        Apk.open(io.BytesIO(magic + bytes(100)))


def test_cut_anywhere() -> None:
    data = make_apk({"bin/x": b"1"})
    for length in range(len(data)):
        with pytest.raises(RdcomposeError):
            read_apk_file(io.BytesIO(data[:length]), "bin/x")
