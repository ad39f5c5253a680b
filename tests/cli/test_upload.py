"""``rdcompose upload``: wrong usage, and an end at any moment."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from rdcompose.cli.main import main
from tests.hosting.conftest import write_sums
from tests.support import github
from tests.support.api_server import Hangup
from tests.support.github import GitHubServer
from tests.support.unmeasured import unmeasured

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.api_server import Answer, Call


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("GITHUB_TOKEN", "GH_TOKEN", "GITLAB_TOKEN", "CI_JOB_TOKEN", "GITHUB_API_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("no_proxy", "*")
    out = tmp_path / "out"
    out.mkdir()
    for name in ("a", "b", "c"):
        (out / name).write_bytes(name.encode() * 100_000)
    write_sums(out)
    return out


@pytest.mark.parametrize(
    ("token", "arguments", "status", "message"),
    [
        pytest.param("", ("--github", "a/b"), 2, "no token in GITHUB_TOKEN or GH_TOKEN", id="none"),
        pytest.param("", ("--gitlab", "a/b"), 2, "in GITLAB_TOKEN or CI_JOB_TOKEN", id="gitlab"),
        pytest.param("a b", ("--github", "a/b"), 2, "what is in GITHUB_TOKEN", id="blank"),
        pytest.param("ä", ("--github", "a/b"), 2, "what is in GITHUB_TOKEN", id="letter"),
        pytest.param("t", ("--github", "kernels"), 2, "is named OWNER/REPO", id="project"),
        pytest.param("t", ("--github", "a/b", "--package", "x"), 2, "--package", id="package"),
        pytest.param("t", ("--gitlab", "a/b", "--draft"), 2, "no such thing at GitLab", id="draft"),
        pytest.param(
            "t", ("--github", "a/b", "--api", "http://api.test"), 2, "to send a token to", id="http"
        ),
        pytest.param(
            "t", ("--github", "a/b", "--api", "https://[x"), 2, "to send a token to", id="address"
        ),
        pytest.param(
            "t", ("--github", "a/b", "--notes", "/none"), 1, "cannot read /none", id="notes"
        ),
    ],
)
def test_wrong_usage(
    directory: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    token: str,
    arguments: tuple[str, ...],
    status: int,
    message: str,
) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", token)
    if token:
        monkeypatch.setenv("GITLAB_TOKEN", token)
    assert main(["upload", str(directory), "v1", *arguments]) == status
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("tag", ["", "v 1", "v\n1"])
def test_tags(directory: Path, capsys: pytest.CaptureFixture[str], tag: str) -> None:
    assert main(["upload", str(directory), tag, "--github", "a/b"]) == 2
    assert "is no name of a tag" in capsys.readouterr().err


def test_no_directory(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", "t")
    assert main(["upload", str(tmp_path / "none"), "v1", "--github", "a/b"]) == 1
    assert "none is no directory" in capsys.readouterr().err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_it_is_ended_in_the_middle(directory: Path, number: signal.Signals) -> None:
    """While files are on their way, and then run again."""
    command = [sys.executable, "-P", "-m", "rdcompose", "upload", str(directory), "v1"]
    environment = unmeasured() | {"GITHUB_TOKEN": github.TOKEN}
    with GitHubServer() as server:
        command += ["--github", github.PROJECT, "--api", server.api]

        started = threading.Event()

        def happen(call: Call) -> Answer:
            call.read(1000)
            started.wait()
            process.send_signal(number)
            process.wait()
            # What GitHub may keep of it.
            server.upload_cut(call, b"")
            raise Hangup

        server.do("POST /uploads/*name=b", happen)
        with subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            started.set()
            out, err = process.communicate(timeout=60)
        ended = -number if number == signal.SIGKILL else 128 + number
        assert (process.returncode, out) == (ended, "")
        assert err == ("" if number == signal.SIGKILL else "rdcompose: interrupted\n")
        assert server.published == []
        again = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False, timeout=60
        )
        assert (again.returncode, again.stderr) == (0, "")
        assert server.published == [{path.name: path.read_bytes() for path in directory.iterdir()}]
        assert len(server.releases) == 1
