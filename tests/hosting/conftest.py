"""What tests of publishing share: a directory to publish, and the command line."""

from __future__ import annotations

import dataclasses
import hashlib
import random
from typing import TYPE_CHECKING, Any

import pytest

import rdcompose.hosting.client
from rdcompose.archive.retry import Retry
from rdcompose.cli.main import main
from tests.support import github, gitlab
from tests.support.github import GitHubServer
from tests.support.gitlab import GitLabServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RELEASE = "6.12.48+deb13-cloud-amd64"


def write_sums(directory: Path) -> None:
    """List the files of a directory, as ``sha256sum`` does."""
    lines = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n"
        for path in sorted(directory.iterdir())
        if not path.name.startswith("SHA256SUMS")
    ]
    (directory / "SHA256SUMS").write_text("".join(lines), encoding="utf-8")


@dataclasses.dataclass(slots=True)
class Desk:
    """A directory with files to publish, and the command that does it."""

    directory: Path
    capsys: pytest.CaptureFixture[str]
    pauses: list[float]

    @property
    def files(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in self.directory.iterdir()}

    def write(self, name: str, data: bytes) -> None:
        (self.directory / name).write_bytes(data)
        write_sums(self.directory)

    def run(self, *arguments: str, status: int = 0) -> tuple[str, str]:
        """Run ``rdcompose upload`` for the directory; returns what it printed and its errors."""
        ended = main(["upload", str(self.directory), "v1", *arguments])
        printed = self.capsys.readouterr()
        assert ended == status, printed.err
        assert "secret" not in printed.out + printed.err
        if status:
            assert printed.err.startswith("rdcompose: error: ")
        return printed.out, printed.err

    def github(self, server: GitHubServer, *options: str, status: int = 0) -> tuple[str, str]:
        return self.run("--github", github.PROJECT, "--api", server.api, *options, status=status)

    def gitlab(self, server: GitLabServer, *options: str, status: int = 0) -> tuple[str, str]:
        return self.run("--gitlab", gitlab.PROJECT, "--api", server.api, *options, status=status)


@pytest.fixture
def desk(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Desk:
    for name in ("GH_TOKEN", "CI_JOB_TOKEN", "GITHUB_API_URL", "CI_API_V4_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GITHUB_TOKEN", github.TOKEN)
    monkeypatch.setenv("GITLAB_TOKEN", gitlab.TOKEN)
    monkeypatch.setenv("no_proxy", "*")
    pauses: list[float] = []

    def impatient(**settings: Any) -> Retry:
        return Retry(**{**settings, "sleep": pauses.append})

    monkeypatch.setattr(rdcompose.hosting.client, "Retry", impatient)
    directory = tmp_path / "out"
    directory.mkdir()
    numbers = random.Random(1)
    for name, size in (
        (f"vmlinuz-{RELEASE}", 300_000),
        (f"initramfs-{RELEASE}", 700_000),
        (f"manifest-{RELEASE}.json", 900),
    ):
        (directory / name).write_bytes(numbers.randbytes(size))
    write_sums(directory)
    (directory / "SHA256SUMS.minisig").write_bytes(b"untrusted comment: signature\n")
    return Desk(directory, capsys, pauses)


@pytest.fixture
def at_github() -> Iterator[GitHubServer]:
    with GitHubServer() as server:
        yield server


@pytest.fixture
def at_gitlab() -> Iterator[GitLabServer]:
    with GitLabServer("v1") as server:
        yield server
