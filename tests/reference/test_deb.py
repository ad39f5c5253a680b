"""The .deb reader against dpkg-deb, on real packages of kernels and programs."""

from __future__ import annotations

import hashlib
import io
import stat
import tarfile
from typing import TYPE_CHECKING

import pytest

from rdcompose.formats.deb import Deb, Kind, Member
from tests.support.debs import COMPRESSORS, Content, hard_link, make_deb
from tests.support.kernels import package
from tests.support.tools import run, run_bytes, tool

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.reference

PACKAGES = [
    ("bookworm", "amd64", "linux-image-cloud-amd64"),
    ("bookworm", "amd64", "linux-image-amd64"),
    ("bookworm", "amd64", "busybox-static"),
    ("trixie", "amd64", "linux-image-cloud-amd64"),
    ("trixie", "arm64", "linux-image-arm64"),
    ("trixie", "arm64", "e2fsck-static"),
]
EACH = pytest.mark.parametrize("which", PACKAGES, ids="-".join)

Row = tuple[str, Kind, int, int, int, str, str]


def ours(path: Path, threads: int = 2) -> list[Row]:
    with path.open("rb") as stream:
        return [
            (m.path, m.kind, m.mode, m.size, m.mtime, m.target, sha256(m.content))
            for m in Deb.open(stream, threads=threads).members()
        ]


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest() if data else ""


def theirs(path: Path) -> list[Row]:
    data = run_bytes(tool("dpkg-deb"), "--fsys-tarfile", path)
    kinds = {
        tarfile.REGTYPE: Kind.FILE,
        tarfile.DIRTYPE: Kind.DIRECTORY,
        tarfile.SYMTYPE: Kind.SYMLINK,
        tarfile.LNKTYPE: Kind.HARDLINK,
    }
    rows: list[Row] = []
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        for header in tar:
            kind, target, digest = kinds[header.type], header.linkname, ""
            if kind is Kind.FILE:
                content = tar.extractfile(header)
                assert content is not None
                digest = sha256(content.read())
            if kind is Kind.HARDLINK:
                target = target.removeprefix("./")
            name = header.name.removeprefix("./")
            rows.append((name, kind, header.mode, header.size, int(header.mtime), target, digest))
    return [row for row in rows if row[0] != "."]


@EACH
def test_every_file(which: tuple[str, str, str]) -> None:
    path = package(*which)
    assert ours(path) == theirs(path)


@pytest.mark.parametrize("which", PACKAGES[2:4], ids="-".join)
def test_listing(which: tuple[str, str, str]) -> None:
    path = package(*which)
    listing = run(tool("dpkg-deb"), "-c", path).splitlines()
    with path.open("rb") as stream:
        lines = [listing_line(m) for m in Deb.open(stream).members(lambda _: False)]
    # mode, owner, size, date, time, name
    fields = [line.split(maxsplit=5) for line in listing]
    assert lines == [(f[0], int(f[2]), f[5]) for f in fields if f[5] != "./"]


def listing_line(member: Member) -> tuple[str, int, str]:
    types = {Kind.DIRECTORY: stat.S_IFDIR, Kind.SYMLINK: stat.S_IFLNK}
    mode = stat.filemode(types.get(member.kind, stat.S_IFREG) | member.mode)
    name = f"./{member.path}"
    if member.kind is Kind.DIRECTORY:
        name += "/"
    elif member.kind is Kind.SYMLINK:
        name += f" -> {member.target}"
    elif member.kind is Kind.HARDLINK:
        mode, name = "h" + mode[1:], f"{name} link to ./{member.target}"
    return mode, member.size, name


@EACH
def test_control(which: tuple[str, str, str]) -> None:
    path = package(*which)
    with path.open("rb") as stream:
        control = Deb.open(stream).control
    for name, value in control.fields:
        shown = run(tool("dpkg-deb"), "-f", path, name).rstrip("\n").split("\n")
        assert value == "\n".join([shown[0], *(line[1:] for line in shown[1:])])
    assert control.architecture == which[1]


def test_threads_make_no_difference() -> None:
    path = package("trixie", "amd64", "linux-image-cloud-amd64")
    assert ours(path, 1) == ours(path, 2) == ours(path, 4)


@pytest.mark.parametrize("compressor", ["xz", "zstd", "gzip", "none"])
def test_packages_that_dpkg_deb_builds(tmp_path: Path, compressor: str) -> None:
    root = tmp_path / "root"
    (root / "DEBIAN").mkdir(parents=True, mode=0o755)
    (root / "DEBIAN/control").write_text(
        "Package: sample\nVersion: 2\nArchitecture: all\nMaintainer: A <a@example.org>\n"
        "Description: one\n two\n .\n three\n",
        encoding="ascii",
    )
    (root / "usr/share").mkdir(parents=True)
    (root / "usr/share/data").write_bytes(b"content" * 10_000)
    (root / "usr/share/link").symlink_to("data")
    (root / "usr/share/same").hardlink_to(root / "usr/share/data")
    path = tmp_path / "sample.deb"
    run(tool("dpkg-deb"), "--root-owner-group", f"-Z{compressor}", "--build", root, path)
    assert ours(path) == theirs(path)
    with path.open("rb") as stream:
        assert Deb.open(stream).control.get("Description") == "one\ntwo\n.\nthree"


@pytest.mark.parametrize("suffix", COMPRESSORS)
def test_packages_of_our_builder(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / "sample.deb"
    files: dict[str, Content] = {
        "bin/a": (0o755, b"1" * 99),
        "bin/b": "a",
        "bin/c": hard_link("./bin/a"),
        "d": None,
    }
    path.write_bytes(make_deb(files, control={"Description": "x"}, data=suffix))
    assert ours(path) == theirs(path)
    assert run(tool("dpkg-deb"), "-f", path, "Version") == "1.0-1\n"
