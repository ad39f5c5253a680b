"""What is known of the files that boot loaders ask for."""

from __future__ import annotations

import pytest

from rdcompose.boards.known_files import KNOWN, Need, known_file
from rdcompose.boards.models import MODELS


@pytest.mark.parametrize(
    ("name", "need"),
    [
        ("bootcode.bin", Need.REQUIRED),
        ("bootsig.bin", Need.OPTIONAL),
        ("recover4.elf", Need.OPTIONAL),
        ("recovery.elf", Need.OPTIONAL),
        ("recovery8-32.img", Need.OPTIONAL),
        ("start4cd.elf", Need.REQUIRED),
        ("fixup.dat", Need.WANTED),
        ("pieeprom.upd", Need.OPTIONAL),
        ("/config.txt", Need.REQUIRED),
        ("armstub8-32-gic.bin", Need.OPTIONAL),
        ("6.12.9-arm64/kernel8.img", Need.REQUIRED),
        ("6.12.9-arm64/overlays/README", Need.OPTIONAL),
        ("overlays/overlay_map.dtb", Need.OPTIONAL),
        ("overlays/vc4-kms-v3d.dtbo", Need.WANTED),
        ("bcm2711-rpi-4-b.dtb", Need.REQUIRED),
        ("initrd.img-6.1.0-50-rpi", Need.REQUIRED),
        ("vmlinuz-6.1.0-50-rpi", Need.REQUIRED),
    ],
)
def test_known(name: str, need: Need) -> None:
    known = known_file(name)
    assert known is not None
    assert known.need is need


@pytest.mark.parametrize("name", ["my.img", "README", "startup", "overlay_map"])
def test_not_known(name: str) -> None:
    assert known_file(name) is None


def test_what_boards_look_for_is_known() -> None:
    for model in MODELS.values():
        names = [*model.firmware, *model.device_trees(upstream=True)]
        names += [name for kernels in model.kernels.values() for name in kernels]
        assert all(known_file(name) is not None for name in names)


def test_what_follows_is_said_where_something_does() -> None:
    for row in KNOWN:
        assert row.what
        assert row.absent or row.need is Need.OPTIONAL
