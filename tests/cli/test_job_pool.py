"""Jobs in processes: killed ones, interrupted ones, those with bugs."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rdcompose.cli.job import Job, Part
from rdcompose.cli.job_pool import ProcessPool, run_jobs
from tests.support import job_work
from tests.support.farm import ARM, NEW
from tests.support.unmeasured import unmeasured

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.cli.conftest import Shop

PATIENCE = 300


def jobs(directory: Path, *titles: str) -> list[Job]:
    return [
        Job(
            parts=(Part(title=title, arguments=argparse.Namespace(output=Path(title))),),
            directory=directory,
        )
        for title in titles
    ]


def test_a_killed_process_costs_no_job(tmp_path: Path) -> None:
    found = list(run_jobs(jobs(tmp_path, *"abcd"), ProcessPool(2), job_work.die_once))
    assert (tmp_path / "died").exists()
    assert sorted(outcome.title for outcome in found) == list("abcd")
    assert all(outcome.failure is None for outcome in found)


def test_a_job_that_kills_its_process_fails_alone(tmp_path: Path) -> None:
    found = list(run_jobs(jobs(tmp_path, "a", "bad", "c"), ProcessPool(2), job_work.die_of_bad))
    failures = {outcome.title: outcome.failure for outcome in found}
    assert failures.keys() == {"a", "bad", "c"}
    assert failures["a"] is failures["c"] is None
    assert failures["bad"] is not None
    assert failures["bad"].message == "the process that made it was killed"


def test_a_bug_is_shown(tmp_path: Path) -> None:
    with pytest.raises(KeyError, match="bug"):
        list(run_jobs(jobs(tmp_path, *"abc"), ProcessPool(2), job_work.fail))


# The whole command, while a kernel is being read.


def until(condition: Callable[[], object]) -> None:
    limit = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < limit, "it does not happen"
        time.sleep(0.002)


def is_alive(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


@pytest.fixture
def command(shop: Shop) -> Iterator[subprocess.Popen[str]]:
    """A build of which two processes wait for kernels that never come."""
    (shop.path / "rdcompose.toml").write_text(
        "".join(f'[[build]]\nname = "{name}"\nkernel = "{name}"\n' for name in (NEW, ARM)),
        encoding="utf-8",
    )
    stalled = [shop.server.stall(f"*/linux-image-{name}_*.deb", after=10) for name in (NEW, ARM)]
    process = subprocess.Popen(
        [sys.executable, "-m", "rdcompose", *shop.arguments("build", "--jobs", "2")],
        env=unmeasured(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert all(stall.reached.wait(PATIENCE) for stall in stalled)
        yield process
    finally:
        process.kill()
        process.communicate()


def children(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    return [int(word) for word in text.split()]


@pytest.mark.parametrize(
    ("number", "group"),
    [
        pytest.param(signal.SIGINT, True, id="terminal"),
        pytest.param(signal.SIGHUP, True, id="terminal-closed"),
        pytest.param(signal.SIGTERM, False, id="command"),
    ],
)
def test_interrupts(command: subprocess.Popen[str], shop: Shop, number: int, group: bool) -> None:
    workers = children(command.pid)
    assert len(workers) >= 2
    if group:
        os.killpg(command.pid, number)
    else:
        command.send_signal(number)
    out, err = command.communicate(timeout=PATIENCE)
    assert (command.returncode, out, err) == (128 + number, "", "rdcompose: interrupted\n")
    until(lambda: not any(map(is_alive, workers)))
    assert not shop.out.exists()


def test_processes_end_with_the_command(command: subprocess.Popen[str], shop: Shop) -> None:
    workers = children(command.pid)
    command.kill()
    until(lambda: not any(map(is_alive, workers)))
    assert not shop.out.exists()
