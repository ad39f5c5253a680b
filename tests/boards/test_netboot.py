"""The tree of a TFTP server, and what is said of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from rdcompose.boards.models import MODELS, find_models
from rdcompose.boards.netboot import (
    Netboot,
    check_boards,
    directory_of,
    dnsmasq_text,
    links,
    notes,
)
from rdcompose.errors import UsageError
from rdcompose.tree import File, Pieces
from tests.support.bootfolders import CONFIG, RELEASE, files, tree

ALL = find_models(["3", "4", "5"])


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("1234abcd", "1234abcd"),
        ("1234ABCD", "1234abcd"),
        ("0x1234abcd", "1234abcd"),
        ("100000001234abcd", "1234abcd"),
        ("d7bd1a077bf18f79", "7bf18f79"),
        ("DC:A6:32:01:02:03", "dc-a6-32-01-02-03"),
        ("dc-a6-32-01-02-03", "dc-a6-32-01-02-03"),
    ],
)
def test_a_directory(text: str, name: str) -> None:
    assert directory_of(text) == name


@pytest.mark.parametrize("text", ["", "1234abc", "1234abcg", "123456789", "../1234abcd", "boot"])
def test_no_serial_number(text: str) -> None:
    with pytest.raises(UsageError, match="is no serial number") as caught:
        directory_of(text)
    assert "/proc/cpuinfo" in str(caught.value.hint)


def test_pis_share_the_folder() -> None:
    netboot = Netboot(output=Path("/out"), directories=("1234abcd", "5678abcd"))
    assert links(netboot, tree(files()), ALL) == {
        "1234abcd": "boot",
        "5678abcd": "boot",
        "bootcode.bin": "boot/bootcode.bin",
    }
    assert netboot.root == "/out/tftp"
    assert netboot.folder == Path("/out/tftp/boot")


def test_only_a_pi_up_to_3_asks_for_bootcode() -> None:
    netboot = Netboot(output=Path("/out"), directories=("1234abcd",))
    assert "bootcode.bin" not in links(netboot, tree(files()), find_models(["4", "5"]))
    without = {path: data for path, data in files().items() if path != "bootcode.bin"}
    assert "bootcode.bin" not in links(netboot, tree(without), ALL)


def test_without_serial_numbers_the_folder_is_served() -> None:
    netboot = Netboot(output=Path("/out"))
    assert links(netboot, tree(files()), ALL) == {}
    assert netboot.root == "/out/tftp/boot"


def test_the_root_on_another_machine() -> None:
    netboot = Netboot(output=Path("out"), server_root="/srv/tftp/")
    assert netboot.root == "/srv/tftp/boot"
    with pytest.raises(UsageError, match="not an absolute path"):
        dnsmasq_text(Netboot(output=Path("out"), server_root="srv"), ALL)


def test_a_relative_output_becomes_absolute() -> None:
    assert Netboot(output=Path("out")).root == str(Path.cwd() / "out/tftp/boot")


def test_a_pi_3_is_told_of_to_dnsmasq() -> None:
    netboot = Netboot(output=Path("/out"), dhcp_range="192.168.1.0,proxy")
    assert "reply-delay" in dnsmasq_text(netboot, ALL)
    assert "reply-delay" not in dnsmasq_text(netboot, find_models(["4"]))


def test_a_whole_folder_has_no_note() -> None:
    assert notes(tree(files()), ALL) == ()


def test_boards_without_ethernet_are_passed_over() -> None:
    assert notes(tree(files()), (*ALL, MODELS["zero2"])) == ()
    with pytest.raises(UsageError, match="has no Ethernet"):
        check_boards(find_models(["zero", "zero2"]))
    check_boards(find_models(["zero", "1"]))


@pytest.mark.parametrize(
    ("path", "note"),
    [
        ("start4.elf", "a Raspberry Pi 4 asks for start4.elf, which is not in the folder"),
        ("bootcode.bin", "a Raspberry Pi 3 asks for bootcode.bin, which is not in the folder"),
        (
            f"{RELEASE}/initramfs8",
            f"a Raspberry Pi 5 asks for {RELEASE}/initramfs8, which is not in the folder",
        ),
    ],
)
def test_what_is_missing_is_told(path: str, note: str) -> None:
    found = files()
    del found[path]
    assert note in notes(tree(found), ALL)


def test_boards_without_a_device_tree_are_told_of() -> None:
    found = files()
    del found[f"{RELEASE}/bcm2712-rpi-500.dtb"]
    del found[f"{RELEASE}/bcm2711-rpi-cm4s.dtb"]
    assert notes(tree(found), ALL) == (
        "the folder has no device tree for: Compute Module 4S, Raspberry Pi 500",
    )


def test_a_folder_without_config_txt() -> None:
    found = files()
    del found["config.txt"]
    assert any("no device tree" in note for note in notes(tree(found), ALL))


def test_sizes() -> None:
    folder = tree(files() | {"config.txt": CONFIG.encode() + b"#" * 4096})
    big = Pieces(70_000_000, lambda: iter([]))
    folder.add(File(path=f"{RELEASE}/initramfs8", content=big))
    first, second = notes(folder, ALL)
    assert first.startswith(f"{RELEASE}/initramfs8 has 70000000 bytes: boot loaders from before")
    assert "only the first 4096 count" in second
