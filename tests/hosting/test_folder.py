"""What may be published of a directory."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from rdcompose.errors import SpecError
from rdcompose.hosting.folder import File, read_folder
from tests.hosting.conftest import write_sums

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "one").write_bytes(b"1")
    (tmp_path / "two").write_bytes(b"22")
    write_sums(tmp_path)
    return tmp_path


def test_files_and_what_is_beside_them(directory: Path) -> None:
    for name in ("SHA256SUMS.sig", "one.asc", ".two.0a1b.tmp"):
        (directory / name).write_bytes(b"s")
    files = read_folder(directory)
    assert [file.name for file in files] == [
        "SHA256SUMS",
        "SHA256SUMS.sig",
        "one",
        "one.asc",
        "two",
    ]
    digest = hashlib.sha256(b"22").hexdigest()
    assert files[-1] == File("two", directory / "two", 2, digest)


def test_the_binary_mark_of_sha256sum(directory: Path) -> None:
    path = directory / "SHA256SUMS"
    path.write_text(path.read_text(encoding="ascii").replace("  ", " *"), encoding="ascii")
    assert len(read_folder(directory)) == 3


def append(line: str) -> Callable[[Path], None]:
    def change(directory: Path) -> None:
        with (directory / "SHA256SUMS").open("a", encoding="utf-8") as sums:
            sums.write(line)

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param(lambda d: (d / "SHA256SUMS").unlink(), "cannot read", id="no-list"),
        pytest.param(
            lambda d: (d / "SHA256SUMS").write_bytes(b"\xff"), "it is not UTF-8", id="bytes"
        ),
        pytest.param(append("x\n"), "line 3 is not a digest", id="line"),
        pytest.param(append(f"{'0' * 64}  ../one\n"), "line 3 is not a digest", id="path"),
        pytest.param(append(f"{'0' * 64}  one\n"), "two digests of one", id="twice"),
        pytest.param(append(f"{'0' * 64}  three\n"), "three is not there", id="missing"),
        pytest.param(lambda d: (d / "one").write_bytes(b"2"), "is not what SHA256SUMS", id="other"),
        pytest.param(lambda d: (d / "stray").write_bytes(b"2"), "stray is not listed", id="stray"),
        pytest.param(lambda d: (d / "one.d").mkdir(), "one.d is no file", id="directory"),
        pytest.param(lambda d: (d / "one.sig").write_bytes(b""), "one.sig is empty", id="empty"),
    ],
)
def test_what_may_not(directory: Path, change: Callable[[Path], None], message: str) -> None:
    change(directory)
    with pytest.raises(SpecError) as caught:
        read_folder(directory)
    assert message in caught.value.message
