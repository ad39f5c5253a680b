from __future__ import annotations

import dataclasses
import hashlib
from typing import TYPE_CHECKING

import pytest

from rdcompose.errors import SpecError
from rdcompose.release.builds import find_builds
from rdcompose.release.inventory import Driver, Inventory, Piece, take_inventory
from tests.support.artifacts import (
    BLOCK,
    DUMMY,
    MODULES,
    RING,
    disk_bytes,
    disk_files,
    initramfs_bytes,
    initramfs_files,
)
from tests.support.modules import make_ko
from tests.support.packages import RELEASE, VERMAGIC
from tests.support.releases import SampleBuild

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.artifacts import Content


def inventory(path: Path, build: SampleBuild) -> Inventory:
    """Write a build and read it back."""
    (found,) = find_builds([build.write(path)])
    return take_inventory(found)


def digest(content: Content) -> str:
    """Return the SHA-256 of a file of the samples."""
    data = content[1] if isinstance(content, tuple) else content
    assert isinstance(data, bytes)
    return hashlib.sha256(data).hexdigest()


def test_modules_are_found_wherever_they_lie(tmp_path: Path) -> None:
    found = inventory(tmp_path, SampleBuild())
    block = Driver(
        name="virtio_blk",
        path=f"{MODULES}/{BLOCK}",
        inner=BLOCK,
        sha256=digest(initramfs_files()[f"{MODULES}/{BLOCK}"]),
        version="",
        licences=(),
        description="",
        depends=("virtio_ring",),
        own=False,
    )
    assert {row.inner: row for row in found.initramfs.drivers} == {
        BLOCK: block,
        RING: dataclasses.replace(
            block,
            name="virtio_ring",
            path=f"{MODULES}/{RING}",
            inner=RING,
            sha256=digest(initramfs_files()[f"{MODULES}/{RING}"]),
            depends=(),
        ),
    }
    assert found.disk is not None
    assert found.disk.file == f"modules-{RELEASE}.qcow2"
    assert [row.inner for row in found.disk.drivers] == [DUMMY]


def test_modules_say_what_they_are(tmp_path: Path) -> None:
    info = {
        "version": "1.2",
        "license": "Dual BSD/GPL",
        "description": "a driver",
        "depends": "",
        "vermagic": VERMAGIC,
    }
    disk = disk_bytes(disk_files() | {f"{RELEASE}/{DUMMY}": make_ko(info)})
    build = SampleBuild(disk=disk, changes={"own_modules": [{"name": "dummy"}]})
    found = inventory(tmp_path, build).disk
    assert found is not None
    (driver,) = found.drivers
    assert (driver.version, driver.licences, driver.description, driver.own) == (
        "1.2",
        ("Dual BSD/GPL",),
        "a driver",
        True,
    )


def test_programs_libraries_and_firmware(tmp_path: Path) -> None:
    files = initramfs_files() | {
        "lib/firmware/a/b.bin": b"blob",
        "kernel/x86/microcode/GenuineIntel.bin": b"update",
    }
    found = inventory(tmp_path, SampleBuild(initramfs=initramfs_bytes(files))).initramfs
    assert set(found.programs) == {
        Piece(path, digest(files[path]), library)
        for path, library in (
            ("bin/busybox", False),
            ("bin/mount", False),
            ("usr/lib64/ld.so.2", True),
            ("usr/lib64/libc.so.6", True),
        )
    }
    assert set(found.firmware) == {
        Piece("lib/firmware/a/b.bin", digest(b"blob")),
        Piece("kernel/x86/microcode/GenuineIntel.bin", digest(b"update")),
    }


def test_a_build_may_have_no_disk(tmp_path: Path) -> None:
    assert inventory(tmp_path, SampleBuild(disk=None)).disk is None


@pytest.mark.parametrize(
    ("initramfs", "said"),
    [
        (b"", "it is empty"),
        (b"no archive at all", "it is a text of no known kind"),
        (disk_bytes(disk_files()), "it is a modules disk, and no initramfs"),
        (initramfs_bytes(initramfs_files())[:-20], "damaged|cut|end"),
        (
            initramfs_bytes(initramfs_files() | {f"{MODULES}/{DUMMY}": b"\x7fELF"}),
            f"{MODULES}/{DUMMY}: ",
        ),
    ],
    ids=["empty", "text", "disk", "cut", "module"],
)
def test_what_cannot_be_read_is_refused(tmp_path: Path, initramfs: bytes, said: str) -> None:
    with pytest.raises(SpecError, match=f"initramfs-{RELEASE} cannot be released: .*(?:{said})"):
        inventory(tmp_path, SampleBuild(initramfs=initramfs))


def test_odd_programs_of_a_template_stop_nothing(tmp_path: Path) -> None:
    odd = b"\x7fELF" + bytes(12) + b"\2\0" + bytes(100)
    files = initramfs_files() | {"bin/odd": odd}
    found = inventory(tmp_path, SampleBuild(initramfs=initramfs_bytes(files))).initramfs
    assert "bin/odd" not in {row.path for row in found.programs}


def test_what_rdcompose_build_did_not_write_is_refused(tmp_path: Path) -> None:
    outputs = [row for row in SampleBuild().manifest()["outputs"] if "initramfs" not in row["name"]]
    with pytest.raises(SpecError, match=f"has no initramfs-{RELEASE}"):
        inventory(tmp_path, SampleBuild(changes={"outputs": outputs}))
