"""Jobs on a Dask cluster."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import CancelledError
from typing import TYPE_CHECKING

import pytest

from rdcompose.cli.job_cluster import ClusterPool
from rdcompose.cli.main import main
from rdcompose.errors import SpecError
from tests.support.dask_cluster import KILL_ONCE
from tests.support.projects import TITLES, make_project, written
from tests.support.unmeasured import unmeasured

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOWHERE = "dask:tcp://127.0.0.1:1"


@pytest.fixture
def yard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "yard"
    path.mkdir()
    make_project(path)
    monkeypatch.chdir(path)
    return path


@pytest.fixture
def killed(tmp_path: Path) -> Path:
    """Is there when a worker was killed."""
    return tmp_path / "killed"


@pytest.fixture
def address(killed: Path, tmp_path: Path) -> Iterator[str]:
    """The scheduler of a cluster of which a worker is killed in the middle of a build."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.dask_cluster"],
        cwd=tmp_path,
        env={**unmeasured(), KILL_ONCE: str(killed), "HOME": str(tmp_path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
    finally:
        process.communicate()  # closes its input
        process.kill()


def test_a_killed_worker_costs_nothing(yard: Path, killed: Path, address: str) -> None:
    assert main(["build", "-q", "-o", "here"]) == 0
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "rdcompose",
            "build",
            "--executor",
            f"dask:{address}",
            "-o",
            "there",
        ],
        env=unmeasured(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.split()[0] for line in done.stdout.splitlines()] == [*TITLES, "4"]
    assert killed.exists()
    # Nothing is lost, and nothing half-made is left.
    assert written(yard / "there") == written(yard / "here")


@pytest.mark.usefixtures("yard")
def test_no_cluster() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "rdcompose", "build", "--executor", NOWHERE],
        env={**unmeasured(), "DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "1s"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[0] == (
        "rdcompose: error: no Dask scheduler answers at tcp://127.0.0.1:1"
    )


class Executor:
    def shutdown(self, *, wait: bool) -> None:
        assert not wait


class Client:
    def __init__(self, _address: str, **_options: object) -> None: ...

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None: ...

    def get_executor(self, **_options: object) -> Executor:
        return Executor()


def test_a_scheduler_that_goes_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """Dask cancels what it was waiting for."""
    monkeypatch.setattr("distributed.Client", Client)
    with (
        pytest.raises(SpecError, match=r"the Dask scheduler at tcp://a:1 has gone"),
        ClusterPool("tcp://a:1").open(),
    ):
        raise CancelledError


@pytest.mark.usefixtures("yard")
def test_jobs_are_the_clusters_business(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["build", "--executor", NOWHERE, "--jobs", "2"]) == 2
    assert "--jobs has no meaning with --executor" in capsys.readouterr().err


@pytest.mark.usefixtures("yard")
def test_without_the_library(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "distributed.scheduler", None)
    assert main(["build", "--executor", NOWHERE]) == 1
    assert "install rdcompose[dask]" in capsys.readouterr().err


@pytest.mark.parametrize(
    "text",
    [
        "dask",
        "dask:",
        "ray:tcp://a:1",
        "tcp://a:1",
        "dask:a",
        "dask:tcp://a",
        "dask:x://a:1",
        "dask:a:65536",
    ],
)
def test_what_is_no_address(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["build", "--executor", text])
    assert caught.value.code == 2
    assert "is not like dask:tcp://HOST:8786" in capsys.readouterr().err
