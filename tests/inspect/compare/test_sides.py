"""What belongs to a side: files, trees, builds, manifests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rdcompose.errors import SpecError
from rdcompose.inspect.compare.sides import Side, look_at
from rdcompose.release.writing import ReleaseSpec, write_release
from tests.support.packages import RELEASE
from tests.support.releases import TIMESTAMP, SampleBuild

if TYPE_CHECKING:
    from pathlib import Path

OTHER = "6.1.0-8-cloud-amd64"


def write(directory: Path, *names: str) -> Path:
    for name in names:
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    return directory


def labels(side: Side) -> list[list[str]]:
    return [sorted(member.label for member in group.members) for group in side.groups]


def releases(side: Side) -> list[str | None]:
    return [group.release for group in side.groups]


def test_a_file(tmp_path: Path) -> None:
    side = look_at(write(tmp_path, f"initrd.img-{RELEASE}") / f"initrd.img-{RELEASE}")
    assert (side.single, side.described) == (True, False)
    assert (releases(side), labels(side)) == ([RELEASE], [["initrd.img"]])


def test_a_tree(tmp_path: Path) -> None:
    side = look_at(write(tmp_path, "init", "bin/busybox", "etc/initrd-release", "etc/vmlinuz"))
    assert (side.single, releases(side), labels(side)) == (True, [None], [[""]])


def test_a_build(tmp_path: Path) -> None:
    side = look_at(SampleBuild(more={"notes.txt": b"x"}).write(tmp_path))
    assert (side.single, releases(side)) == (False, [RELEASE])
    assert labels(side) == [["config", "initramfs", "modules.qcow2", "vmlinuz"]]
    assert side.groups[0].manifest == tmp_path / f"manifest-{RELEASE}.json"
    assert side.groups[0].title == RELEASE


def test_a_manifest_of_someone_else(tmp_path: Path) -> None:
    side = look_at(write(tmp_path, f"vmlinuz-{RELEASE}", f"manifest-{RELEASE}.json"))
    assert (side.groups[0].manifest, labels(side)) == (None, [["vmlinuz"]])


def test_a_boot_folder_with_a_set(tmp_path: Path) -> None:
    SampleBuild().write(tmp_path / RELEASE)
    side = look_at(write(tmp_path, "config.txt"))
    assert releases(side) == [RELEASE]
    assert side.groups[0].manifest == tmp_path / RELEASE / f"manifest-{RELEASE}.json"
    assert labels(side)[0][0] == ""


def test_two_builds(tmp_path: Path) -> None:
    for release in (RELEASE, OTHER):
        SampleBuild(release=release).write(tmp_path)
    assert releases(look_at(tmp_path)) == [RELEASE, OTHER]


def test_a_boot_directory_with_everything_else_in_it(tmp_path: Path) -> None:
    names = (f"vmlinuz-{RELEASE}", "initramfs-linux.img", "grub/grub.cfg", "SHA256SUMS")
    side = look_at(write(tmp_path, *names))
    assert (releases(side), labels(side)) == ([RELEASE], [["", "initramfs-linux.img", "vmlinuz"]])
    (tree,) = (member for member in side.groups[0].members if not member.label)
    assert tree.without == {f"vmlinuz-{RELEASE}", "initramfs-linux.img", "SHA256SUMS"}


def test_several_kernels_beside_each_other(tmp_path: Path) -> None:
    names = (f"vmlinuz-{RELEASE}", f"{OTHER}/vmlinuz", "boot/initrd.img-1.2-x", "config.txt")
    side = look_at(write(tmp_path, *names))
    assert set(releases(side)) == {None, RELEASE, OTHER, "1.2-x"}
    assert dict(zip(releases(side), labels(side), strict=True))[OTHER] == ["vmlinuz"]


def test_links_are_part_of_the_tree(tmp_path: Path) -> None:
    (write(tmp_path, "bin/x") / "vmlinuz").symlink_to("boot/vmlinuz-1.2")
    assert labels(look_at(tmp_path)) == [[""]]


def test_a_release(tmp_path: Path) -> None:
    spec = ReleaseSpec(
        directories=(SampleBuild().write(tmp_path / "dist"),),
        output=tmp_path / "release",
        timestamp=TIMESTAMP,
        name="v1",
    )
    write_release(spec)
    side = look_at(tmp_path / "release")
    (group,) = side.groups
    assert (group.release, group.build) == (RELEASE, RELEASE)
    assert labels(side) == [["config", "initramfs", "modules.qcow2", "vmlinuz"]]
    assert group.manifest == tmp_path / "release/manifest.json"
    described = look_at(tmp_path / "release/manifest.json")
    assert (described.described, described.groups[0].members) == (True, ())
    assert described.groups[0].build == RELEASE


def test_a_manifest(tmp_path: Path) -> None:
    SampleBuild().write(tmp_path)
    side = look_at(tmp_path / f"manifest-{RELEASE}.json")
    assert (side.described, releases(side), labels(side)) == (True, [RELEASE], [[]])


@pytest.mark.parametrize(
    "text", ["{", "[]", "{}", "[" * 100_000], ids=["cut", "list", "empty", "deep"]
)
def test_other_json_is_a_file(tmp_path: Path, text: str) -> None:
    (tmp_path / "manifest.json").write_text(text)
    assert look_at(tmp_path / "manifest.json").single


def test_what_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="cannot read "):
        look_at(tmp_path / "gone.json")
