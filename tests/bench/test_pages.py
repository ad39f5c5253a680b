from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from bench import boot, commands, growth
from bench.pages import HEADINGS, page, write_pages
from bench.results import Row, Section
from bench.run import SECTIONS
from bench.targets import TARGETS, table

if TYPE_CHECKING:
    from pathlib import Path

MB = 10**6


def section(name: str, *rows: Row, others: float = 0.0) -> Section:
    return Section(name=name, rows=rows, machine={"python": "3.11.2"}, others=others, seconds=9.0)


def row(name: str, wall: float, group: str = "", *, memory: float = 100.0, **sizes: float) -> Row:
    runs = tuple(
        {"wall": wall + shift, "cpu": 2 * wall, "memory": memory * MB} for shift in (-0.1, 0.0, 0.1)
    )
    files = {f"{kind}-6.1": int(size * MB) for kind, size in sizes.items()}
    return Row(name=name, group=group, command=f"run {name}", runs=runs, sizes=files)


def booted(name: str, group: str, init: float, root: float, size: float = 2.0) -> Row:
    runs = ({"init": init, "root": root, "wall": root + 0.1, "guest": root - 0.4},) * 3
    sizes = {"initramfs-6.1": int(size * MB)}
    return Row(name=name, group=group, runs=runs, sizes=sizes, facts={"crashes": 1.0})


def complete() -> dict[str, Section]:
    cloud, generic, arm64 = commands.CLOUD, commands.GENERIC, commands.ARM64
    rows = {
        "builds": [
            row(commands.COLD, 2.0, cloud, initramfs=2.5, modules=20.0),
            row(commands.COLD, 5.0, generic, memory=300, initramfs=2.5, modules=90.0),
            row(commands.MINIVM, 16.0, generic, modules=110.0),
            row(commands.COLD, 9.5, arm64, memory=340),
            row(commands.PI, 15.0, commands.RASPBERRY, memory=360),
        ],
        "presets": [row("--fast", 1.1), row("--small", 7.0, modules=17.5)],
        "initramfs": [row(commands.COLD, 1.0)],
        "relist": [row(f"{commands.WARM}, without a disk", 0.3)],
        "startup": [row(commands.BARE, 0.2), row("--version", 0.22), row("--help", 0.25)],
        "sizes": [
            Row(name="rdcompose, profile minivm, Alpine's busybox", sizes={"initramfs-6": 1})
        ],
        "boot": [
            booted(boot.DEFAULT, boot.OURS, 1.5, 2.4),
            booted("none", boot.PACKED, 1.4, 2.3, 6.0),
            booted(boot.MINIVM, boot.PEERS, 1.5, 3.5),
        ],
        "growth": [
            Row(
                name=str(count),
                group=growth.ONE,
                runs=({"wall": wall, "memory": 2e8},),
                facts={"builds": float(count)},
            )
            for count, wall in ((1, 2.0), (10, 4.7))
        ],
    }
    return {name: section(name, *found) for name, found in rows.items()}


def cells(lines: list[str]) -> dict[str, list[str]]:
    split = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]
    return {first: rest for first, *rest in split}


def test_targets_are_met_or_missed_by_what_was_measured() -> None:
    found = cells(table(complete()))
    assert list(found) == [target.what for target in TARGETS]
    assert found["whole build, cloud-amd64 of Debian 12"] == ["2.20 s", "2.00 s", "met"]
    assert found["whole build, arm64 of Debian 13"] == ["9.00 s", "9.50 s", "**missed**"]
    assert found["peak memory of these builds, all processes"] == ["350.00 MB", "340.00 MB", "met"]
    assert found["the same of `rdcompose pi rpi armmp arm64`"][1:] == ["360.00 MB", "**missed**"]
    assert found["start-up, slowest of all, over a bare Python's"] == ["60 ms", "50 ms", "met"]
    assert found["each further profile of one kernel in one call"] == ["0.40 s", "0.30 s", "met"]
    assert found["its disk, as a share of that of MiniVM's steps"][1:] == ["0.82 x", "met"]
    share = found["“Run /init” to the root's init, as a share of MiniVM's"]
    assert share == ["0.50 x", "0.45 x", "met"]
    assert all(verdict in {"met", "**missed**"} for *_, verdict in found.values())


def test_without_figures_no_target_is_met() -> None:
    assert {verdict for *_, verdict in cells(table({})).values()} == {"not measured"}


def test_a_row_that_failed_makes_no_figure() -> None:
    failed = {
        name: section(
            name,
            *(Row(name=found.name, group=found.group, error="it failed") for found in old.rows),
        )
        for name, old in complete().items()
    }
    assert {verdict for *_, verdict in cells(table(failed)).values()} == {"not measured"}
    text = page(failed)
    assert text.count("not measured, it failed") == sum(len(s.rows) for s in failed.values())


def test_the_page_has_all_sections_with_their_runs() -> None:
    assert set(HEADINGS) == set(SECTIONS)
    text = page(complete())
    assert re.findall("^## (.*)$", text, re.MULTILINE) == [
        "Targets",
        *(heading for heading, _ in HEADINGS.values()),
    ]
    line = "| rdcompose, cold | 2.000 | 1.900 to 2.100 | 4.000 | 100 | 2.50 | 20.00 | 3 |"
    assert line in text
    assert "| minivm | 1.500 | 2.400 | 0.900 | 2.000 | 2.00 | 3 | 1 |" in text
    assert "Trial" not in text


def test_a_busy_machine_is_said() -> None:
    found = section("initramfs", row(commands.COLD, 1.0), others=1.04)
    assert "**Trial figures: others kept 1.0 processors busy meanwhile.**" in page(
        {"initramfs": found}
    )


def test_charts_are_written_beside_the_page(tmp_path: Path) -> None:
    (tmp_path / "former.svg").write_text("")
    (tmp_path / "README.md").write_text("kept")
    sections = complete()
    write_pages(tmp_path, sections)
    pictures = {path.name for path in tmp_path.glob("*.svg")}
    assert pictures == {
        f"{name}.svg" for name in re.findall(r"\]\(([\w-]+)\.svg\)", page(sections))
    }
    assert {"boot.svg", "boot-compressors.svg", "growth-time.svg"} < pictures
    assert {path.name for path in tmp_path.iterdir()} == {*pictures, "results.md", "README.md"}
    for name in pictures:
        ET.fromstring((tmp_path / name).read_bytes())
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    write_pages(tmp_path, sections)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
