"""Modules as files, in packages and in directories: which are taken, and where they go."""

from __future__ import annotations

import gzip
import hashlib
import lzma
from typing import TYPE_CHECKING

import pytest

from rdcompose.compose.filesource import MODULE, Source, parse_source
from rdcompose.compose.inputs import InputFile
from rdcompose.compose.modulefiles import read_module_files
from rdcompose.errors import FormatError, SpecError
from rdcompose.tree import read_all
from tests.support.debs import make_deb
from tests.support.own_modules import RELEASE, WORDS, own_module

if TYPE_CHECKING:
    from pathlib import Path

    from rdcompose.compose.modulefiles import ModuleFiles
    from tests.support.debs import Content

OTHER = "6.1.0-6-cloud-amd64"
HERE = own_module("here")
THERE = own_module("there", vermagic=f"{OTHER} {WORDS}")
CONTROL = {"Package": "driver-modules", "Version": "1.2-1", "Architecture": "amd64"}


def read(path: Path) -> ModuleFiles:
    request = parse_source(MODULE, str(path))
    return read_module_files(Source(request, InputFile(path=path)), RELEASE)


def refused(path: Path, kind: type[Exception] = SpecError) -> str:
    with pytest.raises(kind) as caught:
        read(path)
    return str(caught.value)


def paths(found: ModuleFiles) -> list[str]:
    return [module.path for module in found.modules]


def tree(directory: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return directory


@pytest.mark.parametrize("suffix", ["", ".gz", ".xz"])
def test_a_file(tmp_path: Path, suffix: str) -> None:
    packed = {
        "": HERE, ".gz": gzip.compress(HERE, mtime=0), ".xz": lzma.compress(HERE),
    }[suffix]  # fmt: skip
    path = tmp_path / f"my-driver.ko{suffix}"
    path.write_bytes(packed)
    found = read(path)
    assert paths(found) == ["updates/my-driver.ko"]
    assert read_all(found.modules[0].content) == HERE
    item = found.item
    assert (item.role, item.file, item.source) == ("module", path.name, "local file")
    assert (item.sha256, item.size) == (hashlib.sha256(packed).hexdigest(), len(packed))
    assert found.notes == ()


def test_a_file_of_another_release_is_left_to_the_check(tmp_path: Path) -> None:
    # Which says what differs.
    path = tmp_path / "there.ko"
    path.write_bytes(THERE)
    assert paths(read(path)) == ["updates/there.ko"]


@pytest.mark.parametrize("root", ["", "usr/"])
def test_a_package(tmp_path: Path, root: str) -> None:
    base = f"{root}lib/modules"
    files: dict[str, Content] = {
        f"{base}/{RELEASE}/updates/dkms/here.ko": HERE,
        f"{base}/{RELEASE}/extra/more.ko.xz": lzma.compress(own_module("more")),
        f"{base}/{OTHER}/updates/dkms/there.ko": THERE,
        f"{base}/{RELEASE}/modules.dep": b"",
        "usr/share/doc/driver/copyright": b"",
    }
    path = tmp_path / "driver.deb"
    path.write_bytes(make_deb(files, control=CONTROL))
    found = read(path)
    assert sorted(paths(found)) == ["updates/dkms/here.ko", "updates/extra/more.ko"]
    assert found.notes == (f"left out of driver-modules: 1 modules for {OTHER}",)
    item = found.item
    assert (item.package, item.version, item.architecture) == ("driver-modules", "1.2-1", "amd64")
    assert (item.file, item.size) == ("driver.deb", path.stat().st_size)


def test_a_directory_by_paths_and_by_vermagic(tmp_path: Path) -> None:
    directory = tree(
        tmp_path / "own",
        {
            "here.ko": HERE,
            "there.ko": THERE,
            f"{OTHER}/x86_64/module/again.ko": THERE,
            f"lib/modules/{RELEASE}/updates/dkms/deep.ko": own_module("deep"),
            f"lib/modules/{OTHER}/updates/dkms/far.ko": HERE,
            "README": b"",
        },
    )
    (directory / "link.ko").symlink_to("here.ko")
    found = read(directory)
    assert paths(found) == ["updates/here.ko", "updates/dkms/deep.ko"]
    assert found.notes == (f"left out of ./own: 3 modules for {OTHER}",)
    assert (found.item.file, found.item.source, found.item.size) == (
        "own", "local directory", None,
    )  # fmt: skip


def test_one_that_lies_in_the_tree_of_this_release_is_left_to_the_check(tmp_path: Path) -> None:
    directory = tree(tmp_path, {f"lib/modules/{RELEASE}/updates/there.ko": THERE})
    assert paths(read(directory)) == ["updates/there.ko"]


def test_the_digest_of_a_directory_is_that_of_what_is_taken(tmp_path: Path) -> None:
    one = read(tree(tmp_path / "one", {"here.ko": HERE, "README": b"1"}))
    two = read(tree(tmp_path / "two", {"here.ko.gz": gzip.compress(HERE), "there.ko": THERE}))
    assert one.item.sha256 == two.item.sha256
    other = read(tree(tmp_path / "three", {"here.ko": own_module("changed")}))
    assert other.item.sha256 != one.item.sha256


def test_the_module_directory_of_a_machine(tmp_path: Path) -> None:
    own = own_module("core", modinfo=["intree=Y"])
    base = f"lib/modules/{RELEASE}"
    directory = tree(
        tmp_path,
        {
            f"{base}/kernel/core.ko": own,
            f"{base}/kernel/strange.ko": HERE,
            f"{base}/updates/core.ko": own,
        },
    )
    assert paths(read(directory / base)) == ["updates/kernel/strange.ko", "updates/core.ko"]


def test_no_module_for_this_release(tmp_path: Path) -> None:
    directory = tree(tmp_path / "own", {"there.ko": THERE, "bare.ko": own_module("x", vermagic="")})
    assert refused(directory) == (
        f"./own has no modules for {RELEASE}, but for {OTHER}, no release at all"
    )


def test_no_module_at_all(tmp_path: Path) -> None:
    assert refused(tree(tmp_path / "own", {"driver.c": b"int x;"})) == "./own holds no modules"
    only = tree(
        tmp_path / "only",
        {f"lib/modules/{RELEASE}/kernel/core.ko": own_module("core", modinfo=["intree=Y"])},
    )
    assert refused(only) == "./only holds no modules but the kernel's own"
    path = tmp_path / "driver-dkms.deb"
    path.write_bytes(make_deb({"usr/src/driver-1.2/driver.c": b""}, control=CONTROL))
    assert refused(path) == "driver-modules holds no modules"


def test_other_files(tmp_path: Path) -> None:
    assert "cannot read the module" in refused(tmp_path / "gone.ko")
    files = tree(tmp_path, {"README": b"text", "text.ko": b"text", "bad.ko.xz": b"\xfd7zXZ\0"})
    assert refused(files / "README") == f"{files}/README is no module"
    assert refused(files / "text.ko", FormatError).startswith(f"{files}/text.ko: the module text")
    assert "bad.ko.xz" in refused(files / "bad.ko.xz", FormatError)


def test_a_package_that_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "driver.deb"
    data = make_deb({f"lib/modules/{RELEASE}/updates/here.ko": HERE}, control=CONTROL)
    path.write_bytes(data[:-100])
    assert refused(path, FormatError).startswith(f"{path}: ")
