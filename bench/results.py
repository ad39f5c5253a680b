"""What was measured, as records and as JSON.

A section is a table: rows, of each all its runs. Nothing is left out: a row that could not be
measured says why. The file holds the newest measurement of every section, each with the machine
and the state of the sources that it was taken on.
"""

from __future__ import annotations

import dataclasses
import json
import os
import statistics
import tempfile
from pathlib import Path
from typing import Any, Final

FORMAT: Final = 1


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A command or a boot, and what its runs took.

    ``runs`` have the same keys each: ``wall`` and ``cpu`` in seconds, ``memory`` in bytes of the
    largest process; of boots ``init``, ``root``, ``wall`` and ``guest``. ``memory`` is the peak of
    all processes together. ``sizes`` are bytes of files. ``facts`` are numbers that the
    row stands at, for curves. ``error``: why there are no runs.
    """

    name: str
    group: str = ""
    command: str = ""
    runs: tuple[dict[str, float], ...] = ()
    memory: int | None = None
    sizes: dict[str, int] = dataclasses.field(default_factory=dict)
    facts: dict[str, float] = dataclasses.field(default_factory=dict)
    note: str = ""
    error: str = ""

    def median(self, key: str) -> float | None:
        """Return the median of a key over the runs; None without runs."""
        values = [run[key] for run in self.runs if key in run]
        return statistics.median(values) if values else None

    def spread(self, key: str) -> tuple[float, float] | None:
        """Return the least and the most of a key over the runs."""
        values = [run[key] for run in self.runs if key in run]
        return (min(values), max(values)) if values else None

    def peak(self) -> int | None:
        """Return the peak of memory in bytes: of all processes, or of the largest if more."""
        largest = self.median("memory")
        found = [int(value) for value in (self.memory, largest) if value is not None]
        return max(found, default=0) or None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """The rows of one kind, and what they were measured on.

    ``machine`` maps names to values, as text. ``others`` is how many processors others kept busy
    meanwhile; ``seconds`` how long all of it took.
    """

    name: str
    rows: tuple[Row, ...]
    machine: dict[str, str]
    others: float
    seconds: float

    def row(self, name: str, group: str = "") -> Row | None:
        """Return the row of a name in a group."""
        return next((row for row in self.rows if (row.group, row.name) == (group, name)), None)


def load(path: Path) -> dict[str, Section]:
    """Read the sections of a file by name; none of one that is not there.

    :raises ValueError: it is of another format.
    """
    try:
        data = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise ValueError(f"{path} is not of format {FORMAT}: delete it and measure again")
    return {name: _section(name, found) for name, found in data["sections"].items()}


def _section(name: str, data: dict[str, Any]) -> Section:
    rows = [Row(**{**row, "runs": tuple(row["runs"])}) for row in data["rows"]]
    return Section(
        name=name,
        rows=tuple(rows),
        machine=data["machine"],
        others=data["others"],
        seconds=data["seconds"],
    )


def store(path: Path, sections: dict[str, Section]) -> None:
    """Write sections, in the place of the file that was there."""
    data = {
        "format": FORMAT,
        "sections": {
            name: {
                "machine": section.machine,
                "others": section.others,
                "seconds": section.seconds,
                "rows": [dataclasses.asdict(row) for row in section.rows],
            }
            for name, section in sorted(sections.items())
        },
    }
    replace(path, json.dumps(data, indent=1, ensure_ascii=False) + "\n")


def replace(path: Path, text: str) -> None:
    """Write a text file as a whole, whatever happens meanwhile."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".draft-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as draft:
            draft.write(text)
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
