"""Two sides compared: files that belong together, and their modules wherever they lie."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from rdcompose.errors import SpecError
from rdcompose.inspect.artifact import Kind
from rdcompose.inspect.compare.changes import Changed
from rdcompose.inspect.compare.comparison import compare
from rdcompose.inspect.compare.results import Comparison, SymbolsDifference
from tests.support.artifacts import (
    BLOCK,
    DUMMY,
    MODULES,
    RING,
    disk_bytes,
    disk_files,
    initramfs_bytes,
    initramfs_files,
    module,
    sound_files,
)
from tests.support.images import make_bzimage
from tests.support.packages import CONFIG, RELEASE, VERMAGIC, kernel_deb

if TYPE_CHECKING:
    from pathlib import Path

OTHER = "6.1.0-8-cloud-amd64"


def write(directory: Path, files: dict[str, bytes]) -> Path:
    """Write files without a manifest, which would have to fit."""
    directory.mkdir(parents=True)
    for name, data in files.items():
        if not name.startswith("manifest"):
            (directory / name).write_bytes(data)
    return directory


@pytest.fixture
def build(tmp_path: Path) -> Path:
    return write(tmp_path / "before", sound_files())


def changed_build(directory: Path, **files: bytes) -> Path:
    names = {
        "initramfs": f"initramfs-{RELEASE}",
        "disk": f"modules-{RELEASE}.qcow2",
        "config": f"config-{RELEASE}",
    }
    return write(directory, sound_files() | {names[name]: data for name, data in files.items()})


def different(found: Comparison) -> bool:
    return any(group.different for group in found.groups)


def test_builds_that_are_the_same(build: Path, tmp_path: Path) -> None:
    shutil.copytree(build, tmp_path / "now")
    found = compare(build, tmp_path / "now")
    assert not different(found)
    (group,) = found.groups
    assert (group.title, group.modules.same) == (RELEASE, 3)
    assert all(file.before is not None and file.now is not None for file in group.files)


def test_a_module_that_went_from_the_initramfs_to_the_disk(build: Path, tmp_path: Path) -> None:
    files = initramfs_files()
    moved = files.pop(f"{MODULES}/{BLOCK}")
    now = changed_build(
        tmp_path / "now",
        initramfs=initramfs_bytes(files),
        disk=disk_bytes(disk_files() | {f"{RELEASE}/{BLOCK}": moved}),
    )
    (group,) = compare(build, now).groups
    (change,) = group.modules.changed
    assert (change.name, change.content) == ("virtio_blk", False)
    assert change.texts == (Changed("in", "initramfs", "modules disk"),)
    assert (group.modules.new, group.modules.gone, group.modules.same) == ((), (), 2)
    assert group.different


def test_options_of_the_configuration(build: Path, tmp_path: Path) -> None:
    text = CONFIG.replace("CONFIG_SQUASHFS=m", "# CONFIG_SQUASHFS is not set")
    text += 'CONFIG_NEW=y\n# CONFIG_OFF is not set\nCONFIG_TEXT=""\n'
    (group,) = compare(build, changed_build(tmp_path / "now", config=text.encode())).groups
    assert group.options == (
        Changed("CONFIG_NEW", "n", "y"),
        Changed("CONFIG_SQUASHFS", "m", "n"),
        Changed("CONFIG_TEXT", "n", '""'),
    )


def test_another_release(build: Path, tmp_path: Path) -> None:
    disk = {
        path.replace(RELEASE, OTHER): content
        for path, content in (disk_files() | {f"{RELEASE}/new.ko": module()}).items()
    }
    vermagic = VERMAGIC.replace(RELEASE, OTHER)
    disk[f"{OTHER}/{DUMMY}"] = module(vermagic=vermagic, depends="ext4")
    early = {path.replace(RELEASE, OTHER): content for path, content in initramfs_files().items()}
    files = {name.replace(RELEASE, OTHER): data for name, data in sound_files().items()}
    files[f"modules-{OTHER}.qcow2"] = disk_bytes(disk)
    files[f"initramfs-{OTHER}"] = initramfs_bytes(early)
    files[f"vmlinuz-{OTHER}"] = make_bzimage(OTHER)
    (group,) = compare(build, write(tmp_path / "now", files)).groups
    assert (group.title, group.releases) == (OTHER, ((RELEASE,), (OTHER,)))
    assert [row.facts.name for row in group.modules.new] == ["new"]
    (change,) = (row for row in group.modules.changed if row.name == "dummy")
    assert [row.what for row in change.texts] == ["vermagic"]
    for file in group.files:
        assert (file.entries.new, file.entries.gone) == ((), ())


def test_a_file_beside_a_directory_is_compared_with_its_like(build: Path, tmp_path: Path) -> None:
    (tmp_path / "initrd").write_bytes(initramfs_bytes(initramfs_files() | {"new": b"x"}, "none"))
    for sides in ((build, tmp_path / "initrd"), (tmp_path / "initrd", build)):
        (group,) = compare(*sides).groups
        (file,) = group.files
        assert file.facts.kind is Kind.INITRAMFS
        assert len(file.entries.new + file.entries.gone) == 1
        assert group.modules.same == 2


def test_an_image_and_its_tree_are_the_same(tmp_path: Path) -> None:
    (tmp_path / "image").write_bytes(initramfs_bytes({"a/b": b"x", f"{MODULES}/{RING}": module()}))
    tree = tmp_path / "tree"
    (tree / f"{MODULES}/{RING}").parent.mkdir(parents=True)
    (tree / f"{MODULES}/{RING}").write_bytes(module())
    (tree / "a").mkdir()
    (tree / "a/b").write_bytes(b"x")
    (group,) = compare(tmp_path / "image", tree).groups
    assert (group.modules.same, group.files[0].entries.new) == (1, ())
    assert {change.what for change in group.files[0].entries.changed} <= {("mode",), ("owner",)}


def test_what_lies_around_is_compared_if_both_sides_have_it(build: Path, tmp_path: Path) -> None:
    (build / "grub").mkdir()
    (build / "grub/grub.cfg").write_text("old")
    (build / "grub/dummy.ko").write_bytes(module())
    shutil.copytree(build, tmp_path / "now")
    (tmp_path / "now/grub/grub.cfg").write_text("new")
    (group,) = compare(build, tmp_path / "now").groups
    assert [change.now.path for file in group.files for change in file.entries.changed] == [
        "grub/grub.cfg"
    ]
    (tmp_path / f"now/manifest-{RELEASE}.json").write_text("{}")
    (group,) = compare(build, tmp_path / "now").groups
    assert Kind.DIRECTORY not in {file.facts.kind for file in group.files}
    assert (group.modules.changed, group.modules.gone) == ((), ())


def test_packages(tmp_path: Path) -> None:
    (tmp_path / "a.deb").write_bytes(kernel_deb())
    (tmp_path / "b.deb").write_bytes(kernel_deb() + b"")
    assert not different(compare(tmp_path / "a.deb", tmp_path / "b.deb"))
    (group,) = compare(tmp_path / "a.deb", tmp_path / "a.deb").groups
    assert group.releases == ((RELEASE,), (RELEASE,))


def test_only_the_packing_differs(tmp_path: Path) -> None:
    for name in ("gzip", "zstd"):
        (tmp_path / name).write_bytes(initramfs_bytes(initramfs_files(), name))
    (group,) = compare(tmp_path / "gzip", tmp_path / "zstd").groups
    (file,) = group.files
    assert file.packed_differently
    assert (group.different, file.entries.changed, group.modules.changed) == (True, (), ())


def test_what_is_on_one_side_only(build: Path, tmp_path: Path) -> None:
    shutil.copytree(build, tmp_path / "now")
    (tmp_path / f"now/config-{RELEASE}").rename(tmp_path / "now/extra.dtb")
    (tmp_path / "now/vmlinuz-1.2.3-x").write_bytes(b"x")
    shutil.copytree(build, tmp_path / "second")
    (tmp_path / "second/vmlinuz-4.5.6-y").write_bytes(b"y")
    (tmp_path / "second/vmlinuz-1.2.3-z").write_bytes(b"z")
    found = compare(tmp_path / "now", tmp_path / "second")
    sides = {group.title: (group.before is None, group.now is None) for group in found.groups}
    assert sides[RELEASE] == (False, False)
    assert sides["4.5.6-y"] == sides["1.2.3-z"] == (True, False)
    assert sides["1.2.3-x"] == (False, True)
    assert different(found)


def test_nothing_belongs_together(build: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/x").write_text("x")
    (tmp_path / "dtb").write_bytes(b"\1")
    with pytest.raises(SpecError, match=r"there is nothing to compare .*dtb with"):
        compare(build, tmp_path / "dtb")
    for release in ("1.1-a", "1.2-b"):
        write(tmp_path / "many" / release, {f"vmlinuz-{release}": b""})
    with pytest.raises(SpecError, match="belongs to anything in"):
        compare(tmp_path / "many", tmp_path / f"before/vmlinuz-{RELEASE}")


def test_symbols_of_kernels() -> None:
    from rdcompose.inspect.compare.comparison import _symbols

    before, now = {"a": 1, "b": 2, "c": 3}, {"b": 2, "c": 4, "d": 5, "e": 6}
    assert _symbols(before, now) == SymbolsDifference(new=2, gone=1, changed=1)
    assert _symbols(before, before) is None
    assert _symbols({}, now) is None
