from __future__ import annotations

import io
from pathlib import Path

import pytest

from rdcompose.errors import SpecError
from rdcompose.inspect.artifact import Kind
from rdcompose.inspect.bootfolder import BootFolder, FolderKind, Volume
from rdcompose.inspect.boots import BootFacts
from rdcompose.inspect.collection import Collection
from rdcompose.inspect.verify import verify
from rdcompose.tree import File, Pieces
from tests.support.artifacts import disk_bytes, tree_of
from tests.support.images import gzipped, make_arm64
from tests.support.modules import make_ko
from tests.support.pifolders import (
    CONFIG_TXT,
    FIRMWARE,
    OLD,
    RELEASE,
    boot_set,
    dtb,
    facts,
    flat,
    folder,
    initramfs,
    names,
    sound,
    with_config,
    zimage,
)


def boards(files: dict[str, bytes]) -> list[str]:
    return [boot.title for boot in facts(files).boots]


def test_boards_that_find_all_are_meant() -> None:
    assert boards(sound()) == ["3 B", "3 B+", "4 B", "400", "Compute Module 4"]


def test_a_section_makes_a_board_meant() -> None:
    assert boards(with_config(CONFIG_TXT + "[pi2]\nkernel=x\n"))[0] == "2 B"
    assert "2 B" not in boards(with_config(CONFIG_TXT + "[pi2]\nhdmi_mode=1\n"))
    assert "3 A+" not in boards(with_config(CONFIG_TXT + "[pi3+]\nkernel=x\n"))
    assert "Compute Module 4S" in boards(with_config(CONFIG_TXT + "[cm4s]\nkernel=x\n"))


def test_a_section_of_all_zeros_means_the_first() -> None:
    found = boards(with_config(CONFIG_TXT + "[pi0]\nkernel=x\n"))
    assert "Zero" in found
    assert "Zero 2 W" not in found


def test_boards_without_their_firmware_are_not_meant() -> None:
    files = sound()
    for name in FIRMWARE[3:]:
        del files[name]
    assert boards(files) == ["3 B", "3 B+"]


def test_boards_that_come_closest() -> None:
    assert boards(sound() | {"config.txt": b"os_prefix=Q/\n"}) == ["3 B", "4 B"]
    assert boards({"config.txt": b"", "start4.elf": b"", "fixup4.dat": b""}) == ["4 B"]
    assert boards({"config.txt": b"", "kernel_2712.img": b"x"}) == ["5"]
    assert len(boards({"config.txt": b"kernel=x\n"})) == 7


def test_a_board_that_the_kernel_is_too_wide_for_is_not_close() -> None:
    """With the device trees gone, only the kernel tells what the folder is for."""
    files = {name: data for name, data in flat().items() if not name.endswith(".dtb")}
    found = boards(files | {"config.txt": b"arm_64bit=1\nkernel=kernel8.img\n"})
    assert {"3 B", "4 B"} <= set(found)
    assert not {"Zero", "1 B+", "2 B"} & set(found)


def test_firmware_beside_the_directories_of_a_tftp_server() -> None:
    files = {name: data for name, data in sound().items() if name != "bootcode.bin"}
    known = BootFacts(folder(files, FolderKind.NETWORK, shared={"bootcode.bin": b""}))
    assert known.has_file("bootcode.bin")
    assert not known.has_file("start.db")


def test_the_set_of_a_kernel() -> None:
    [group] = facts(sound()).sets
    assert group.release == RELEASE
    assert names(group.artifacts) == {
        f"R/{name}"
        for name in (
            *("kernel8.img", "initramfs8", "bcm2711-rpi-4-b.dtb", "bcm2837-rpi-3-b.dtb"),
            *(f"config-{RELEASE}", f"manifest-{RELEASE}.json", "SHA256SUMS"),
        )
    }


def test_a_set_that_nobody_loads_is_one_too() -> None:
    files = sound() | boot_set(OLD, "S/")
    first, second = facts(files).sets
    assert (first.release, second.release) == (RELEASE, OLD)
    assert {name.partition("/")[0] for name in names(second.artifacts)} == {"S"}


def test_checksums_of_a_set_count_once() -> None:
    files = sound() | boot_set(OLD, f"{OLD}/")
    kept = facts(files).sets[1]
    assert [row.name for row in kept.of(Kind.CHECKSUMS)] == [f"{OLD}/SHA256SUMS"]


