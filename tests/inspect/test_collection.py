from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rdcompose.errors import SpecError
from rdcompose.inspect.artifact import Kind
from rdcompose.inspect.collection import ArtifactSet, Collection, collect, release_of_name
from tests.support.artifacts import (
    disk,
    disk_files,
    group,
    initramfs,
    initramfs_bytes,
    initramfs_files,
    kernel,
    write_sound,
)
from tests.support.devicetrees import make_dtb
from tests.support.efi import make_pe
from tests.support.images import make_bzimage
from tests.support.packages import RELEASE, kernel_deb

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

OTHER = "6.1.0-8-cloud-amd64"


def write(directory: Path, files: Mapping[str, bytes]) -> Path:
    for name, data in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return directory


def shown(collection: Collection) -> list[tuple[str | None, list[str]]]:
    return [(one.named, [row.name for row in one.artifacts]) for one in collection.sets]


def test_a_composition(tmp_path: Path) -> None:
    files = write_sound(tmp_path)
    found = collect([tmp_path])
    assert [named for named, _ in shown(found)] == [RELEASE]
    assert {row.name for row in found.sets[0].artifacts} == files.keys()
    assert found.left_over == ()
    assert found.sets[0].release == RELEASE


def test_two_releases_and_what_belongs_to_none(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            f"vmlinuz-{RELEASE}": make_bzimage(RELEASE),
            f"vmlinuz-{OTHER}": make_bzimage(OTHER),
            # The name does not tell, the content does.
            "initrd.img": initramfs_bytes(initramfs_files()),
            "vmlinuz.old": make_bzimage("6.1.0-6-amd64"),
            "SHA256SUMS": b"a" * 64 + b"  x\n",
            "README": b"text",
            "kernel.deb": kernel_deb(),
            ".hidden": make_bzimage(OTHER),
        },
    )
    found = collect([tmp_path])
    assert shown(found) == [
        (RELEASE, [f"vmlinuz-{RELEASE}", "initrd.img", "SHA256SUMS"]),
        (OTHER, [f"vmlinuz-{OTHER}", "SHA256SUMS"]),
        (None, ["vmlinuz.old"]),
    ]
    assert [row.name for row in found.left_over] == ["README", "kernel.deb"]


def test_files_without_a_release_in_their_names_belong_together(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "vmlinuz": make_bzimage(OTHER),
            "initrd.img": initramfs_bytes(initramfs_files()),
            "SHA256SUMS": b"a" * 64 + b"  x\n",
        },
    )
    found = collect([tmp_path])
    assert shown(found) == [(None, ["initrd.img", "vmlinuz", "SHA256SUMS"])]
    # With one release in a name, they are meant to be of it.
    write(tmp_path, {f"config-{RELEASE}": b"CONFIG_X=y\n"})
    [(named, names)] = shown(collect([tmp_path]))
    assert named == RELEASE
    assert set(names) == {f"config-{RELEASE}", "initrd.img", "vmlinuz", "SHA256SUMS"}


def test_named_files_are_one_set(tmp_path: Path) -> None:
    write(tmp_path, {f"vmlinuz-{OTHER}": make_bzimage(OTHER), "a": make_bzimage(RELEASE)})
    found = collect([tmp_path / f"vmlinuz-{OTHER}", tmp_path / "a"])
    assert shown(found) == [(None, [f"vmlinuz-{OTHER}", "a"])]


def test_device_trees_in_directories(tmp_path: Path) -> None:
    tree = make_dtb({})
    write(
        tmp_path,
        {
            f"vmlinuz-{RELEASE}": make_bzimage(RELEASE),
            f"linux-image-{OTHER}/vendor/board.dtb": tree,
            f"linux-image-{OTHER}/README": b"text",
            "dtbs/a.dtb": tree,
            "overlays/b.dtbo": tree,
            "elsewhere/c.dtb": tree,
            "dtbs/1/2/3/4/5/too-deep.dtb": tree,
        },
    )
    found = dict(shown(collect([tmp_path])))
    assert found[OTHER] == [f"linux-image-{OTHER}/vendor/board.dtb"]
    assert set(found[RELEASE] + found.get(None, [])) == {
        f"vmlinuz-{RELEASE}",
        "dtbs/a.dtb",
        "overlays/b.dtbo",
    }


