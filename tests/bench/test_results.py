from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from bench.results import Row, Section, load, store

if TYPE_CHECKING:
    from pathlib import Path


def section(name: str = "builds", *rows: Row) -> Section:
    return Section(name=name, rows=rows, machine={"python": "3.11"}, others=0.01, seconds=2.5)


def test_medians_and_spread() -> None:
    row = Row(name="a", runs=tuple({"wall": wall} for wall in (3.0, 1.0, 2.0, 9.0)))
    assert (row.median("wall"), row.spread("wall")) == (2.5, (1.0, 9.0))
    assert (row.median("cpu"), row.spread("cpu")) == (None, None)


@pytest.mark.parametrize(
    ("tree", "largest", "peak"),
    [(50, (40, 60), 50), (50, (80, 60), 70), (None, (7, 7), 7), (30, (0, 0), 30), (0, (0,), None)],
)
def test_peak_is_what_was_seen_of_all_or_of_the_largest(
    tree: int | None, largest: tuple[int, ...], peak: int | None
) -> None:
    runs = tuple({"memory": float(value)} for value in largest)
    assert Row(name="a", runs=runs, memory=tree).peak() == peak


def test_rows_are_found_by_group_and_name() -> None:
    first, second = Row(name="a", group="x"), Row(name="a", group="y")
    found = section("builds", first, second)
    assert (found.row("a", "y"), found.row("a"), found.row("b", "x")) == (second, None, None)


def test_what_is_stored_is_loaded(tmp_path: Path) -> None:
    row = Row(
        name="a",
        group="g",
        command="c",
        runs=({"wall": 1.5, "cpu": 2.0, "memory": 3.0},),
        memory=5,
        sizes={"initramfs-R": 7},
        facts={"builds": 1.0},
        note="n",
        error="ä",
    )
    sections = {"builds": section("builds", row), "boot": section("boot")}
    path = tmp_path / "deep" / "results.json"
    store(path, sections)
    assert load(path) == sections
    text = path.read_bytes()
    store(path, dict(reversed(sections.items())))
    assert path.read_bytes() == text
    assert [found.name for found in path.parent.iterdir()] == ["results.json"]


def test_no_file_has_no_sections(tmp_path: Path) -> None:
    assert load(tmp_path / "results.json") == {}


@pytest.mark.parametrize("data", [[], {}, {"format": 99, "sections": {}}])
def test_another_format_is_refused(tmp_path: Path, data: object) -> None:
    path = tmp_path / "results.json"
    path.write_text(json.dumps(data))
    with pytest.raises(ValueError, match="measure again"):
        load(path)