def test_several_kernels_in_one_folder() -> None:
    files = flat(config__txt=b"upstream_kernel=1\n")
    files["kernel7.img"] = zimage("6.1.0-50-armmp")
    files["bcm2836-rpi-2-b.dtb"] = dtb("bcm2836")
    files["config-6.1.0-50-armmp"] = b"CONFIG_SMP=y\n"
    known = facts(files)
    assert known.kernels == ("kernel7.img", "kernel8.img")
    seven, eight, _ = known.sets
    assert "config-6.1.0-50-armmp" in names(seven.artifacts)
    assert f"config-{RELEASE}" in names(eight.artifacts)
    assert f"config-{RELEASE}" not in names(seven.artifacts)


def test_a_release_that_is_asked_for() -> None:
    files = sound() | boot_set(OLD, "S/")
    [group] = BootFacts(folder(files), OLD).sets
    assert group.release == OLD
    with pytest.raises(SpecError, match=r"there is nothing of 6\.0-x") as caught:
        assert BootFacts(folder(files), "6.0-x").sets
    assert RELEASE in str(caught.value.hint)


def test_files_that_config_txt_includes() -> None:
    files = sound() | {"usercfg.txt": b"[pi2]\nkernel=x\n[pi5]\nkernel=x\n"}
    files["config.txt"] += b"include usercfg.txt\n"
    two, *others = facts(files).boots
    assert (two.title, two.view.kernel_asked) == ("2 B", ("x",))
    # Its loader, in the EEPROM, reads no includes.
    assert "5" not in [boot.title for boot in others]


def test_a_modules_disk_in_a_partition() -> None:
    module = make_ko({"vermagic": f"{RELEASE} SMP"}, machine=183)
    disk = disk_bytes({f"{RELEASE}/kernel/x.ko": module}, container="raw")
    volumes = tuple(
        Volume(number=number, part_uuid="", kinds=kinds, source=io.BytesIO(data))
        for number, kinds, data in ((2, ("ext4",), b""), (3, ("squashfs",), disk))
    )
    image = BootFolder("i", FolderKind.IMAGE, Path("i"), tree_of(sound()), volumes=volumes)
    [group] = BootFacts(image).sets
    assert "partition 3" in names(group.artifacts)
    files = sound() | boot_set(OLD)
    other = BootFolder("i", FolderKind.IMAGE, Path("i"), tree_of(files), volumes=volumes)
    assert "partition 3" not in names(BootFacts(other).sets[0].artifacts)


def test_a_card_of_raspberry_pi_os() -> None:
    # Names, sections and settings of its images since Debian 12; contents are made up.
    version = "6.12.47+rpt-rpi"
    config = """\
dtparam=audio=on
camera_auto_detect=1
auto_initramfs=1
dtoverlay=vc4-kms-v3d
arm_boost=1
[cm4]
otg_mode=1
[cm5]
dtoverlay=dwc2,dr_mode=host
[all]
"""
    files = dict.fromkeys(FIRMWARE, b"firmware") | {
        "config.txt": config.encode(),
        "cmdline.txt": b"console=serial0,115200 root=PARTUUID=12345678-02 rootfstype=ext4\n",
        "kernel.img": zimage(f"{version}-v6"),
        "kernel7.img": zimage(f"{version}-v7"),
        "kernel8.img": gzipped(make_arm64(f"{version}-v8")),
        "kernel_2712.img": gzipped(make_arm64(f"{version}-2712")),
        "overlays/README": b"",
        "overlays/vc4-kms-v3d.dtbo": dtb("bcm2835"),
        "bcm2708-rpi-zero-w.dtb": dtb("bcm2835"),
        "bcm2708-rpi-b-plus.dtb": dtb("bcm2835"),
        "bcm2709-rpi-2-b.dtb": dtb("bcm2836"),
        "bcm2710-rpi-3-b.dtb": dtb("bcm2837"),
        "bcm2711-rpi-4-b.dtb": dtb("bcm2711"),
        "bcm2712-rpi-5-b.dtb": dtb("bcm2712"),
    }
    for name in ("", "7", "8", "_2712"):
        files[f"initramfs{name}"] = initramfs(f"{version}-{name.strip('_') or 'v6'}")
    loaded = {boot.title: (boot.view.kernel, *boot.view.initramfs) for boot in facts(files).boots}
    assert loaded["Zero W"] == loaded["1 B+"] == ("kernel.img", "initramfs")
    assert loaded["2 B"] == loaded["3 B"] == ("kernel7.img", "initramfs7")
    assert loaded["4 B"] == ("kernel8.img", "initramfs8")
    assert loaded["5"] == ("kernel_2712.img", "initramfs_2712")
    assert "Compute Module 5" not in loaded
    report = verify(Collection((), ()), [facts(files)])
    [folder_report] = report.folders
    assert folder_report.contradictions == ()
    assert len(report.sets) == 4


