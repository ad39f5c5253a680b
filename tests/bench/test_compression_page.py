from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from bench.compression_page import PAGE, Figure, Measured, charts, replaced, write

if TYPE_CHECKING:
    from pathlib import Path

MEASURED = Measured(
    about="6.1 (amd64), a processor",
    others=0.1,
    initramfs=(
        Figure("zstd", 3, 0, 0.04, 0.0004, 3_000_000),
        Figure("zstd", 9, 0, 0.18, 0.01, 2_400_000),
        Figure("none", None, 0, 0.0, 0.0, 8_000_000),
    ),
    disk=(
        Figure("zstd", 6, 128, 1.0, 0.1, 20_600_000),
        Figure("zstd", 6, 512, 0.9, 0.1, 19_560_000),
        Figure("xz", 6, 512, 22.0, 1.2, 15_700_000),
    ),
)


def test_figures_come_back_from_json() -> None:
    assert Measured.read(json.dumps(dataclasses.asdict(MEASURED))) == MEASURED


def test_the_page_has_the_figures_and_keeps_the_rest(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_bytes(PAGE.read_bytes())
    write(MEASURED, tmp_path, page)
    once = page.read_text(encoding="utf-8")
    assert "| zstd:9 | 0.18 | 0.010 | 2400000 |" in once
    assert "| none | 0.00 | 0.000 | 8000000 |" in once
    assert "| zstd:6 | 1.00, 0.10, 20.60 | 0.90, 0.10, 19.56 |" in once
    assert "| xz:6 |  | 22.00, 1.20, 15.70 |" in once
    assert "6.1 (amd64), a processor." in once
    write(MEASURED, tmp_path, page)
    assert page.read_text(encoding="utf-8") == once
    assert replaced(
        "a\n<!-- x: made by bench/compression -->\nold\n<!-- end -->\nb", "x", ["new"]
    ) == ("a\n<!-- x: made by bench/compression -->\nnew\n<!-- end -->\nb")
    for name in charts(MEASURED):
        assert f"](compression/{name})" in once
        assert (tmp_path / name).is_file()


def test_figures_of_a_busy_machine_are_trial_ones(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    for others, told in ((0.1, False), (1.5, True)):
        page.write_bytes(PAGE.read_bytes())
        write(dataclasses.replace(MEASURED, others=others), tmp_path, page)
        text = page.read_text(encoding="utf-8")
        assert ("others kept 1.5 processors busy" in text) is told
        assert ("Trial figures" in text) is told


def test_a_page_without_a_place_is_refused() -> None:
    with pytest.raises(SystemExit, match="no part between"):
        replaced("nothing", "x", [])


def test_levels_that_lie_on_each_other_have_one_label() -> None:
    same = Figure("zstd", 22, 0, 5.0, 0.01, 2_400_100)
    made = charts(dataclasses.replace(MEASURED, initramfs=(*MEASURED.initramfs, same)))
    for name, shown in (("initramfs-unpack.svg", 0), ("initramfs-pack.svg", 1)):
        labels = ET.fromstring(made[name]).findall("{http://www.w3.org/2000/svg}text")
        assert [label.text for label in labels].count("22") == shown


def test_charts_show_each_level_of_one_size_of_blocks() -> None:
    made = charts(MEASURED)
    assert set(made) == {
        f"{what}-{how}.svg" for what in ("initramfs", "disk") for how in ("pack", "unpack")
    }
    circles = {
        name: len(ET.fromstring(text).findall("{http://www.w3.org/2000/svg}circle"))
        for name, text in made.items()
    }
    labels = ET.fromstring(made["disk-unpack.svg"]).findall("{http://www.w3.org/2000/svg}text")
    assert [label.text for label in labels].count("6") == 2
    # None of what is not compressed, and of the disk the size of blocks that it has.
    assert set(circles.values()) == {2}
