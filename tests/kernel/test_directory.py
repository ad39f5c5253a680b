from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from rdcompose.errors import FormatError, ReleaseError, SpecError
from rdcompose.kernel.directory import read_module_directory
from rdcompose.tree import read_all
from tests.support.packages import RELEASE, VERMAGIC, module

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    for number, name in enumerate(("net/b.ko", "net/a-c.ko", "fs/x.ko")):
        path = tmp_path / "kernel" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(module(number=str(number)))
        os.utime(path, (number, 1000 + number))
    (tmp_path / "modules.order").write_bytes(b"kernel/net/b.ko\n")
    os.utime(tmp_path / "modules.order", (0, 500))
    return tmp_path


def test_modules_lists_and_the_newest_time(directory: Path) -> None:
    (directory / "modules.dep").write_bytes(b"made by depmod, and newer")
    tree, newest = read_module_directory(directory, RELEASE)
    assert [module.path for module in tree.modules] == [
        "kernel/fs/x.ko",
        "kernel/net/a-c.ko",
        "kernel/net/b.ko",
    ]
    assert read_all(tree.modules[2].content) == (directory / "kernel/net/b.ko").read_bytes()
    assert tree.order == ("kernel/net/b.ko",)
    assert dict(tree.files) == {"modules.order": b"kernel/net/b.ko\n"}
    assert newest == 1002


def test_links_are_not_followed(directory: Path) -> None:
    (directory / "build").symlink_to("/usr/src/linux")
    (directory / "kernel/link.ko").symlink_to("net/b.ko")
    (directory / "kernel/loop").symlink_to("..")
    tree, _ = read_module_directory(directory, RELEASE)
    assert len(tree.modules) == 3


def test_names_that_are_not_utf8(directory: Path) -> None:
    (directory / "kernel/\udcff.ko").write_bytes(module())
    tree, _ = read_module_directory(directory, RELEASE)
    assert [module.path for module in tree.modules][-1] == "kernel/\udcff.ko"


def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"cannot read the modules in .*/none: No such file"):
        read_module_directory(tmp_path / "none", RELEASE)


def test_nothing_of_a_kernel(tmp_path: Path) -> None:
    (tmp_path / "README").write_bytes(b"")
    with pytest.raises(SpecError, match="holds no modules"):
        read_module_directory(tmp_path, RELEASE)


def test_a_damaged_module(directory: Path) -> None:
    (directory / "kernel/net/b.ko").write_bytes(b"\x7fELF")
    with pytest.raises(FormatError, match=r"the module kernel/net/b.ko: "):
        read_module_directory(directory, RELEASE)


def test_a_module_of_another_release(directory: Path) -> None:
    (directory / "kernel/net/b.ko").write_bytes(module(VERMAGIC.replace(RELEASE, "6.1.0-8")))
    with pytest.raises(ReleaseError, match=r"1 of 3 modules is of 6.1.0-8: kernel/net/b.ko"):
        read_module_directory(directory, RELEASE)


def test_a_file_too_large_to_be_a_module(directory: Path) -> None:
    path = directory / "kernel/huge.ko"
    path.write_bytes(b"")
    os.truncate(path, (1 << 29) + 1)
    with pytest.raises(FormatError, match=r"huge\.ko is too large to be one"):
        read_module_directory(directory, RELEASE)


def test_a_release_that_is_none(directory: Path) -> None:
    with pytest.raises(SpecError, match="no kernel release"):
        read_module_directory(directory, "../x")
