from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rdcompose.errors import FormatError, SpecError, UnsupportedError
from rdcompose.inspect.bootfolder import BootFolder, FolderKind, open_boot_folders
from rdcompose.inspect.filecontent import file_content
from rdcompose.tree import read_all
from tests.support.artifacts import tree_of
from tests.support.pifolders import fat, folder, sd_image, sound, write

if TYPE_CHECKING:
    from collections.abc import Iterator

SMALL = {"config.txt": b"kernel=x\n", "x": b"kernel", "R/y": b"z"}


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


def opened(path: Path, stack: ExitStack) -> list[BootFolder]:
    return list(open_boot_folders(path, stack))


def test_a_directory(tmp_path: Path, stack: ExitStack) -> None:
    write(tmp_path, SMALL | {".hidden": b""})
    [found] = opened(tmp_path, stack)
    assert (found.kind, found.name) == (FolderKind.DIRECTORY, str(tmp_path))
    assert set(found.files) == set(SMALL)
    assert found.exists("x")
    assert found.exists("R//y")
    assert not found.exists("X")
    assert not found.exists("R")
    assert found.text("config.txt") == b"kernel=x\n"
    assert found.text("none") is None


@pytest.mark.parametrize("name", ["bootcode.bin", "start.elf", "start4.elf"])
def test_a_directory_without_config_txt(tmp_path: Path, stack: ExitStack, name: str) -> None:
    write(tmp_path, {name: b"x"})
    assert len(opened(tmp_path, stack)) == 1


@pytest.mark.parametrize(
    "files",
    [{}, {"vmlinuz": b"x"}, {"config.txt": b"# of another program\nname=x\n"}],
    ids=["empty", "kernel", "other"],
)
def test_directories_of_others(tmp_path: Path, stack: ExitStack, files: dict[str, bytes]) -> None:
    write(tmp_path, files)
    assert opened(tmp_path, stack) == []


def test_links_are_followed(tmp_path: Path, stack: ExitStack) -> None:
    write(tmp_path, {"boot/config.txt": b"kernel=x\n", "real/x": b"1"})
    (tmp_path / "boot" / "x").symlink_to("../real/x")
    (tmp_path / "boot" / "R").symlink_to("../real")
    (tmp_path / "boot" / "gone").symlink_to("nowhere")
    (tmp_path / "boot" / "round").symlink_to(".")
    [found] = opened(tmp_path / "boot", stack)
    # What leads back to where it comes from, or nowhere, is left out.
    assert set(found.files) == {"config.txt", "x", "R/x"}


def test_directories_of_serial_numbers(tmp_path: Path, stack: ExitStack) -> None:
    write(tmp_path, {"bootcode.bin": b"x", "other/config.txt": b"kernel=x\n"})
    write(tmp_path / "1234abcd", SMALL)
    write(tmp_path / "dc-a6-32-01-02-03", SMALL | {"x": b"another"})
    write(tmp_path / "00000000", {"vmlinuz": b""})
    (tmp_path / "aaaa0000").symlink_to("1234abcd")
    first, second = opened(tmp_path, stack)
    assert {row.kind for row in (first, second)} == {FolderKind.NETWORK}
    assert first.name == str(tmp_path / "1234abcd, aaaa0000")
    assert second.path == tmp_path / "dc-a6-32-01-02-03"
    assert first.shared is not None
    assert "bootcode.bin" in first.shared


@pytest.mark.parametrize("name", ["config.txt", "start.elf", "start4.elf"])
def test_a_folder_beside_directories_of_serial_numbers(
    tmp_path: Path, stack: ExitStack, name: str
) -> None:
    write(tmp_path, {name: b"kernel=x\n", "other/x": b"x"})
    write(tmp_path / "1234abcd", SMALL)
    top, own = opened(tmp_path, stack)
    assert set(top.files) == {name, "other/x"}
    assert own.path == tmp_path / "1234abcd"


@pytest.mark.parametrize("serials", [("1234abcd",), ()], ids=["own directory", "shared root"])
def test_what_pi_netboot_writes(tmp_path: Path, stack: ExitStack, serials: tuple[str, ...]) -> None:
    write(tmp_path, {"dnsmasq.conf": b"port=0\n"})
    write(tmp_path / "tftp/boot", SMALL)
    for serial in serials:
        (tmp_path / "tftp" / serial).symlink_to("boot")
    [found] = opened(tmp_path, stack)
    assert found.kind is FolderKind.NETWORK
    assert found.path == tmp_path / "tftp" / (serials[0] if serials else "boot")


def test_serial_directories_that_are_the_folder_itself(tmp_path: Path, stack: ExitStack) -> None:
    write(tmp_path, SMALL)
    (tmp_path / "1234abcd").mkdir()
    for name in ("config.txt", "x"):
        (tmp_path / "1234abcd" / name).hardlink_to(tmp_path / name)
    (tmp_path / "1234abcd" / "R").mkdir()
    (tmp_path / "1234abcd" / "R" / "y").hardlink_to(tmp_path / "R" / "y")
    [found] = opened(tmp_path, stack)
    assert (found.kind, set(found.files)) == (FolderKind.NETWORK, set(SMALL))


