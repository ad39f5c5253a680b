from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rdcompose.errors import SpecError
from rdcompose.inspect.difference import first_difference
from tests.support.artifacts import (
    BLOCK,
    DUMMY,
    MODULES,
    disk_bytes,
    disk_files,
    initramfs_bytes,
    initramfs_files,
)
from tests.support.efi import make_pe
from tests.support.packages import RELEASE

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.artifacts import Content


def said(path: Path, first: bytes, second: bytes) -> str | None:
    """Return what is said of two files."""
    for name, data in (("first", first), ("second", second)):
        (path / name).write_bytes(data)
    return first_difference(path / "first", path / "second")


def of_initramfs(path: Path, **changes: Content) -> str | None:
    """Return what is said of an initramfs of which files are others, by name."""
    files = initramfs_files()
    other = files | {name.replace("__", "/"): data for name, data in changes.items()}
    return said(path, initramfs_bytes(files), initramfs_bytes(other))


def test_the_same(tmp_path: Path) -> None:
    assert said(tmp_path, b"a" * 3_000_000, b"a" * 3_000_000) is None
    assert said(tmp_path, b"", b"") is None


@pytest.mark.parametrize(
    ("first", "second", "offset"),
    [
        (b"abc", b"abd", 2),
        (b"abc", b"xbc", 0),
        (b"abc", b"abcd", 3),
        (b"", b"x", 0),
        (b"a" * 3_000_000, b"a" * 2_999_999 + b"b", 2_999_999),
        (b"a" * 3_000_000 + b"c", b"a" * 3_000_000, 3_000_000),
    ],
    ids=range(6),
)
def test_files_without_parts(tmp_path: Path, first: bytes, second: bytes, offset: int) -> None:
    assert said(tmp_path, first, second) == f"byte {offset}"
    assert said(tmp_path, second, first) == f"byte {offset}"


def test_a_file_in_an_initramfs(tmp_path: Path) -> None:
    found = of_initramfs(tmp_path, init=(0o755, b"#!/bin/zsh\n"))
    assert found is not None
    assert found.startswith("/init, byte 7 of its content (of the file: byte ")


def test_other_properties_of_entries(tmp_path: Path) -> None:
    for change in (
        of_initramfs(tmp_path, init=(0o700, b"#!/bin/sh\n")),
        of_initramfs(tmp_path, init="sbin/init"),
    ):
        assert change is not None
        assert change.startswith("/init, its kind, mode, owner or target (")


def test_entries_that_only_one_has(tmp_path: Path) -> None:
    more = of_initramfs(tmp_path, init2=b"")
    assert more is not None
    assert more.startswith("/init2 is where /lib was (")
    both, one = (initramfs_bytes(files) for files in ({"a": b"", "b": b""}, {"a": b""}))
    assert (said(tmp_path, both, one) or "").startswith("/b is not there (")
    assert (said(tmp_path, one, both) or "").startswith("/b is there, too (")


def test_a_file_on_a_disk(tmp_path: Path) -> None:
    files = disk_files()
    changed = files | {f"{RELEASE}/{DUMMY}": b"another"}
    for container in ("qcow2", "raw"):
        found = said(
            tmp_path,
            disk_bytes(files, container=container),
            disk_bytes(changed, container=container),
        )
        assert (found or "").startswith(f"/{RELEASE}/{DUMMY}, byte 0 of its content (of the ")


def test_the_same_packed_differently(tmp_path: Path) -> None:
    files = initramfs_files()
    found = said(tmp_path, initramfs_bytes(files, "gzip"), initramfs_bytes(files, "xz"))
    assert found == "the same files, with other times or packed differently (of the file: byte 0)"


def test_the_initramfs_in_a_unified_kernel_image(tmp_path: Path) -> None:
    files = initramfs_files()
    changed = files | {f"{MODULES}/{BLOCK}": b"x"}
    images = [make_pe({".initrd": initramfs_bytes(one)}) for one in (files, changed)]
    found = said(tmp_path, *images)
    assert (found or "").startswith(f"/{MODULES}/{BLOCK}, byte 0 of its content (of the file: ")


def test_what_is_damaged(tmp_path: Path) -> None:
    data = initramfs_bytes(initramfs_files())
    found = said(tmp_path, data, data[:-30])
    assert (found or "").startswith("what is in it cannot be compared: ")


def test_what_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"cannot read .*/none: No such file or directory"):
        first_difference(tmp_path / "none", tmp_path / "none")
