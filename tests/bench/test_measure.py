from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from bench.measure import (
    Clock,
    RunError,
    family,
    measure,
    measure_tree,
    proportional_size,
    seen_memory,
)
from tests.support.unmeasured import unmeasured

if TYPE_CHECKING:
    from pathlib import Path

MB = 1 << 20
# Two processes at once, each with that much memory of its own, until they were seen.
PAIR = """
import os, time
child = os.fork()
held = b"x" * (40 << 20)
while not os.path.exists("seen"):
    time.sleep(0.01)
if child == 0:
    os._exit(0)
os.wait()
"""


def python(text: str) -> tuple[str, ...]:
    return sys.executable, "-S", "-c", text


def test_processor_time_and_memory_of_a_process(tmp_path: Path) -> None:
    used = measure(python("held = b'x' * (200 << 20)\nsum(range(10**5))"), tmp_path, unmeasured())
    # Not seen where the process that runs the tests has needed more.
    assert used.memory == 0 or used.memory > 200 * MB
    assert used.cpu > 0
    assert used.wall > 0


def test_a_peak_that_is_only_the_parents_is_not_seen() -> None:
    assert seen_memory(5000, 20000) == 0
    assert seen_memory(20500, 20000) == 0
    assert seen_memory(50000, 20000) == 50000 * 1024


def test_memory_of_all_processes_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    large: list[int] = []

    def noted(pid: int) -> int:
        if (size := proportional_size(pid)) > 40 * MB:
            large.append(pid)
        # Three times each: at least one look had both.
        if min(large.count(number) for number in {pid, *large}) > 2 and len({*large}) == 2:
            (tmp_path / "seen").touch()
        return size

    monkeypatch.setattr("bench.measure.proportional_size", noted)
    used, peak = measure_tree(python(PAIR), tmp_path, unmeasured(), limit=100)
    assert peak > 80 * MB
    assert used.wall > 0


def test_runs_where_it_is_told_to(tmp_path: Path) -> None:
    measure(python("open('here', 'w').close()"), tmp_path, unmeasured())
    assert [path.name for path in tmp_path.iterdir()] == ["here"]


@pytest.mark.parametrize("run", [measure, measure_tree])
def test_another_status_is_an_error_with_what_was_said(tmp_path: Path, run: object) -> None:
    assert callable(run)
    with pytest.raises(RunError) as caught:
        run(python("print('why')\nraise SystemExit(3)"), tmp_path, unmeasured())
    name = os.path.basename(sys.executable)  # noqa: PTH119  # as it is called
    assert str(caught.value) == f"{name} ended with 3, not 0: why"
    run(python("raise SystemExit(3)"), tmp_path, unmeasured(), status=3)


def test_what_cannot_be_started(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"none cannot be started: No such file"):
        measure(("./none",), tmp_path, {})


def test_what_does_not_end_is_ended(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="ended with -9, not 0"):
        measure(python("import time; time.sleep(600)"), tmp_path, unmeasured(), limit=0.2)


def test_a_family_has_children_and_theirs(tmp_path: Path) -> None:
    text = "import subprocess, sys\nsubprocess.run(['sh', '-c', 'read line; :'])"
    process = subprocess.Popen(python(text), stdin=subprocess.PIPE, cwd=tmp_path)
    try:
        while len(found := family(process.pid)) < 2:
            assert process.poll() is None
        assert found[0] == process.pid
        assert proportional_size(process.pid) > 0
    finally:
        process.communicate(b"\n")
    assert process.wait() == 0
    assert proportional_size(process.pid) == 0


def test_others_are_what_we_are_not() -> None:
    start, end = Clock(wall=10, busy=100, own=5), Clock(wall=14, busy=107, own=8)
    assert start.others_until(end) == 1.0
    assert start.others_until(Clock(wall=14, busy=101, own=8)) == 0.0
    assert Clock.now().busy > 0
