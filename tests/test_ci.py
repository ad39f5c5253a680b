"""What CIs copy: the action, GitLab's jobs and the workflow are valid, and their shell does it.

The files are read as the services read them; what they run is run here, with a program that is
this checkout's, packages made by the tests and stand-ins for GitHub and GitLab.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from check_jsonschema.builtin_schemas import get_builtin_schema
from jsonschema.validators import validator_for
from ruamel.yaml import YAML

from tests.support import github, gitlab
from tests.support.archive_packages import busybox_package, kernel_package
from tests.support.github import GitHubServer
from tests.support.gitlab import GitLabServer
from tests.support.tools import run, tool
from tests.support.unmeasured import unmeasured

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

TOP: Final = Path(__file__).parents[1]
RELEASE: Final = "6.1.0-44-cloud-amd64"
ARGUMENTS: Final = "kernel.deb --busybox busybox.deb --e2fsck none"
_EXPRESSION: Final = re.compile(r"\$\{\{ *([a-z0-9_.-]+) *\}\}")


def load(name: str) -> Any:
    return YAML(typ="safe").load(TOP / name)


def filled(text: str, values: Mapping[str, str]) -> str:
    """What GitHub makes of a text with expressions."""
    return _EXPRESSION.sub(lambda found: values[found[1]], text)


def shell_of(name: str) -> Iterator[str]:
    """Every piece of shell in a file."""
    data = load(name)
    jobs = data.get("jobs", {"": data["runs"]} if "runs" in data else data)
    for job in jobs.values():
        yield from (step["run"] for step in job.get("steps", ()) if "run" in step)
        yield from job.get("script", ())


FILES: Final = ("action.yml", "ci/gitlab.yml", ".github/workflows/release.yml")


@pytest.mark.parametrize(
    ("schema", "name"),
    list(zip(("github-actions", "gitlab-ci", "github-workflows"), FILES, strict=True)),
)
def test_schema(schema: str, name: str) -> None:
    rules = get_builtin_schema(f"vendor.{schema}")
    validator_for(rules)(rules).validate(load(name))


@pytest.mark.parametrize("name", FILES)
def test_shell(name: str, tmp_path: Path) -> None:
    pieces = list(shell_of(name))
    assert pieces
    for number, piece in enumerate(pieces):
        script = tmp_path / f"{number}.sh"
        script.write_text(
            f"#!/bin/bash\n# shellcheck disable=SC2086\nset -e\n{piece}", encoding="utf-8"
        )
        run(tool("shellcheck"), "--severity=warning", script)


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A project's directory, and the program under the name that the jobs call."""
    directory = tmp_path / "work"
    directory.mkdir()
    (directory / "kernel.deb").write_bytes(kernel_package(RELEASE, "6.1.164-1"))
    (directory / "busybox.deb").write_bytes(busybox_package())
    program = tmp_path / "rdcompose"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -P -m rdcompose "$@"\n')
    program.chmod(0o755)
    return directory


def bash(
    text: str, work: Path, variables: Mapping[str, str], status: int = 0
) -> subprocess.CompletedProcess[str]:
    """Run a step as GitHub does; GitLab's runner sets no more options."""
    kept = ("PATH", "PYTHONPATH", "LIBARCHIVE", "LD_LIBRARY_PATH")
    environment = {name: value for name, value in unmeasured().items() if name in kept}
    environment |= {"HOME": str(work), "no_proxy": "*", "RDCOMPOSE": str(work.parent / "rdcompose")}
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", text],
        cwd=work,
        env=environment | dict(variables),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == status, done.stderr
    assert "secret" not in done.stdout + done.stderr
    return done


def outputs(name: str) -> list[str]:
    return [f"{kind}-{RELEASE}" for kind in ("initramfs", "vmlinuz")] + [name]


def act(work: Path, server: GitHubServer, **inputs: str) -> dict[str, str]:
    """Run the action's steps; returns its outputs."""
    action = load("action.yml")
    given = {name: str(row["default"]) for name, row in action["inputs"].items()} | inputs
    values = {f"inputs.{name}": value for name, value in given.items()}
    values |= {"runner.temp": str(work.parent), "github.token": github.TOKEN}
    values = {name: filled(value, values) for name, value in values.items()}
    results = work.parent / "outputs"
    (step,) = (step for step in action["runs"]["steps"] if "run" in step)
    assert step["working-directory"] == "${{ inputs.working-directory }}"
    variables = {name: filled(str(value), values) for name, value in step["env"].items()}
    runner = {
        "GITHUB_ACTION_PATH": str(TOP),
        "GITHUB_OUTPUT": str(results),
        "GITHUB_REPOSITORY": github.PROJECT,
        "GITHUB_API_URL": server.api,
        "GITHUB_REF_TYPE": "tag",
        "GITHUB_REF_NAME": "v1",
    }
    bash(filled(step["run"], values), work, runner | variables)
    lines = results.read_text(encoding="utf-8").splitlines()
    told = {
        f"steps.compose.outputs.{key}": value for key, _, value in (x.partition("=") for x in lines)
    }
    return {
        name: filled(row["value"], told | dict.fromkeys(set(values) - set(told), ""))
        for name, row in action["outputs"].items()
        if row["value"][4:-3].strip() in told
    }


