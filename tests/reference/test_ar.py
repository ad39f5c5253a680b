"""The ar reader against binutils' ar."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rdcompose.formats.ar import iter_members
from tests.support.debs import make_ar
from tests.support.kernels import package
from tests.support.tools import run, run_bytes, tool

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.reference


def ours(path: Path) -> list[tuple[str, int]]:
    with path.open("rb") as stream:
        return [(member.name, member.size) for member in iter_members(stream)]


def theirs(path: Path) -> list[tuple[str, int]]:
    names = run(tool("ar"), "t", path).splitlines()
    return [(name, len(run_bytes(tool("ar"), "p", path, name))) for name in names]


@pytest.mark.parametrize("name", ["linux-image-cloud-amd64", "busybox-static", "e2fsck-static"])
def test_packages(name: str) -> None:
    path = package("bookworm", "amd64", name)
    assert ours(path) == theirs(path)
    assert [name.partition(".")[0] for name, _ in ours(path)] == [
        "debian-binary",
        "control",
        "data",
    ]


def test_an_archive_of_our_builder(tmp_path: Path) -> None:
    path = tmp_path / "a.ar"
    path.write_bytes(make_ar([("one", b"1"), ("two", b"22"), ("none", b"")]))
    assert ours(path) == theirs(path)


def test_an_archive_of_binutils(tmp_path: Path) -> None:
    # It marks the end of a name by a slash.
    (tmp_path / "one").write_bytes(b"123")
    (tmp_path / "sixteen-letters").write_bytes(b"1234")
    run(tool("ar"), "rcD", "new.ar", "one", "sixteen-letters", cwd=tmp_path)
    path = tmp_path / "new.ar"
    assert b"one/ " in path.read_bytes()
    assert ours(path) == [("one", 3), ("sixteen-letters", 4)]
