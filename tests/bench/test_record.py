from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from bench import record
from bench.measure import RunError


def sample(**counts: int) -> dict[str, Any]:
    return {
        "format": 1,
        "python": "3.11.2",
        "machine": "x86_64",
        "libraries": {"zstandard": "0.23.0"},
        "instructions": counts,
    }


def test_the_sum_of_a_callgrind_file() -> None:
    assert record.total("events: Ir\nsummary: 39829030\n\ntotals: 39829030\n") == 39829030
    with pytest.raises(RunError, match="no sum"):
        record.total("events: Ir\n")


def test_two_records_side_by_side() -> None:
    old, new = sample(build=2_000_000, gone=1), sample(build=2_100_000, new=5_000_000)
    assert record.compared(old, new) == [
        "              old         new  new/old   (million instructions)",
        "build         2.0         2.1    1.050",
        "gone          0.0           -",
        "new             -         5.0",
    ]


def test_other_versions_are_said_first() -> None:
    new = {**sample(a=1), "python": "3.13.1"}
    assert record.compared(sample(a=1), new)[0] == "not the same python: 3.11.2 and 3.13.1"


def test_compare_reads_records(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("old", "new"):
        (tmp_path / name).write_text(json.dumps(sample(build=1_000_000)))
    words = ["record", "--compare", str(tmp_path / "old"), str(tmp_path / "new")]
    monkeypatch.setattr(sys, "argv", words)
    assert record.main() == 0
    assert capsys.readouterr().out.splitlines()[1] == "build         1.0         1.0    1.000"
    (tmp_path / "new").write_text("[]")
    with pytest.raises(ValueError, match="no record of format 1"):
        record.main()


def test_without_valgrind_nothing_is_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["record", "-o", str(tmp_path / "r.json")])
    monkeypatch.setattr("bench.record.lacks", lambda *_: "valgrind")
    assert record.main() == 0
    assert "valgrind is not installed" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_command_that_is_counted_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The one that needs another before it, and without valgrind, which takes forty times as long.
    monkeypatch.setattr("bench.record.MANY", 12)
    again = next(found for found in record.commands(tmp_path / "inputs") if "again" in found.name)
    monkeypatch.setattr("bench.record.commands", lambda _: [again])
    monkeypatch.setattr("bench.record.total", lambda _: 7)

    def run(
        words: tuple[str, ...], work: Path, under: tuple[str, ...] = (), *, status: int
    ) -> None:
        if under:
            (tmp_path / f"{work.name}.callgrind").touch()
        plain(words, work, status=status)

    plain = record.run
    monkeypatch.setattr("bench.record.run", lambda *args, status=0: run(*args, status=status))
    found = record.measure(tmp_path, 1)
    assert found["instructions"] == {again.name: 7}
    assert sorted(path.name for path in (tmp_path / "0-counted").iterdir()) == ["cache", "out"]


def test_commands_differ_in_name() -> None:
    names = [command.name for command in record.commands(Path())]
    assert len({*names}) == len(names) == 7