def test_action_builds_releases_and_publishes(work: Path) -> None:
    with GitHubServer() as server:
        steps = {"steps": "build release upload", "args": ARGUMENTS}
        told = act(work, server, **steps, **{"release-args": "--name Kernels"})
        assert told == {"builds": "dist/builds", "release": "dist/release"}
        release = work / told["release"]
        assert server.published == [{p.name: p.read_bytes() for p in release.iterdir()}]
        assert {*outputs("SHA256SUMS"), "NOTES.md"} <= server.published[0].keys()
        assert (server.only()["tag_name"], server.only()["name"]) == ("v1", "Kernels")


def test_action_only_builds_by_default_and_releases(work: Path) -> None:
    with GitHubServer() as server:
        told = act(work, server, args=ARGUMENTS, output="a b")
        assert told == {"builds": "a b/builds", "release": "a b/release"}
        assert server.calls == []
    names = {path.name for path in (work / "a b/release").iterdir()}
    assert {*outputs("manifest.json")} <= names


def job(name: str) -> tuple[str, dict[str, str]]:
    """The script of one of GitLab's jobs and its variables."""
    jobs = load("ci/gitlab.yml")
    row = jobs[name]
    base = jobs[row["extends"]]
    return "\n".join(row["script"]), base["variables"] | row.get("variables", {})


def test_gitlab_builds_and_publishes(work: Path) -> None:
    with GitLabServer("v1") as server:
        runner = {
            "CI_PROJECT_DIR": str(work),
            "CI_PROJECT_ID": gitlab.PROJECT,
            "CI_API_V4_URL": server.api,
            "CI_JOB_TOKEN": gitlab.JOB_TOKEN,
            "CI_COMMIT_TAG": "v1",
        }
        for name in (".rdcompose-build", ".rdcompose-release"):
            script, variables = job(name)
            variables = {
                key: value.replace("$CI_PROJECT_DIR", str(work)) for key, value in variables.items()
            }
            variables |= {"RDCOMPOSE_HOME": str(TOP), "RDCOMPOSE_ARGS": ARGUMENTS}
            bash(script, work, runner | variables)
        release = work / "dist/release"
        assert server.linked("v1") == {p.name: p.read_bytes() for p in release.iterdir()}
        assert {*outputs("SHA256SUMS")} <= server.linked("v1").keys()


def test_workflow_makes_a_job_for_each_kernel(work: Path) -> None:
    """What the first job prints is what the next one gets, and the project is sound."""
    jobs = load(".github/workflows/release.yml")["jobs"]
    (step,) = (step for step in jobs["matrix"]["steps"] if "run" in step)
    (work / "bin").mkdir()
    (work / "bin/rdcompose").symlink_to(work.parent / "rdcompose")
    results = work.parent / "outputs"
    # A directory of its own, so that "../.." leads to the stand-in.
    shutil.copytree(TOP / "ci", work / "ci")
    command = f"cd {step['working-directory']}\n{step['run']}"
    bash(command, work, {"GITHUB_OUTPUT": str(results)})
    name, _, text = results.read_text(encoding="utf-8").partition("=")
    assert jobs["matrix"]["outputs"] == {name: f"${{{{ steps.{step['id']}.outputs.{name} }}}}"}
    include = json.loads(text)["include"]
    kernels = ("cloud-amd64", "arm64", "armmp")
    assert include == [{"name": kernel, "args": f"--only {kernel}"} for kernel in kernels]


def test_workflow_publishes_builds_and_program(work: Path) -> None:
    """The last job, with what the jobs before it hand over."""
    steps = load(".github/workflows/release.yml")["jobs"]["publish"]["steps"]
    bash(
        f'"{TOP}/ci/compose" build', work, {"RDCOMPOSE_ARGS": ARGUMENTS, "RDCOMPOSE_OUTPUT": "one"}
    )
    (work / "dist").mkdir()
    (work / "one/builds").rename(work / "made")
    (work / "dist/builds").mkdir()
    (work / "made").rename(work / "dist/builds/cloud-amd64")
    (work / "dist/program").mkdir()
    for name in ("rdcompose-1-py3-none-any.whl", "rdcompose-1-cp311-linux-x86_64.pex"):
        (work / "dist/program" / name).write_bytes(b"program")
    (work / "ci").symlink_to(TOP / "ci")
    with GitHubServer() as server:
        runner = {
            "GITHUB_REPOSITORY": github.PROJECT,
            "GITHUB_API_URL": server.api,
            "GITHUB_REF_TYPE": "tag",
            "GITHUB_REF_NAME": "v1",
        }
        for step in steps:
            if "run" in step:
                extra = {
                    name: filled(value, {"github.token": github.TOKEN})
                    for name, value in step.get("env", {}).items()
                }
                bash(step["run"], work, runner | extra)
        published = server.published[-1].keys()
        assert {*outputs("rdcompose-1-py3-none-any.whl")} <= published
        assert "rdcompose-1-cp311-linux-x86_64.pex" in published


@pytest.mark.parametrize(
    ("words", "variables", "status", "message"),
    [
        ("publish", {}, 2, "publish is none of build, release and upload"),
        ("release", {}, 1, "there is no build in dist/builds"),
        ("upload", {}, 1, "no tag to publish"),
        ("upload", {"RDCOMPOSE_TAG": "v1"}, 1, "which project is it?"),
    ],
)
def test_what_is_missing_is_said(
    work: Path, words: str, variables: dict[str, str], status: int, message: str
) -> None:
    (work / "dist/builds").mkdir(parents=True)
    done = bash(f'"{TOP}/ci/compose" {words}', work, variables, status)
    assert message in done.stderr
    assert not os.listdir(work / "dist/builds")  # noqa: PTH208
