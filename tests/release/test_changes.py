from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest

from rdcompose.inspect.compare.changes import Changed
from rdcompose.release.changes import Resized, compare
from rdcompose.release.records import BuildRecord, read_build
from tests.support.artifacts import BLOCK, RING
from tests.support.releases import SampleBuild

if TYPE_CHECKING:
    from pathlib import Path

OLD, NEW = "6.1.0-7-cloud-amd64", "6.1.0-8-cloud-amd64"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path


def record(path: Path, *disk: str, label: str = "", **fields: object) -> BuildRecord:
    """Return the record of a build, as a release has it."""
    sample = SampleBuild(**fields)  # type: ignore[arg-type]
    read = read_build(sample.write(path) / f"manifest-{sample.release}.json")
    return dataclasses.replace(read, name=f"{sample.release}{label}", disk_modules=disk)


def test_everything_that_changed_is_named(path: Path) -> None:
    before = record(path, "dummy", "ext4", release=OLD, more={f"{OLD}.efi": b"x"})
    now = record(
        path,
        "dummy",
        release=NEW,
        version="6.1.2-1",
        modules={"virtio_blk": BLOCK, "new": RING},
        initramfs=b"short",
    )
    ((found,), gone) = compare([now], [before])
    assert gone == ()
    assert found.before is before
    assert found.versions == (Changed("kernel", f"{OLD}, 6.1.1-1", f"{NEW}, 6.1.2-1"),)
    assert found.options == ()
    assert found.initramfs == (("new",), ("virtio_ring",))
    assert found.kernel == (("new",), ("ext4", "virtio_ring"))
    sizes = {file.name: file.size for file in before.outputs}
    vmlinuz = sizes[f"vmlinuz-{OLD}"]
    assert found.sizes == (
        Resized("efi", 1, None),
        Resized("initramfs", sizes[f"initramfs-{OLD}"], 5),
        Resized("vmlinuz", vmlinuz, vmlinuz),
    )


def test_programs_and_options(path: Path) -> None:
    before, now = record(path), record(path)
    data = SampleBuild().manifest()
    item = dataclasses.replace(now.lock.inputs[1], version="2")
    other = dataclasses.replace(item, role="added", package="nbd-client", version="3")
    lock = dataclasses.replace(
        now.lock,
        inputs=(now.lock.inputs[0], item, other),
        options={"profile": "minivm", "compress": "xz", "add": "nbd-client"},
    )
    ((found,), _) = compare([dataclasses.replace(now, lock=lock)], [before])
    assert found.versions == (
        Changed("busybox-static", data["inputs"][1]["version"], "2"),
        Changed("nbd-client", "", "3"),
    )
    assert found.options == (
        Changed("compress", "gzip:1", "xz"),
        Changed("add", "", "nbd-client"),
        Changed("disk", "remaining", ""),
    )


def test_disks_are_compared_only_where_there_are_two(path: Path) -> None:
    for now, before in ((("dummy",), ()), ((), ("dummy",)), ((), ())):
        ((found,), _) = compare([record(path, *now)], [record(path, *before)])
        assert found.kernel == ((), ())


def test_nothing_changed(path: Path) -> None:
    ((found,), gone) = compare([record(path)], [record(path)])
    assert (found.versions, found.options, found.sizes, gone) == ((), (), (), ())
    assert found.initramfs == found.kernel == ((), ())


def test_builds_that_belong_together_are_compared(path: Path) -> None:
    before = [
        record(path, release=OLD, label=".a"),
        record(path, release=OLD, label=".b"),
        record(path, release=OLD, profile="virtio"),
        record(path, release="6.1.0-7-arm64", architecture="arm64"),
        record(path, release="6.1.0-7-amd64", profile="pi"),
    ]
    now = [
        record(path, release=NEW, label=".b"),
        record(path, release=NEW, profile="virtio", label=".c"),
        record(path, release="6.12-rt-arm64", architecture="arm64", profile="pi"),
        record(path, release=NEW, profile="generic"),
    ]
    found, gone = compare(now, before)
    # The last is of the same flavour as the first of before, which nothing else is of.
    assert [row.before for row in found] == [before[1], before[2], before[3], before[0]]
    assert gone == (before[4],)


def test_builds_that_cannot_be_told_apart_are_new(path: Path) -> None:
    before = [record(path, release=OLD, label=label) for label in (".a", ".b")]
    now = [record(path, release=NEW, label=label) for label in (".c", ".d")]
    found, gone = compare(now, before)
    assert [row.before for row in found] == [None, None]
    assert gone == tuple(before)
