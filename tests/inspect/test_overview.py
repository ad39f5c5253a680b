"""What a report is made of: images of any maker, with reasons, versions, weights and checks."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import pytest

from rdcompose.errors import SpecError
from rdcompose.inspect.artifact import Kind
from rdcompose.inspect.overview import overview
from tests.support.artifacts import (
    BLOCK,
    DUMMY,
    MODULES,
    RING,
    disk_bytes,
    disk_files,
    initramfs_bytes,
    initramfs_files,
    manifest,
    sound_files,
    write_sound,
)
from tests.support.bootfolders import files as folder_files
from tests.support.efi import make_pe
from tests.support.packages import RELEASE, kernel_deb
from tests.support.pifolders import sd_image, sound, write
from tests.support.programs import make_program

if TYPE_CHECKING:
    from pathlib import Path

    from rdcompose.inspect.moduleview import ModuleView
    from rdcompose.inspect.overview import Image

INITRAMFS: Final = f"initramfs-{RELEASE}"
DISK: Final = f"modules-{RELEASE}.qcow2"


def by_name(image: Image) -> dict[str, ModuleView]:
    """The modules of an image."""
    return {module.name: module for module in image.modules}


def test_a_composition_is_one_group(tmp_path: Path) -> None:
    write_sound(tmp_path)
    (group,) = overview([tmp_path])
    assert (group.release, group.architecture, group.name) == (RELEASE, "amd64", "")
    assert [image.name for image in group.images] == [INITRAMFS, DISK]
    assert [other.kind for other in group.others] == [
        *(Kind.CHECKSUMS, Kind.CONFIG, Kind.MANIFEST, Kind.KERNEL)
    ]
    assert not any(check.contradictions for check in group.checks)
    initramfs, disk = group.images
    assert [piece.compression for piece in initramfs.pieces] == ["gzip"]
    assert (initramfs.kind, disk.kind) == (Kind.INITRAMFS, Kind.DISK)
    assert {program.path for program in initramfs.programs} == {
        *("bin/busybox", "bin/mount", "usr/lib64/ld.so.2", "usr/lib64/libc.so.6")
    }


def test_modules_with_their_sizes_and_what_needs_them(tmp_path: Path) -> None:
    write_sound(tmp_path)
    (group,) = overview([tmp_path])
    initramfs, disk = group.images
    modules = by_name(initramfs)
    assert modules.keys() == {"virtio_ring", "virtio_blk"}
    assert modules["virtio_blk"].needs == ("virtio_ring",)
    assert modules["virtio_ring"].needed_by == ("virtio_blk",)
    assert (modules["virtio_ring"].path, by_name(disk)["dummy"].path) == (RING, DUMMY)
    for module in (*initramfs.modules, *disk.modules):
        assert module.size is not None
        assert module.size > 0
        assert module.share is not None
    # Nothing tells why.
    assert {module.why for module in disk.modules} == {""}


def test_a_manifest_tells_reasons_packages_and_how_it_was_packed(tmp_path: Path) -> None:
    files = sound_files()
    data = json.loads(manifest(files))
    data["initramfs"] = {
        "compression": "gzip:1",
        "modules": [{"name": "virtio_blk", "path": BLOCK, "why": "listed: 'virtio_blk' in x:1"}],
    }
    data["inputs"] = [
        {"role": "busybox", "package": "busybox-static", "version": "1:1.35.0-4"},
        {"role": "e2fsck", "package": None, "version": "1"},
        "no row at all",
    ]
    write(tmp_path, files | {f"manifest-{RELEASE}.json": json.dumps(data).encode()})
    (group,) = overview([tmp_path])
    (initramfs, disk) = group.images
    modules = by_name(initramfs)
    assert modules["virtio_blk"].why == "listed: 'virtio_blk' in x:1"
    assert modules["virtio_ring"].why == ""
    versions = {program.path: program.version for program in initramfs.programs}
    assert versions["bin/busybox"] == "busybox-static 1:1.35.0-4"
    assert versions["bin/mount"] == ""
    assert initramfs.weight is not None
    assert all(part.saves is not None for part in initramfs.weight.parts)
    assert disk.weight is not None
    assert {part.saves for part in disk.weight.parts} == {None}


@pytest.mark.parametrize(
    "initramfs",
    [[], {"compression": 9}, {"compression": "nope:1"}, {"modules": 3}],
    ids=["list", "number", "name", "modules"],
)
def test_a_manifest_that_makes_no_sense_tells_nothing(initramfs: object, tmp_path: Path) -> None:
    files = sound_files()
    data = json.loads(manifest(files)) | {"initramfs": initramfs, "inputs": {}}
    write(tmp_path, files | {f"manifest-{RELEASE}.json": json.dumps(data).encode()})
    (group,) = overview([tmp_path / INITRAMFS, tmp_path / f"manifest-{RELEASE}.json"])
    (image,) = group.images
    assert {module.why for module in image.modules} == {""}
    assert image.weight is not None
    assert {part.saves for part in image.weight.parts} == {None}


def test_an_initramfs_of_others(tmp_path: Path) -> None:
    banner = b"BusyBox v1.36.1 (Debian 1:1.36.1-9) multi-call binary\0"
    files = initramfs_files() | {
        "conf/modules": b"# by hand\nvirtio-blk\n",
        "bin/busybox": (0o755, make_program(b"busybox") + banner),
    }
    image = tmp_path / "initrd.img"
    image.write_bytes(initramfs_bytes(files, "none") + initramfs_bytes({"more": b"x"}, "zstd"))
    (group,) = overview([image])
    (found,) = group.images
    assert [piece.compression for piece in found.pieces] == ["none", "zstd"]
    assert by_name(found)["virtio_blk"].why == "loaded by conf/modules"
    assert by_name(found)["virtio_ring"].why == ""
    versions = {program.path: program.version for program in found.programs}
    assert versions["bin/busybox"] == "busybox 1.36.1 (Debian 1:1.36.1-9)"
    assert found.problem is None


def test_indexes_that_are_damaged_take_nothing_away(tmp_path: Path) -> None:
    files = initramfs_files() | {f"{MODULES}/modules.dep.bin": b"\xb0\x07\xf4\x57damaged"}
    del files[f"{MODULES}/modules.dep"]
    (tmp_path / "initrd.img").write_bytes(initramfs_bytes(files))
    ((found,),) = (group.images for group in overview([tmp_path / "initrd.img"]))
    assert by_name(found)["virtio_blk"].needs == ("virtio_ring",)


def test_a_unified_kernel_image_has_the_modules_of_its_initramfs(tmp_path: Path) -> None:
    files = sound_files()
    kernel, initramfs = files[f"vmlinuz-{RELEASE}"], files[INITRAMFS]
    image = make_pe({".text": b"\xc3", ".linux": kernel, ".initrd": initramfs})
    (tmp_path / "linux.efi").write_bytes(image)
    (group,) = overview([tmp_path / "linux.efi"])
    (found,) = group.images
    assert found.kind is Kind.UKI
    assert by_name(found).keys() == {"virtio_ring", "virtio_blk"}
    assert all(module.size for module in found.modules)
    assert group.others == ()


def test_a_package_and_a_tree_are_weighed_alone(tmp_path: Path) -> None:
    (tmp_path / "kernel.deb").write_bytes(kernel_deb())
    tree = tmp_path / "tree"
    write(tree, {f"lib/modules/{RELEASE}/{DUMMY}": b"module", "etc/fstab": b"x"})
    package, directory = overview([tmp_path / "kernel.deb", tree])
    assert (package.release, package.checks) == (RELEASE, ())
    assert "virtio_blk" in by_name(package.images[0])
    assert package.images[0].name == "kernel.deb"
    (image,) = directory.images
    assert image.size == 7
    assert by_name(image)["dummy"].path == DUMMY


def test_what_is_damaged_is_told_as_far_as_it_goes(tmp_path: Path) -> None:
    data = initramfs_bytes(initramfs_files(), "none")
    (tmp_path / "cut").write_bytes(data + data[:300])
    disk = bytearray(disk_bytes(disk_files(), container="raw"))
    start = int.from_bytes(disk[64:72], "little")
    disk[start + 2 : start + 12] = b"\xff" * 10
    (tmp_path / "disk").write_bytes(bytes(disk))
    (group,) = overview([tmp_path / "cut", tmp_path / "disk"])
    cut, broken = group.images
    assert cut.problem is not None
    assert by_name(cut).keys() == {"virtio_ring", "virtio_blk"}
    assert cut.weight is not None
    assert broken.problem is not None
    assert broken.weight is None


def test_a_release_chooses(tmp_path: Path) -> None:
    write_sound(tmp_path)
    other = RELEASE.replace("6.", "7.")
    (tmp_path / f"initramfs-{other}").write_bytes(initramfs_bytes({"init": b"#!/bin/sh\n"}))
    assert len(overview([tmp_path])) == 2
    (group,) = overview([tmp_path], RELEASE)
    assert group.release == RELEASE
    with pytest.raises(SpecError, match=r"there is nothing of 5\.0"):
        overview([tmp_path], "5.0")


def test_a_boot_folder_has_checks_of_its_own(tmp_path: Path) -> None:
    write(tmp_path, folder_files())
    folder, *groups = overview([tmp_path])
    assert folder.name.startswith("boot folder ")
    assert folder.checks
    assert folder.images == ()
    assert groups


def test_what_lies_on_a_card_is_judged_and_not_weighed(tmp_path: Path) -> None:
    files = sound()
    (tmp_path / "card.img").write_bytes(sd_image(files, (0x83, bytes(4096))))
    write(tmp_path / "folder", files)
    card = overview([tmp_path / "card.img"])
    folder = overview([tmp_path / "folder"])
    for groups in (card, folder):
        assert groups[0].checks
    (weighed,) = [image for group in folder for image in group.images]
    (judged,) = [image for group in card for image in group.images]
    assert weighed.weight is not None
    assert judged.weight is None
    assert judged.problem is None
    assert by_name(judged).keys() == by_name(weighed).keys()


def test_files_that_are_nothing(tmp_path: Path) -> None:
    (tmp_path / "text").write_bytes(b"just a text\n")
    with pytest.raises(SpecError, match="text cannot be verified"):
        overview([tmp_path / "text"])
