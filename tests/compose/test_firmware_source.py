"""Firmware in packages and directories: names, links, and what is compressed."""

from __future__ import annotations

import lzma
from typing import TYPE_CHECKING

import pytest
import zstandard

from rdcompose.compose import firmware_source
from rdcompose.compose.filesource import FIRMWARE, Source, SourceRequest
from rdcompose.compose.firmware_source import PackageStore, follow, open_store
from rdcompose.compose.inputs import InputFile
from rdcompose.errors import FormatError, SpecError
from rdcompose.tree import Bytes, File, Tree
from tests.support.debs import hard_link, make_deb

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from rdcompose.compose.firmware_source import Store
    from tests.support.debs import Content

A, B, C = "lib/firmware/a.bin", "lib/firmware/b.bin", "lib/firmware/c/c.bin"


def store(path: Path, likely: Callable[[str], bool] = lambda _: True) -> Store:
    request = SourceRequest(FIRMWARE, f"./{path.name}", "", path)
    return open_store(Source(request, InputFile(path=path)), likely)


def package(tmp_path: Path, files: dict[str, Content], **control: str) -> Path:
    path = tmp_path / "firmware-x.deb"
    path.write_bytes(make_deb(files, control={"Package": "firmware-x", **control}))
    return path


def directory(tmp_path: Path, files: dict[str, bytes | str]) -> Path:
    root = tmp_path / "firmware"
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, str):
            path.symlink_to(content)
        else:
            path.write_bytes(content)
    return root


def test_follow() -> None:
    links = {
        "lib/firmware/a": "b",
        "lib/firmware/b": "../../usr/lib/firmware/d/c",
        "lib/firmware/d": "/usr/lib/firmware/e/.",
        "lib/firmware/out": "/etc/alternatives/out",
        "lib/firmware/self": "self",
        "lib/firmware/up": "../../../../x",
    }
    assert follow(links, "lib/firmware/plain") == ((), "lib/firmware/plain")
    assert follow(links, "lib/firmware/d/c") == (
        (("lib/firmware/d", "lib/firmware/e"),),
        "lib/firmware/e/c",
    )
    found = follow(links, "lib/firmware/a")
    assert found is not None
    assert found.end == "lib/firmware/e/c"
    assert dict(found.links) == {
        "lib/firmware/a": "lib/firmware/e/c",
        "lib/firmware/b": "lib/firmware/e/c",
        "lib/firmware/d": "lib/firmware/e",
    }
    assert follow(links, "lib/firmware/self") is None
    out, up = follow(links, "lib/firmware/out"), follow(links, "lib/firmware/up")
    assert (out and out.end, up and up.end) == ("etc/alternatives/out", "x")


@pytest.mark.parametrize("root", ["lib/firmware", "usr/lib/firmware"])
def test_package(tmp_path: Path, root: str) -> None:
    files: dict[str, Content] = {
        f"{root}/a.bin": b"a",
        f"{root}/b.bin.xz": lzma.compress(b"b"),
        f"{root}/c/c.bin.zst": zstandard.compress(b"c"),
        f"{root}/c/copy.bin": hard_link(f"./{root}/a.bin"),
        f"{root}/link.bin.xz": "b.bin.xz",
        "usr/share/doc/firmware-x/copyright": b"text",
    }
    found = store(package(tmp_path, files, Version="2.1", Architecture="all"))
    assert set(found.files) == {A, B, C, "lib/firmware/c/copy.bin"}
    assert found.links == {"lib/firmware/link.bin": "b.bin"}
    assert found.label == "firmware-x 2.1"
    assert found.read([A, B, C]) == {A: b"a", B: b"b", C: b"c"}
    assert found.read(["lib/firmware/c/copy.bin"]) == {"lib/firmware/c/copy.bin": b"a"}
    item = found.input(Tree())
    assert (item.role, item.package, item.version, item.architecture) == (
        *("firmware", "firmware-x", "2.1", "all"),
    )


def test_what_was_not_expected_is_read_later(tmp_path: Path) -> None:
    path = package(tmp_path, {A: b"a", B: b"b"})
    found = store(path, lambda name: name == A)
    assert found.read([B]) == {B: b"b"}
    assert found.read([A, B]) == {A: b"a", B: b"b"}


