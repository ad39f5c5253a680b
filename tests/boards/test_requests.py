"""What Pis ask for, in their order."""

from __future__ import annotations

import pytest

from rdcompose.boards.configtxt import ConfigTxt
from rdcompose.boards.firmware_view import BootView, view
from rdcompose.boards.known_files import Need
from rdcompose.boards.models import MODELS
from rdcompose.boards.requests import CLIENTS, Client, Request, requests_of
from tests.support.bootfolders import RELEASE, files


def seen(board: str, *, config: str | None = None, without: tuple[str, ...] = ()) -> BootView:
    """Return what a board sees of the sample folder."""
    found = files()
    for name in without:
        del found[name]
    text = found["config.txt"] if config is None else config.encode()
    return view(ConfigTxt.parse(text), MODELS[board], found.__contains__)


def paths(requests: tuple[Request, ...], *, fetched: bool = True) -> list[str]:
    return [row.path for row in requests if row.fetched or not fetched]


def test_a_pi_3_begins_in_the_servers_root() -> None:
    found = requests_of(Client.PI3, seen("3"))
    assert [row.path for row in found if row.in_root] == ["bootcode.bin", "bootsig.bin"]
    assert found[2] == Request("start.elf", fetched=False)
    assert paths(found)[2:6] == ["autoboot.txt", "config.txt", "recovery.elf", "start.elf"]
    assert "armstub8.bin" in paths(found)


def test_a_pi_4_asks_for_its_own_firmware() -> None:
    found = requests_of(Client.PI4, seen("4"))
    assert paths(found)[:7] == [
        *("config.txt", "vl805.sig", "pieeprom.sig", "recover4.elf", "recovery.elf"),
        *("start4.elf", "fixup4.dat"),
    ]
    assert not any(row.in_root for row in found)


def test_a_pi_5_needs_no_firmware() -> None:
    found = requests_of(Client.PI5, seen("5"))
    assert not [path for path in paths(found) if "start" in path or "fixup" in path]
    assert "/config.txt" in paths(found)
    assert "armstub8-2712.bin" in paths(found)


@pytest.mark.parametrize("board", ["3", "4", "5"])
def test_the_system_comes_in_one_order(board: str) -> None:
    found = paths(requests_of(CLIENTS[board], seen(board)))
    tree = seen(board).device_tree
    wanted = [f"{RELEASE}/initramfs8", tree, f"{RELEASE}/cmdline.txt", f"{RELEASE}/kernel8.img"]
    assert [path for path in found if path in wanted] == wanted
    assert found[-1] == f"{RELEASE}/kernel8.img"
    # Without a README, overlays of the prefix do not count.
    assert "overlays/overlay_map.dtb" in found


@pytest.mark.parametrize("board", ["3", "4", "5"])
def test_all_that_is_needed_is_in_a_whole_folder(board: str) -> None:
    found = requests_of(CLIENTS[board], seen(board))
    needed = {row.path.lstrip("/") for row in found if row.need is Need.REQUIRED}
    assert needed <= files().keys()


def test_a_prefix_is_looked_at_first() -> None:
    found = requests_of(Client.PI4, seen("4"))
    probes = [row.path for row in found if not row.fetched]
    assert probes == [
        "start4.elf",
        f"{RELEASE}/kernel8.img",
        f"{RELEASE}/bcm2711-rpi-4-b.dtb",
        f"{RELEASE}/overlays/README",
    ]


def test_without_a_name_kernels_are_tried_until_one_is_there() -> None:
    config = f"os_prefix={RELEASE}/\nupstream_kernel=1\n"
    found = requests_of(Client.PI5, seen("5", config=config))
    probes = [row.path for row in found if "kernel" in row.path and not row.fetched]
    assert probes == [f"{RELEASE}/kernel_2712.img", f"{RELEASE}/kernel8.img"]


def test_what_is_missing_is_asked_for_all_the_same() -> None:
    view_ = seen("4", without=(f"{RELEASE}/initramfs8", f"{RELEASE}/kernel8.img"))
    found = paths(requests_of(Client.PI4, view_))
    assert "initramfs8" in found
    assert found[-1] == "kernel8.img"


def test_other_firmware_by_config_txt() -> None:
    found = paths(requests_of(Client.PI4, seen("4", config="start_x=1\n")))
    assert {"start4x.elf", "fixup4x.dat"} <= set(found)


def test_overlays_are_asked_for() -> None:
    found = paths(requests_of(Client.PI4, seen("4", config="dtoverlay=disable-bt\n")))
    assert "overlays/disable-bt.dtbo" in found


def test_32_bits_have_another_stub() -> None:
    config = "arm_64bit=0\n"
    assert "armstub8-32.bin" in paths(requests_of(Client.PI3, seen("3", config=config)))
    assert "armstub8-32-gic.bin" in paths(requests_of(Client.PI4, seen("4", config=config)))


def test_boards_without_ethernet_do_not_boot_from_a_network() -> None:
    assert CLIENTS.keys() == MODELS.keys() - {"zero", "zero2"}
