"""From a project file to what people download: all commands, one after the other."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import rdcompose.hosting.client
from rdcompose.archive.retry import Retry
from rdcompose.cli.main import main
from tests.support import github, gitlab
from tests.support.farm import ARM, OLD, SECURE
from tests.support.github import GitHubServer
from tests.support.gitlab import GitLabServer
from tests.support.tools import run, tool

if TYPE_CHECKING:
    from typing import Any

    from tests.cli.conftest import Shop

# What a build calls its kernel, and the release that it then is of.
KERNELS = {"cloud-amd64": SECURE, "arm64": ARM, OLD: OLD}
PROFILES = ("minivm", "virtio")


def project() -> str:
    return "".join(
        f'[[build]]\nname = "{kernel}-{profile}"\nkernel = "{kernel}"\nprofile = "{profile}"\n'
        for kernel in KERNELS
        for profile in PROFILES
    )


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses between attempts take no time."""

    def impatient(**settings: Any) -> Retry:
        return Retry(**{**settings, "sleep": lambda _: None})

    monkeypatch.setattr(rdcompose.hosting.client, "Retry", impatient)
    monkeypatch.setenv("GITHUB_TOKEN", github.TOKEN)
    monkeypatch.setenv("GITLAB_TOKEN", gitlab.TOKEN)
    monkeypatch.setenv("no_proxy", "*")


@pytest.mark.usefixtures("patient")
def test_six_builds_are_published_at_both(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    (shop.path / "rdcompose.toml").write_text(project(), encoding="utf-8")
    shop.run("build", "--jobs", "2", "-o", "builds")
    builds = sorted(str(path) for path in Path("builds").iterdir())
    assert len(builds) == 6
    assert main(["release", *builds, "-o", "release", "--name", "Six"]) == 0
    release = shop.path / "release"
    files = {path.name: path.read_bytes() for path in release.iterdir()}
    run(tool("sha256sum"), "--check", "--strict", "SHA256SUMS", cwd=release)
    assert {f"vmlinuz-{name}" for name in KERNELS.values()} <= files.keys()
    assert {f"initramfs-{SECURE}.cloud-amd64-{profile}" for profile in PROFILES} <= files.keys()
    with GitHubServer() as server:
        # One upload is cut, one answer lost, one file damaged.
        server.cut(f"POST /uploads/*vmlinuz-{ARM}", after=100)
        server.lose("POST /uploads/*manifest.json")
        server.damage.append(f"vmlinuz-{SECURE}")
        options = ["--github", github.PROJECT, "--api", server.api, "-q"]
        assert main(["upload", "release", "v1", *options]) == 0
        assert server.published == [files]
        assert server.only()["name"] == "Six"
        assert server.only()["body"] == files["NOTES.md"].decode()
    with GitLabServer("v1") as other:
        options = ["--gitlab", gitlab.PROJECT, "--api", other.api, "--json"]
        capsys.readouterr()
        assert main(["upload", "release", "v1", *options]) == 0
        assert json.loads(capsys.readouterr().out)["sent"] == sorted(files)
        assert other.linked("v1") == files
    out, _ = shop.run("outdated", "release", status=3)
    # Only the one that was asked for by its release.
    (line,) = out.splitlines()
    assert line.split()[:2] == ["kernel", f"linux-image-{OLD}"]