def test_the_plain_one_of_two_counts(tmp_path: Path) -> None:
    packed = lzma.compress(b"packed")
    for files in ({A: b"plain", f"{A}.xz": packed}, {f"{A}.xz": packed, A: b"plain"}):
        found = store(package(tmp_path, {**files}))
        assert found.read([A]) == {A: b"plain"}
    root = directory(tmp_path, {"a.bin": b"plain", "a.bin.xz": packed, "a.bin.zst": b"other"})
    assert store(root).read([A]) == {A: b"plain"}


def test_alternatives(tmp_path: Path) -> None:
    names = ("r.db-debian", "r.db-upstream", "own", "own-debian")
    found = store(package(tmp_path, {f"lib/firmware/{name}": name.encode() for name in names}))
    assert found.links == {"lib/firmware/r.db": "r.db-debian"}


def test_directory(tmp_path: Path) -> None:
    outside = tmp_path / "alternative.xz"
    outside.write_bytes(lzma.compress(b"elsewhere"))
    root = directory(
        tmp_path,
        {
            "a.bin": b"a",
            "b.bin.zst": zstandard.compress(b"b"),
            "c/c.bin": b"c",
            "link.bin": "b.bin.zst",
            "d": "c",
            "absolute.bin": "/lib/firmware/a.bin",
            "outside.bin.xz": str(outside),
            "gone.bin": "nothing",
        },
    )
    found = store(root)
    assert set(found.files) == {A, B, C, "lib/firmware/outside.bin"}
    assert found.links == {
        "lib/firmware/link.bin": "b.bin",
        "lib/firmware/d": "c",
        "lib/firmware/absolute.bin": "/lib/firmware/a.bin",
        "lib/firmware/gone.bin": "nothing",
    }
    assert found.read([B, C, "lib/firmware/outside.bin"]) == {
        B: b"b",
        C: b"c",
        "lib/firmware/outside.bin": b"elsewhere",
    }
    assert found.label == "./firmware"
    taken = Tree()
    first = found.input(taken)
    assert (first.file, first.source, first.size) == ("firmware", "local directory", None)
    taken.add(File(path=A, content=Bytes(b"a")))
    assert found.input(taken).sha256 != first.sha256


def test_root_with_a_directory_of_firmware(tmp_path: Path) -> None:
    root = directory(tmp_path, {"usr/lib/firmware/a.bin": b"a", "etc/passwd": b"text"})
    assert set(store(root).files) == {A}


def test_what_has_no_firmware(tmp_path: Path) -> None:
    path = package(tmp_path, {"usr/bin/x": b"x"})
    with pytest.raises(SpecError, match=r"--firmware-from \./firmware-x.deb: there is no firmware"):
        store(path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(SpecError, match="there is no firmware in empty"):
        store(tmp_path / "empty")
    with pytest.raises(SpecError, match=r"cannot read the package .*gone: No such file"):
        store(tmp_path / "gone")
    (tmp_path / "text").write_bytes(b"text")
    with pytest.raises(FormatError, match=r"text: "):
        store(tmp_path / "text")


def test_a_directory_of_something_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(firmware_source, "_MAX_FILES", 2)
    root = directory(tmp_path, {"a": b"", "b": b"", "c": b""})
    with pytest.raises(SpecError, match="firmware has over 2 files, so it is no directory of"):
        store(root)


def test_damage(tmp_path: Path) -> None:
    cut = lzma.compress(b"data" * 100)[:-20]
    found = store(package(tmp_path, {f"{A}.xz": cut}))
    with pytest.raises(FormatError, match=r"firmware-x.deb: /lib/firmware/a.bin.xz: "):
        found.read([A])
    found = store(directory(tmp_path, {"a.bin.xz": cut}))
    with pytest.raises(FormatError, match=r"firmware/a.bin.xz: "):
        found.read([A])
    path = package(tmp_path, {A: b"a" * 5000})
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(FormatError, match=r"firmware-x.deb: "):
        store(path)


def test_the_store_of_a_package_is_one(tmp_path: Path) -> None:
    assert isinstance(store(package(tmp_path, {A: b"a"})), PackageStore)