def test_an_image(tmp_path: Path, stack: ExitStack) -> None:
    path = tmp_path / "sd.img"
    root = bytes(1024 + 56) + b"\x53\xef" + bytes(4096)
    path.write_bytes(sd_image(SMALL, (0x83, root)))
    [found] = opened(path, stack)
    assert (found.kind, found.name) == (FolderKind.IMAGE, f"{path}, partition 1")
    content = found.content("X")
    assert content is not None
    assert read_all(content) == b"kernel"
    one, two = found.volumes
    assert (two.number, two.part_uuid, two.kinds[-1]) == (2, "12345678-02", "ext4")
    assert one.kinds == ("vfat",)


def test_a_volume_by_itself(tmp_path: Path, stack: ExitStack) -> None:
    path = tmp_path / "boot.img"
    path.write_bytes(fat(tree_of(SMALL)))
    [found] = opened(path, stack)
    assert (found.name, found.volumes) == (str(path), ())
    path.write_bytes(fat(tree_of({"CONFIG.TXT": b"kernel=x\n"})))
    assert len(opened(path, stack)) == 1


def test_images_of_others(tmp_path: Path, stack: ExitStack) -> None:
    path = tmp_path / "disk.img"
    path.write_bytes(sd_image({"grub.cfg": b""}))
    assert opened(path, stack) == []
    path.write_bytes(b"")
    assert opened(path, stack) == []
    path.write_bytes(b"\x1f\x8b" + bytes(2000))
    assert opened(path, stack) == []


def test_a_partition_table_that_is_not_read(tmp_path: Path, stack: ExitStack) -> None:
    path = tmp_path / "disk.img"
    path.write_bytes(sd_image(SMALL, (0xEE, bytes(512))))
    with pytest.raises(UnsupportedError, match="GUID partition table"):
        opened(path, stack)


def test_an_image_that_is_cut(tmp_path: Path, stack: ExitStack) -> None:
    path = tmp_path / "sd.img"
    whole = sd_image(SMALL, (0x83, bytes(4096)))
    path.write_bytes(whole[: (1 << 20) + 512])
    with pytest.raises(FormatError, match=r"sd\.img is cut: its partition 2 is behind its end"):
        opened(path, stack)
    path.write_bytes(whole[:-512])
    [found] = opened(path, stack)
    assert [row.missing for row in found.volumes] == [0, 512]
    path.write_bytes(sd_image(SMALL)[: (1 << 20) + 512])
    with pytest.raises(FormatError, match=r"sd\.img, partition 1: "):
        opened(path, stack)


def test_what_cannot_be_read(tmp_path: Path, stack: ExitStack) -> None:
    with pytest.raises(SpecError, match=r"cannot read .*No such file"):
        opened(tmp_path / "none", stack)


def test_names_of_fat_come_in_any_case() -> None:
    assert folder(sound(), FolderKind.IMAGE).exists("r/KERNEL8.IMG")
    assert not folder(sound()).exists("r/KERNEL8.IMG")


def test_a_file_below_a_file_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"1")
    assert file_content(tmp_path / "none") is None
    with pytest.raises(SpecError, match=r"cannot read .*Not a directory"):
        file_content(tmp_path / "x" / "y")
    found = file_content(tmp_path / "x")
    assert found is not None
    assert list(found.chunks(1)) == [b"1"]
    (tmp_path / "x").unlink()
    with pytest.raises(SpecError, match=r"cannot read .*No such file"):
        list(found.chunks(1))


def test_links_that_lead_in_a_circle_are_nothing(tmp_path: Path, stack: ExitStack) -> None:
    write(tmp_path / "12345678", SMALL)
    (tmp_path / "12345678" / "start.elf").symlink_to("start.elf")
    (tmp_path / "12345678" / "bootcode.bin").symlink_to("../bootcode.bin")
    (tmp_path / "bootcode.bin").symlink_to("12345678/bootcode.bin")
    (tmp_path / "87654321").symlink_to("87654321")
    [found] = opened(tmp_path, stack)
    assert set(found.files) == set(SMALL)


def test_a_pipe_is_not_waited_for(tmp_path: Path, stack: ExitStack) -> None:
    os.mkfifo(tmp_path / "config.txt")
    for path in (tmp_path, tmp_path / "config.txt"):
        with pytest.raises(SpecError, match=r"cannot read .*config\.txt: it is no file"):
            opened(path, stack)


def test_a_device_without_end_is_not_read(stack: ExitStack) -> None:
    with pytest.raises(SpecError, match="cannot read /dev/zero: it is no file"):
        opened(Path("/dev/zero"), stack)
