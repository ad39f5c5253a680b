"""``rdcompose matrix``: builds as jobs of a CI, within what the services take."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any

import pytest

from rdcompose.cli.main import main
from rdcompose.cli.options import make_parser
from tests.support.projects import PROJECT

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "rdcompose.toml"
    path.write_text(PROJECT, encoding="utf-8")
    return path


def printed(capsys: pytest.CaptureFixture[str], *options: str) -> str:
    assert main(["matrix", *options]) == 0
    return capsys.readouterr().out


def names(args: str) -> list[str]:
    """What a job builds, as ``rdcompose build`` reads it."""
    found = make_parser().parse_args(["build", *shlex.split(args)]).only
    assert isinstance(found, list)
    return found


def many(path: Path, count: int) -> list[str]:
    """Write a project whose builds take turns in three kernels."""
    path.write_text(
        "".join(
            f'[[build]]\nname = "b{number}"\nkernel = "k{number % 3}.deb"\n'
            for number in range(count)
        ),
        encoding="utf-8",
    )
    return [f"b{number}" for number in range(count)]


@pytest.mark.usefixtures("project")
def test_github(capsys: pytest.CaptureFixture[str]) -> None:
    out = printed(capsys, "--format", "github")
    assert out.count("\n") == 1
    assert json.loads(out) == {
        "include": [
            {"name": "cloud", "args": "--only cloud"},
            {"name": "arm", "args": "--only arm"},
            {"name": "bare", "args": "--only bare"},
        ]
    }


@pytest.mark.usefixtures("project")
def test_gitlab(capsys: pytest.CaptureFixture[str]) -> None:
    found = json.loads(printed(capsys, "--format", "gitlab", "--only", "arm"))
    variables = {"RDCOMPOSE_ARGS": "--only arm"}
    assert found == {"build arm": {"extends": ".rdcompose-build", "variables": variables}}


@pytest.mark.usefixtures("project")
def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert json.loads(printed(capsys, "--limit", "2")) == [
        {"name": "cloud", "args": "--only cloud", "builds": ["cloud"]},
        # The second of the first kernel, then the other.
        {
            "name": "bare and 1 more",
            "args": "--only bare --only arm",
            "builds": ["bare", "arm"],
        },
    ]


@pytest.mark.parametrize(("form", "limit"), [("github", 256), ("gitlab", 200)])
@pytest.mark.parametrize("over", [-1, 0, 1, 700])
def test_no_more_jobs_than_the_service_takes(
    project: Path, capsys: pytest.CaptureFixture[str], form: str, limit: int, over: int
) -> None:
    builds = many(project, limit + over)
    found: Any = json.loads(printed(capsys, "--format", form))
    if form == "github":
        jobs = [row["args"] for row in found["include"]]
        titles = [row["name"] for row in found["include"]]
    else:
        jobs = [job["variables"]["RDCOMPOSE_ARGS"] for job in found.values()]
        titles = list(found)
    assert len(jobs) == min(limit, len(builds))
    assert len(set(titles)) == len(titles)
    made = [names(args) for args in jobs]
    assert sorted(name for job in made for name in job) == sorted(builds)
    assert max(map(len, made)) - min(map(len, made)) <= 1


def test_kernels_stay_together(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    many(project, 9)
    rows = json.loads(printed(capsys, "--limit", "3"))
    assert [row["builds"] for row in rows] == [
        ["b0", "b3", "b6"],
        ["b1", "b4", "b7"],
        ["b2", "b5", "b8"],
    ]


def test_limit_above_the_service(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    many(project, 300)
    found = json.loads(printed(capsys, "--format", "github", "--limit", "300"))
    assert len(found["include"]) == 256


@pytest.mark.parametrize("text", ["", 'suite = "sid"\n'])
def test_no_builds(project: Path, capsys: pytest.CaptureFixture[str], text: str) -> None:
    project.write_text(text, encoding="utf-8")
    assert main(["matrix"]) == 1
    assert "rdcompose.toml names no builds" in capsys.readouterr().err


@pytest.mark.usefixtures("project")
def test_unknown_build(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["matrix", "--only", "clout"]) == 2
    assert "did you mean 'cloud'?" in capsys.readouterr().err


@pytest.mark.parametrize("limit", ["0", "-1", "x", "²"])
def test_wrong_limit(limit: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["matrix", f"--limit={limit}"])
    assert caught.value.code == 2
    assert "is not a number of jobs" in capsys.readouterr().err