def test_links_to_files_beside_them_are_not_read_twice(tmp_path: Path) -> None:
    write(tmp_path / "boot", {f"vmlinuz-{RELEASE}": make_bzimage(RELEASE)})
    (tmp_path / "boot/vmlinuz").symlink_to(f"vmlinuz-{RELEASE}")
    write(tmp_path, {"elsewhere": initramfs_bytes(initramfs_files())})
    (tmp_path / f"boot/initrd.img-{RELEASE}").symlink_to("../elsewhere")
    (tmp_path / "boot/dangling").symlink_to("nowhere")
    assert shown(collect([tmp_path / "boot"])) == [
        (RELEASE, [f"initrd.img-{RELEASE}", f"vmlinuz-{RELEASE}"])
    ]


def test_a_release_that_is_asked_for(tmp_path: Path) -> None:
    write_sound(tmp_path)
    write(tmp_path, {f"vmlinuz-{OTHER}": make_bzimage(OTHER)})
    assert [named for named, _ in shown(collect([tmp_path], RELEASE))] == [RELEASE]
    with pytest.raises(SpecError, match=r"there is nothing of 6\.9") as caught:
        collect([tmp_path], "6.9")
    assert caught.value.hint == f"there is {RELEASE}, {OTHER}"
    # Files that were named are to be of it.
    [one] = collect([tmp_path / f"vmlinuz-{OTHER}"], RELEASE).sets
    assert one.named == RELEASE


@pytest.mark.parametrize(
    ("name", "data", "message", "hint"),
    [
        ("text", b"text\n", "text cannot be verified: it is a text", "known are kernels"),
        ("empty", b"", "empty cannot be verified: it is empty", "known are kernels"),
        ("k.deb", kernel_deb(), "k.deb cannot be verified: it is a Debian package", "build"),
        (
            "root",
            b"XFSB" + bytes(99),
            "verified: it holds a filesystem that is not read: xfs",
            "known are",
        ),
    ],
)
def test_files_that_cannot_be_verified(
    tmp_path: Path, name: str, data: bytes, message: str, hint: str
) -> None:
    write(tmp_path, {name: data})
    with pytest.raises(SpecError, match=message) as caught:
        collect([tmp_path / name])
    assert hint in str(caught.value.hint)


def test_a_file_that_is_damaged_is_part_of_the_set(tmp_path: Path) -> None:
    write(tmp_path, {f"vmlinuz-{RELEASE}": make_bzimage()[:1100], "initrd.img": b"\x1f\x8brest"})
    [one] = collect([tmp_path / f"vmlinuz-{RELEASE}", tmp_path / "initrd.img"]).sets
    assert [row.kind for row in one.artifacts] == [Kind.UNKNOWN, Kind.UNKNOWN]
    write(tmp_path, {"initrd.img": initramfs_bytes(initramfs_files())})
    found = collect([tmp_path])
    assert shown(found) == [(RELEASE, [f"vmlinuz-{RELEASE}", "initrd.img"])]
    # So is one whose name tells no release.
    write(tmp_path, {"vmlinuz": make_bzimage()[:1100]})
    assert shown(collect([tmp_path]))[0][1] == [f"vmlinuz-{RELEASE}", "initrd.img", "vmlinuz"]


def test_directories_that_hold_nothing(tmp_path: Path) -> None:
    write(tmp_path, {"README": b"text", f"config-{RELEASE}": b"CONFIG_X=y\n"})
    with pytest.raises(SpecError, match="holds no kernel, no initramfs and no modules disk"):
        collect([tmp_path])
    with pytest.raises(SpecError, match=r"cannot read .*none"):
        collect([tmp_path / "none"])


def test_what_is_no_file_of_a_boot_is_left_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_sound(tmp_path)
    write(tmp_path, {"odd": b"x"})
    original = Path.open

    def refuse(path: Path, *arguments: object, **options: object) -> object:
        if path.name in {"odd", refused}:
            raise PermissionError(13, "Permission denied")
        return original(path, *arguments, **options)  # type: ignore[call-overload]

    refused = ""
    monkeypatch.setattr(Path, "open", refuse)
    assert [row.name for row in collect([tmp_path]).left_over] == ["odd"]
    refused = f"vmlinuz-{RELEASE}"
    with pytest.raises(SpecError, match=r"cannot read .*vmlinuz.*: Permission denied"):
        collect([tmp_path])


def test_release_of_a_name() -> None:
    assert release_of_name(f"linux-image-{OTHER}/vendor/board.dtb") == OTHER
    assert release_of_name(f"dtbs/{OTHER}/vmlinuz-{RELEASE}") == RELEASE
    assert release_of_name("dtbs/board.dtb") is None


