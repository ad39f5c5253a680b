from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from rdcompose.errors import FormatError, SpecError, UsageError
from rdcompose.qemu.artifacts import find_artifacts
from rdcompose.release.writing import ReleaseSpec, write_release
from tests.support.fakeqemu import RELEASE, composition
from tests.support.images import make_arm64
from tests.support.releases import SampleBuild

if TYPE_CHECKING:
    from pathlib import Path

OTHER = "6.1.0-10-cloud-amd64"


def test_finds_everything(tmp_path: Path) -> None:
    composition(tmp_path)
    found = find_artifacts(tmp_path, None)
    assert (found.release, found.architecture) == (RELEASE, "amd64")
    assert found.kernel == tmp_path / f"vmlinuz-{RELEASE}"
    assert found.initramfs == tmp_path / f"initramfs-{RELEASE}"
    assert (found.disk, found.disk_format) == (tmp_path / f"modules-{RELEASE}.qcow2", "qcow2")


def test_squashfs_disk_and_vmlinux(tmp_path: Path) -> None:
    composition(tmp_path)
    (tmp_path / f"vmlinuz-{RELEASE}").rename(tmp_path / f"vmlinux-{RELEASE}")
    disk = tmp_path / f"modules-{RELEASE}.squashfs"
    (tmp_path / f"modules-{RELEASE}.qcow2").rename(disk)
    found = find_artifacts(tmp_path, None)
    assert found.kernel == tmp_path / f"vmlinux-{RELEASE}"
    assert (found.disk, found.disk_format) == (disk, "raw")


def test_newest_manifest_or_the_one_named(tmp_path: Path) -> None:
    composition(tmp_path)
    composition(tmp_path, OTHER)
    os.utime(tmp_path / f"manifest-{OTHER}.json", (1000, 1000))
    assert find_artifacts(tmp_path, None).release == RELEASE
    assert find_artifacts(tmp_path, OTHER).release == OTHER
    os.utime(tmp_path / f"manifest-{RELEASE}.json", (1000, 1000))
    with pytest.raises(UsageError, match=f"several compositions: {OTHER}, {RELEASE}") as caught:
        find_artifacts(tmp_path, None)
    assert caught.value.hint == "choose one with --release"


@pytest.fixture
def released(tmp_path: Path) -> Path:
    """Return a release of two builds of a kernel, one without a disk."""
    one = SampleBuild(release=RELEASE, more={f"{RELEASE}.efi": b"one"}).write(tmp_path / "one")
    two = SampleBuild(release=RELEASE, disk=None, more={f"{RELEASE}.efi": b"two"})
    two.initramfs += bytes(512)
    directories = (one, two.write(tmp_path / "two"))
    out = tmp_path / "out"
    write_release(ReleaseSpec(directories=directories, output=out, sbom=False))
    return out


def test_one_of_several_builds_of_a_kernel_in_a_release(released: Path) -> None:
    one = find_artifacts(released, f"{RELEASE}.one")
    two = find_artifacts(released, f"{RELEASE}.two")
    assert (one.release, one.architecture) == (two.release, two.architecture) == (RELEASE, "amd64")
    assert one.kernel == two.kernel == released / f"vmlinuz-{RELEASE}"
    assert one.initramfs == released / f"initramfs-{RELEASE}.one"
    assert two.initramfs == released / f"initramfs-{RELEASE}.two"
    assert (one.disk, two.disk) == (released / f"modules-{RELEASE}.qcow2", None)
    assert [found.uki.read_bytes() for found in (one, two)] == [b"one", b"two"]


def test_builds_of_a_release_are_of_one_age(released: Path) -> None:
    os.utime(released / f"manifest-{RELEASE}.one.json", (1000, 1000))
    for asked in (None, RELEASE):
        with pytest.raises(UsageError, match=f"compositions: {RELEASE}.one, {RELEASE}.two"):
            find_artifacts(released, asked)
    # What was built there since is newer.
    composition(released, OTHER)
    os.utime(released / "manifest.json", (1000, 1000))
    assert find_artifacts(released, None).release == OTHER


def test_part_of_a_build_in_a_release_that_is_gone(released: Path) -> None:
    (released / f"initramfs-{RELEASE}.one").unlink()
    with pytest.raises(SpecError, match=f"has no initramfs initramfs-{RELEASE}"):
        find_artifacts(released, f"{RELEASE}.one")


def test_without_manifest_the_kernel_tells(tmp_path: Path) -> None:
    (tmp_path / f"vmlinuz-{RELEASE}").write_bytes(make_arm64())
    (tmp_path / f"initramfs-{RELEASE}").write_bytes(b"")
    found = find_artifacts(tmp_path, None)
    assert (found.architecture, found.disk) == ("arm64", None)


def test_kernel_that_is_none(tmp_path: Path) -> None:
    composition(tmp_path)
    (tmp_path / f"manifest-{RELEASE}.json").unlink()
    with pytest.raises(FormatError, match=f"vmlinuz-{RELEASE}: no kernel image"):
        find_artifacts(tmp_path, None)


def test_disk_of_an_earlier_composition_is_left_alone(tmp_path: Path) -> None:
    composition(tmp_path, disk=False)
    (tmp_path / f"modules-{RELEASE}.qcow2").write_bytes(b"")
    assert find_artifacts(tmp_path, None).disk is None


@pytest.mark.parametrize(
    ("lost", "message"),
    [
        (f"vmlinuz-{RELEASE}", f"no kernel vmlinuz-{RELEASE} or vmlinux-{RELEASE}"),
        (f"initramfs-{RELEASE}", f"no initramfs initramfs-{RELEASE}"),
        (f"modules-{RELEASE}.qcow2", f"no modules-{RELEASE}.qcow2 or .* the manifest says"),
    ],
)
def test_missing_part(tmp_path: Path, lost: str, message: str) -> None:
    composition(tmp_path)
    (tmp_path / lost).unlink()
    with pytest.raises(SpecError, match=message):
        find_artifacts(tmp_path, None)


def test_release_that_is_not_there(tmp_path: Path) -> None:
    composition(tmp_path)
    with pytest.raises(SpecError) as caught:
        find_artifacts(tmp_path, OTHER)
    assert caught.value.hint == f"there is an initramfs for {RELEASE}"


def test_no_composition(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="holds no composition"):
        find_artifacts(tmp_path, None)
    with pytest.raises(SpecError, match=r"cannot read .*: No such file"):
        find_artifacts(tmp_path / "missing", None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is no JSON"),
        ("[]", "is no manifest"),
        ('{"architecture": "vax"}', "names the architecture 'vax'"),
    ],
)
def test_bad_manifest(tmp_path: Path, text: str, message: str) -> None:
    composition(tmp_path, disk=False)
    (tmp_path / f"manifest-{RELEASE}.json").write_text(text)
    with pytest.raises(FormatError, match=message):
        find_artifacts(tmp_path, None)
