"""Whole lists over whole kernels, compared with what is written in ``tests/golden/modlist``.

Each folder there holds ``modules.ramfs``, optionally ``modules.autoload``, the ``kernel``
(form: ``tests/support/graphs.py``) and what is ``expected``. After a wanted change,
``RDCOMPOSE_UPDATE_GOLDEN=1`` in the environment writes the last anew, to be read as a diff.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from rdcompose.errors import SpecError
from rdcompose.kernel.modlist import Include, parse_autoload, parse_modules
from rdcompose.kernel.selection import select
from tests.support.graphs import FakeGraph

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rdcompose.kernel.selection import Selection

GOLDEN: Final = Path(__file__).parents[1] / "golden" / "modlist"
CASES: Final = sorted(path.parent.name for path in GOLDEN.glob("*/modules.ramfs"))


def choose(case: Path) -> Selection:
    graph = FakeGraph.parse((case / "kernel").read_text())
    parsed = parse_modules((case / "modules.ramfs").read_bytes(), file="modules.ramfs")
    entries = [entry for entry in parsed if not isinstance(entry, Include)]
    autoload = case / "modules.autoload"
    data = autoload.read_bytes() if autoload.exists() else b""
    return select(graph, entries, parse_autoload(data, file="modules.autoload"))


def rendered(selection: Selection) -> Iterator[str]:
    def section(title: str, lines: Iterable[str]) -> Iterator[str]:
        yield title
        yield from (f"    {line}" for line in lines)

    reasons = (f"{name}: {selection.reasons[name]}" for name in selection.ramdisk)
    yield from section("ramdisk", reasons)
    yield from section("disk", selection.disk)
    yield from section("autoload", selection.autoload)
    yield from section("notes", selection.notes)


def outcome(case: Path) -> str:
    try:
        lines = list(rendered(choose(case)))
    except SpecError as error:
        lines = [*error.message.replace("; ", ";\n").splitlines(), f"hint: {error.hint}"]
    return "".join(f"{line}\n" for line in lines)


def test_there_are_cases() -> None:
    assert len(CASES) >= 5


@pytest.mark.parametrize("name", CASES)
def test_golden(name: str) -> None:
    expected = GOLDEN / name / "expected"
    found = outcome(GOLDEN / name)
    if os.environ.get("RDCOMPOSE_UPDATE_GOLDEN") == "1":
        expected.write_text(found)
    assert found == expected.read_text()