def test_release_of_a_set() -> None:
    assert group(initramfs(), kernel(OTHER)).release == OTHER
    assert group(initramfs(name="initrd"), disk(name="x")).release == RELEASE
    assert group(initramfs(name="initrd"), named=OTHER).release == OTHER
    assert group(initramfs({}, name=f"initramfs-{OTHER}")).release == OTHER
    assert group(initramfs({}, name="initrd")).release is None


def test_modules_of_a_set_are_those_of_its_release() -> None:
    files = {**disk_files(), f"{OTHER}/kernel/x.ko": disk_files()[f"{RELEASE}/kernel/net/dummy.ko"]}
    both = group(disk(files), named=RELEASE)
    assert [module.path for _, module in both.modules] == [f"{RELEASE}/kernel/net/dummy.ko"]
    assert len(list(both.index("modules.dep"))) == 1
    # If there are none of it, those that are there.
    foreign = group(disk(), named=OTHER)
    assert [module.release for _, module in foreign.modules] == [RELEASE]
    assert len(list(foreign.index("modules.dep"))) == 1
    assert list(foreign.index("modules.softdep")) == []


def test_the_release_is_looked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    # Disks of large kernels have thousands of modules, and all of them are asked.
    asked = []
    said = ArtifactSet._said

    def counted(self: ArtifactSet) -> Iterator[str]:
        asked.append(self)
        return said(self)

    monkeypatch.setattr(ArtifactSet, "_said", counted)
    unnamed = group(initramfs(name="initrd"), disk(name="x"))
    assert len(unnamed.modules) == 3
    assert unnamed.release == RELEASE
    assert len(list(unnamed.index("modules.dep"))) == 2
    assert len(asked) == 1


def test_spare_kernels_are_sets_of_their_own(tmp_path: Path) -> None:
    write_sound(tmp_path)
    write(
        tmp_path,
        {"vmlinuz.old": make_bzimage(OTHER), "vmlinuz-0-rescue-1234": make_bzimage(RELEASE)},
    )
    first, second = collect([tmp_path]).sets
    assert "vmlinuz-0-rescue-1234" in {row.name for row in first.artifacts}
    assert [row.name for row in second.artifacts] == ["vmlinuz.old"]


def test_files_of_one_name_are_told_apart(tmp_path: Path) -> None:
    data = {"6.9.1/initrd": initramfs_bytes(initramfs_files())}
    write(tmp_path, data | {"6.9.2/initrd": data["6.9.1/initrd"]})
    paths = [tmp_path / "6.9.1/initrd", tmp_path / "6.9.2/initrd"]
    [one] = collect(paths).sets
    assert [row.name for row in one.artifacts] == list(map(str, paths))
    # Directories that were named on the way say nothing on the release.
    assert {row.claimed for row in one.artifacts} == {None}


def test_a_filesystem_by_its_name(tmp_path: Path) -> None:
    write_sound(tmp_path)
    write(tmp_path, {f"modules-{RELEASE}.raw": b"XFSB" + bytes(99)})
    [one] = collect([tmp_path]).sets
    assert [row.name for row in one.of(Kind.FILESYSTEM)] == [f"modules-{RELEASE}.raw"]


def test_parts_of_a_unified_kernel_image(tmp_path: Path) -> None:
    data = make_pe(
        {
            ".text": b"x",
            ".linux": make_bzimage(RELEASE),
            ".initrd": initramfs_bytes(initramfs_files()),
        }
    )
    write(tmp_path, {"boot.efi": data})
    expected = ["boot.efi", ".linux of boot.efi", ".initrd of boot.efi"]
    for path in (tmp_path, tmp_path / "boot.efi"):
        [one] = collect([path]).sets
        assert [row.name for row in one.artifacts] == expected
        assert one.release == RELEASE
    write(tmp_path, {f"{RELEASE}.efi": data})
    (tmp_path / "boot.efi").unlink()
    assert [named for named, _ in shown(collect([tmp_path]))] == [RELEASE]


def test_other_files_with_a_release_in_their_names(tmp_path: Path) -> None:
    write_sound(tmp_path)
    write(tmp_path, {"modules-6.1.0.txt": b"a list\n", "initrd.sha256": b"\x1f\x8b"})
    found = collect([tmp_path])
    assert [named for named, _ in shown(found)] == [RELEASE]
    assert {row.name for row in found.left_over} == {*("modules-6.1.0.txt", "initrd.sha256")}
