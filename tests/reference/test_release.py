"""Six builds of real kernels, released, published, and made again by another Python."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from tests.support import github
from tests.support.github import GitHubServer
from tests.support.kernels import cache_directory, mirrors
from tests.support.pythons import other_python
from tests.support.tools import run, tool

if TYPE_CHECKING:
    from collections.abc import Sequence

pytestmark = pytest.mark.reference

TOP: Final = Path(__file__).parents[2]
KERNELS: Final = ("cloud-amd64", "cloud-arm64", "s390x")
PROFILES: Final = ("minivm", "virtio")
# Nothing of it may show in a file.
ELSEWHERE: Final = {"LC_ALL": "C", "LANG": "de_DE.UTF-8", "TZ": "Pacific/Kiritimati"}


def rdcompose(
    directory: Path,
    *arguments: str | Path,
    python: str | Path = sys.executable,
    umask: str = "022",
    env: dict[str, str] | None = None,
) -> str:
    """Run the program with the cache that tests share."""
    words = [str(word) for word in (python, "-P", "-m", "rdcompose", *arguments)]
    if arguments[0] in {"build", "rebuild"}:
        words += ["--no-progress", "--cache", str(cache_directory() / "archive")]
    return run(
        *("sh", "-c", f"umask {umask}; exec {shlex.join(words)}"),
        cwd=directory,
        env={"PYTHONPATH": str(TOP), **(env or {})},
        timeout=900,
    )


def project(mirror: str, kernels: Sequence[str]) -> str:
    builds = [f'[[build]]\nname = "{kernel}"\nkernel = "{kernel}"\n' for kernel in kernels]
    head = f'mirror = "{mirror}"\nsuite = "bookworm"\n[defaults]\noutput = "builds"\n'
    return head + f"profile = {json.dumps(PROFILES)}\n" + "".join(builds)


def test_six_builds_from_a_project_to_a_release_and_again(tmp_path: Path) -> None:
    python = other_python()
    debian, _ = mirrors()
    (tmp_path / "rdcompose.toml").write_text(project(debian, KERNELS))
    rdcompose(tmp_path, "build", "--jobs", "2")
    builds = [f"builds/{kernel}/{profile}" for kernel in KERNELS for profile in PROFILES]
    rdcompose(tmp_path, "release", *builds, "-o", "release")
    release = tmp_path / "release"
    run(tool("sha256sum"), "--check", "--quiet", "--strict", "SHA256SUMS", cwd=release)
    written = {path.name: path.read_bytes() for path in release.iterdir()}
    with GitHubServer() as server:
        token = {"GITHUB_TOKEN": github.TOKEN, "no_proxy": "*"}
        options = ("--github", github.PROJECT, "--api", server.api, "-q")
        rdcompose(tmp_path, "upload", "release", "v1", *options, env=token)
        assert server.published == [written]
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    rows = json.loads(
        rdcompose(
            elsewhere,
            *("rebuild", release / "manifest.json", "--check", "--json", "--threads", "1"),
            python=python,
            umask="077",
            env={**ELSEWHERE, "TMPDIR": str(elsewhere)},
        )
    )
    assert {row["build"] for row in rows} == set(written_builds(written["manifest.json"]))
    assert all(row["same"] for row in rows)
    assert not any(elsewhere.iterdir())


def written_builds(manifest: bytes) -> list[str]:
    """Names of the builds in a release."""
    names = [build["name"] for build in json.loads(manifest)["builds"]]
    assert len(names) == len(KERNELS) * len(PROFILES)
    return names