def test_a_partition_that_is_no_modules_disk() -> None:
    disk = disk_bytes({"etc/fstab": b""}, container="raw")
    volumes = tuple(
        Volume(number=number, part_uuid="", kinds=("squashfs",), source=io.BytesIO(data))
        for number, data in ((2, disk), (3, disk[:200]), (4, b""))
    )
    image = BootFolder("i", FolderKind.IMAGE, Path("i"), tree_of(sound()), volumes=volumes)
    assert not any("partition" in name for name in names(BootFacts(image).sets[0].artifacts))


def test_what_lies_deep_or_is_nothing_is_no_set() -> None:
    files = sound() | {
        "a/b/kernel8.img": b"",
        "notes/README": b"x",
        "d/config-6.1.0-7-x": b"CONFIG_A=y",
    }
    assert len(facts(files).sets) == 1


def test_a_file_is_known_without_its_content_where_that_is_too_large() -> None:
    known = facts(flat())
    known.folder.tree.add(File(path="kernel8.img", content=Pieces(1 << 40, lambda: iter(()))))
    whole = BootFacts(BootFolder("b", FolderKind.DIRECTORY, Path("b"), known.folder.tree))
    assert whole.artifact("kernel8.img").problem == "it is larger than any kernel or initramfs"


def test_names_of_fat_in_another_case() -> None:
    files = {name.upper(): data for name, data in sound().items()}
    known = BootFacts(folder(files, FolderKind.IMAGE))
    [group] = known.sets
    assert known.kernels == ("R/kernel8.img",)
    assert {"R/KERNEL8.IMG", "R/INITRAMFS8", "R/SHA256SUMS"} <= names(group.artifacts)
    assert verify(Collection((), ()), [known]).contradictions == ()


def test_a_folder_without_any_firmware_is_for_the_same_boards() -> None:
    files = {name: data for name, data in sound().items() if name not in FIRMWARE}
    assert boards(files) == boards(sound())


def test_a_board_that_wants_no_device_tree() -> None:
    files = flat(config__txt=b"[pi4]\ndevice_tree=\n")
    for name in [name for name in files if name.endswith(".dtb")]:
        del files[name]
    assert boards(files) == ["4 B", "400", "Compute Module 4", "Compute Module 4S"]


def test_a_board_that_finds_no_kernel_has_no_set() -> None:
    known = facts(with_config(CONFIG_TXT + "[pi2]\nkernel=x\n"))
    assert known.boots[0].view.kernel is None
    assert known.kernels == ("R/kernel8.img",)


def test_what_lies_beside_a_kernel_in_its_directory_belongs_to_it() -> None:
    others = {"R/other.dtb": dtb("bcm2711"), f"R/config-{OLD}": b"CONFIG_SMP=y\n", "R/x.txt": b""}
    [group] = facts(sound() | others).sets
    assert {"R/other.dtb", f"R/config-{OLD}"} <= names(group.artifacts)
    assert "R/x.txt" not in names(group.artifacts)


def test_a_manifest_that_is_none_of_a_set() -> None:
    damaged = b'{"schema": 1, "release": "%s", "outputs": 5}' % OLD.encode()
    files = flat() | {f"manifest-{OLD}.json": damaged}
    assert f"manifest-{OLD}.json" not in names(facts(files).sets[0].artifacts)
    files = sound() | {f"R/manifest-{RELEASE}.json": damaged}
    report = verify(Collection((), ()), [facts(files)])
    assert any("is no manifest" in finding.message for finding in report.contradictions)


def test_the_second_set_of_a_release() -> None:
    files = sound() | boot_set(prefix=f"{RELEASE}.2/") | boot_set(prefix=f"{RELEASE}.3/")
    files["config.txt"] = CONFIG_TXT.replace("R/", f"{RELEASE}.2/").encode()
    found = facts(files)
    assert {row.claimed for one in found.sets for row in one.artifacts} <= {RELEASE, None}
    assert not verify(Collection((), ()), [found]).contradictions
