from __future__ import annotations

import pytest

from rdcompose.boards.bootconfig import Placed, assign, config_text, own_lines, sections
from rdcompose.boards.bootset import BootSet
from rdcompose.boards.configtxt import ConfigTxt
from rdcompose.boards.firmware_view import view
from rdcompose.boards.models import MODELS, find_models
from rdcompose.tree import File
from tests.support.bootsets import ARM64, ARMMP, RPI, make_bootset

ALL = tuple(MODELS.values())


def placed() -> list[Placed]:
    sets = [
        make_bootset(RPI, "zero 1", bits=32, architecture="armel"),
        make_bootset(ARMMP, "zero2 2 3 4", bits=32),
        make_bootset(ARM64),
    ]
    return [Placed(made, f"{made.release}/") for made in sets]


def test_one_set_is_led_to_under_all() -> None:
    text = config_text(placed()[2:], find_models(["3", "4"])).decode()
    assert text.splitlines()[1:] == [
        "",
        "[all]",
        f"os_prefix={ARM64}/",
        "arm_64bit=1",
        "kernel=kernel8.img",
        "initramfs initramfs8 followkernel",
        "upstream_kernel=1",
        "",
        "[all]",
        "enable_uart=1",
        "",
        "# What stands below this line is yours: it stays, and counts for every board.",
    ]


def test_each_board_has_its_section_where_there_are_several_sets() -> None:
    rows = placed()
    text = config_text(rows, ALL)
    config = ConfigTxt.parse(text)
    files = {f"{row.prefix}{entry.path}" for row in rows for entry in make_tree(row)}
    wanted = {
        "zero": f"{RPI}/kernel.img",
        "1": f"{RPI}/kernel.img",
        "zero2": f"{ARM64}/kernel8.img",
        "2": f"{ARMMP}/kernel7.img",
        "3": f"{ARM64}/kernel8.img",
        "4": f"{ARM64}/kernel8.img",
        "5": f"{ARM64}/kernel8.img",
    }
    for name, kernel in wanted.items():
        for variant in MODELS[name].variants:
            seen = view(config, MODELS[name], files.__contains__, variant=variant)
            assert seen.kernel == kernel
            assert seen.initramfs == (kernel.replace("kernel", "initramfs").removesuffix(".img"),)
            assert seen.cmdline == f"{kernel.partition('/')[0]}/cmdline.txt"
            assert not seen.ignored
    # What a user adds at the end is for all.
    assert ConfigTxt.parse(text + b"dtparam=i2c=on\n").get("dtparam") == "i2c=on"


def make_tree(row: Placed) -> list[File]:
    assert isinstance(row.set, BootSet)
    return [entry for entry in row.set.tree if isinstance(entry, File)]


def test_a_32_bit_kernel_says_so_where_a_board_has_the_choice() -> None:
    armmp = placed()[1]
    assert b"arm_64bit=0\n" in config_text([armmp], find_models(["4"]))
    assert b"arm_64bit" not in config_text([armmp], find_models(["2"]))


def test_the_first_of_equal_sets_counts() -> None:
    first, second = make_bootset(ARM64), make_bootset("6.12.63+deb13-arm64")
    rows = [Placed(first, "a/"), Placed(second, "b/")]
    assert {row.prefix for row in assign(rows, ALL).values()} == {"a/"}
    assert list(assign(rows, ALL)) == ["zero2", "3", "4", "5"]


def test_a_device_tree_that_is_asked_for() -> None:
    made = make_bootset(device_tree="own.dtb")
    assert b"device_tree=own.dtb\n" in config_text([Placed(made, "")], made.models)
    assert b"os_prefix" not in config_text([Placed(made, "")], made.models)
    # Boards that it is not for find the same files, and are led to none.
    row = Placed(made, "")
    assert [section.name for section in sections([row], find_models(["3", "4"]))] == ["pi3", "pi4"]


@pytest.mark.parametrize("own", [b"", b"dtparam=i2c=on\n", b"\xff no end"])
def test_lines_of_a_user(own: bytes) -> None:
    text = config_text(placed()[2:], find_models(["3"]), own)
    assert own_lines(text) == own
    assert own_lines(text.replace(b"Made by", b"made by")) is None
    assert own_lines(text.replace(b"is yours", b"is mine")) is None
