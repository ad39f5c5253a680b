from __future__ import annotations

import pytest

from rdcompose.boards.models import KERNEL_BITS, MODELS, find_models, models_for
from rdcompose.errors import UsageError


def names(architecture: str, flavour: str | None = None) -> set[str]:
    return {model.name for model in models_for(architecture, flavour)}


def test_the_names_of_board_options() -> None:
    assert set(MODELS) == {"zero", "1", "zero2", "2", "3", "4", "5"}


def test_models_come_once_and_in_order() -> None:
    assert [model.name for model in find_models(["4", "zero", "4"])] == ["zero", "4"]


def test_an_unknown_model_is_told() -> None:
    with pytest.raises(UsageError, match="no Raspberry Pi 'pi9'") as caught:
        find_models(["4", "pi9"])
    assert "zero2" in str(caught.value.hint)


def test_kernels_run_where_debian_says() -> None:
    assert names("armel", "rpi") == {"zero", "1"}
    assert names("armel", "marvell") == set()
    assert names("armhf", "armmp") == {"2", "3", "zero2", "4"}
    assert names("arm64", "arm64") == {"zero2", "3", "4", "5"}
    assert names("arm64", "arm64-16k") == {"5"}
    assert names("arm64", "cloud-arm64") == set()
    assert names("amd64") == set()


def test_a_foreign_flavour_is_given_the_benefit_of_the_doubt() -> None:
    assert names("arm64", "mine") == names("arm64", "arm64")
    assert names("armhf", "mine") == {"2", "3", "zero2", "4"}
    assert names("armel") == {"zero", "1"}


def test_kernels_of_raspberry_pi_os() -> None:
    assert names("armhf", "rpi-v6") == {"zero", "1"}
    assert names("armhf", "rpi-v7") == {"2", "3", "zero2"}
    assert names("armhf", "v7l+") == {"4"}
    assert names("arm64", "rpi-v8") == {"3", "zero2", "4", "5"}
    assert names("arm64", "rpi-2712") == {"5"}


def test_what_the_firmware_looks_for() -> None:
    assert MODELS["zero"].kernels == {32: ("kernel.img",)}
    assert MODELS["3"].kernels == {32: ("kernel7.img",), 64: ("kernel8.img",)}
    assert MODELS["3"].bits == (32, 64)
    assert MODELS["4"].bits == (64, 32)
    assert MODELS["5"].kernels[64] == ("kernel_2712.img", "kernel8.img")
    assert KERNEL_BITS["kernel7l.img"] == 32


def test_only_a_pi_5_needs_no_firmware_files() -> None:
    assert [model.name for model in MODELS.values() if not model.firmware] == ["5"]
    assert MODELS["4"].firmware == ("start4.elf", "fixup4.dat")


def test_every_board_reads_the_section_of_its_model() -> None:
    for model in MODELS.values():
        assert model.section in model.filters


def test_boards_are_told_apart_by_their_types() -> None:
    types = [row.board_type for model in MODELS.values() for row in model.variants]
    assert len(set(types)) == len(types)


def test_device_trees_of_a_model() -> None:
    assert MODELS["zero"].device_trees(upstream=True) == (
        "bcm2835-rpi-zero.dtb",
        "bcm2835-rpi-zero-w.dtb",
    )
    assert "bcm2710-rpi-cm3.dtb" in MODELS["3"].device_trees(upstream=False)


def test_a_board_prefers_one_family_and_takes_the_other() -> None:
    board = MODELS["2"].variants[0]
    assert board.device_trees(upstream=True) == ("bcm2836-rpi-2-b.dtb", "bcm2709-rpi-2-b.dtb")
    assert board.device_trees(upstream=False) == ("bcm2709-rpi-2-b.dtb", "bcm2836-rpi-2-b.dtb")
