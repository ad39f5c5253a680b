"""rdcompose.compose.contents"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rdcompose.compose.contents import is_package, read_package, read_program
from rdcompose.compose.inputs import InputFile, digest
from rdcompose.errors import FormatError, SpecError
from rdcompose.kernel.release import ARCHITECTURES
from rdcompose.tree import File, Symlink, read_all
from tests.support.debs import hard_link, make_deb
from tests.support.programs import make_library, make_program

if TYPE_CHECKING:
    from pathlib import Path

AMD64 = ARCHITECTURES["amd64"]
CONTROL = {
    "Package": "tool",
    "Version": "1:2.0-1",
    "Depends": "libc6 (>= 2.36), foo | bar",
    "Pre-Depends": "init",
}


def saved(path: Path, data: bytes, name: str = "tool_2.0-1_amd64.deb") -> InputFile:
    (path / name).write_bytes(data)
    return InputFile(path=path / name)


def test_package(tmp_path: Path) -> None:
    data = make_deb(
        {
            "bin/tool": (0o4755, b"program"),
            "bin/link": "tool",
            "bin/hard": hard_link("bin/tool"),
            "usr/lib/libx.so.1": b"library",
        },
        control=CONTROL,
    )
    contents = read_package(saved(tmp_path, data), AMD64, libraries=False)
    assert contents.label == "tool 1:2.0-1"
    assert contents.depends == "init, libc6 (>= 2.36), foo | bar"
    assert set(contents.files) == {"bin/tool", "bin/link", "bin/hard", "usr/lib/libx.so.1"}
    tool, hard = contents.files["bin/tool"], contents.files["bin/hard"]
    assert isinstance(tool, File)
    assert isinstance(hard, File)
    assert (tool.mode, read_all(tool.content)) == (0o4755, b"program")
    assert (hard.path, hard.content) == ("bin/hard", tool.content)
    assert contents.files["bin/link"] == Symlink(path="bin/link", target="tool")
    assert contents.input.sha256 == digest(data)
    assert (contents.input.role, contents.input.size) == ("added", len(data))
    libraries = read_package(saved(tmp_path, data), AMD64, libraries=True)
    assert set(libraries.files) == {"usr/lib/libx.so.1"}


@pytest.mark.parametrize("architecture", ["amd64", "all"])
def test_package_for_here(tmp_path: Path, architecture: str) -> None:
    data = make_deb({}, control=CONTROL | {"Architecture": architecture})
    assert not read_package(saved(tmp_path, data), AMD64, libraries=False).files


def test_package_for_another_architecture(tmp_path: Path) -> None:
    data = make_deb({}, control=CONTROL | {"Architecture": "arm64"})
    with pytest.raises(SpecError, match=r"tool_2.0-1_amd64.deb is for arm64, but .* amd64"):
        read_package(saved(tmp_path, data), AMD64, libraries=False)


def test_damaged_package(tmp_path: Path) -> None:
    data = make_deb({"bin/tool": b"x" * 9999}, control=CONTROL)
    with pytest.raises(FormatError, match=r"tool_2.0-1_amd64.deb: "):
        read_package(saved(tmp_path, data[:-50]), AMD64, libraries=False)
    with pytest.raises(SpecError, match="cannot read the package"):
        read_package(InputFile(path=tmp_path / "none.deb"), AMD64, libraries=False)


def test_is_package() -> None:
    assert is_package(make_deb({}))
    assert not is_package(make_program())


@pytest.mark.parametrize(
    ("data", "path", "place"),
    [
        (make_program(), "", "usr/bin/own"),
        (make_program(), "/sbin/x", "sbin/x"),
        (make_library("libown.so.3"), "", "usr/lib/x86_64-linux-gnu/libown.so.3"),
        (make_library("libown.so.3"), "/opt/own.so", "opt/own.so"),
    ],
)
def test_program(tmp_path: Path, data: bytes, path: str, place: str) -> None:
    contents = read_program(saved(tmp_path, data, "own"), path, AMD64)
    [entry] = contents.files.values()
    assert (entry.path, entry.mode) == (place, 0o755)
    assert contents.label == "own"
    assert contents.input.package == ""
    assert str(tmp_path) not in str(contents)


@pytest.mark.parametrize(
    ("library", "packages"),
    [
        ("libuuid.so.1", "libuuid1 | libuuid1t64"),
        ("libnl-3.so.200", "libnl-3-200 | libnl-3-200t64"),
        ("libcom_err.so.2", "libcom-err2 | libcom-err2t64"),
        ("libstdc++.so.6", "libstdc++6 | libstdc++6t64"),
        ("libgcc_s.so.1", "libgcc-s1 | libgcc-s1t64"),
        ("libpcre2-8.so.0", "libpcre2-8-0 | libpcre2-8-0t64"),
        ("libcrypto.so.3", "libssl3 | libssl3t64"),
        ("libz.so.1", "zlib1g | zlib1gt64"),
        ("libQt5Core.so.5", "libqt5core5 | libqt5core5t64"),
        ("libbfd-2.40.so", "libbfd-2.40 | libbfd-2.40t64"),
    ],
)
def test_packages_of_libraries(tmp_path: Path, library: str, packages: str) -> None:
    program = make_program(kind=3, needed=[library, "odd"])
    contents = read_program(saved(tmp_path, program, "own"), "", AMD64)
    assert contents.depends == f"libc6, {packages}"


def test_no_program(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="own is neither a Debian package nor an ELF file"):
        read_program(saved(tmp_path, b"#!/bin/sh\n", "own"), "", AMD64)
    with pytest.raises(FormatError, match="own: "):
        read_program(saved(tmp_path, make_program()[:50], "own"), "", AMD64)
