"""Formatting, lint and types, as tests: what passes here passes everywhere.

Settings and versions: pyproject.toml and requirements/test.lock.
"""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Final

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.tools import missing, packages, run, tool

TOP: Final = Path(__file__).parents[1]
FOLDERS: Final = ("bench", "bin", "rdcompose", "tests")


def check(module: str, *arguments: str) -> None:
    """Run a linter of this Python environment over the checkout."""
    if importlib.util.find_spec(module) is None:
        missing(f"{module} is not in this environment (bin/test makes one that has it)")
    command = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(command, cwd=TOP, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.fail(f"{module} {' '.join(arguments)}\n{done.stdout}{done.stderr}", pytrace=False)


def test_format() -> None:
    check("ruff", "format", "--check", "--diff", "--quiet", *FOLDERS)


def test_lint() -> None:
    check("ruff", "check", "--output-format=concise", *FOLDERS)


def test_types() -> None:
    check("mypy")


def scripts() -> list[Path]:
    """Every shell script, by its first line."""
    candidates = [*(TOP / "bin").rglob("*"), TOP / ".ci" / "run", *(TOP / "bench").rglob("*")]
    candidates += [*(TOP / "ci").iterdir(), *(TOP / "ramdisk-template").rglob("*")]
    candidates += (TOP / "rdcompose" / "qemu" / "guest").iterdir()
    shell = re.compile(rb"#!\s*/bin/(busybox )?(ba)?sh\b|# shellcheck shell=")
    return [
        path
        for path in sorted(candidates)
        if path.is_file() and not path.is_symlink() and shell.match(path.read_bytes())
    ]


@pytest.mark.parametrize("script", scripts(), ids=lambda path: str(path.relative_to(TOP)))
def test_shell(script: Path) -> None:
    options = ["--external-sources", "--severity=warning"]
    if script.is_relative_to(TOP / "ramdisk-template"):
        # The shell there is busybox's, which has more than POSIX (read -n); splitting what od
        # prints into words is how it reads binary data without another process. Its parts use
        # each other's variables; tests/boot/test_init_script.py looks at them together.
        options.append("--exclude=SC3045,SC2046,SC2034")
    run(tool("shellcheck"), *options, script, cwd=TOP)


def test_programs_table_is_what_tests_use() -> None:
    sources = [path for name in ("tests", "bench") for path in (TOP / name).rglob("*.py")]
    text = "\n".join(path.read_text(encoding="utf-8") for path in sources)
    called = set(re.findall(r"""\btool\(\s*["']([^"']+)["']""", text))
    quoted = set(re.findall(r"""["']([\w.-]+)["']""", text))
    # apt itself is how the others are installed; the tests of tool() invent names.
    called -= {"apt-get", "apt-cache", "apt-config", "dpkg"}
    listed = {name for name in packages() if not name.startswith("/")}
    assert (called - listed, listed - quoted) == (set(), set())


@pytest.mark.parametrize("name", ["run", "test", "package"])
def test_locks_satisfy_pyproject(name: str) -> None:
    text = (TOP / "requirements" / f"{name}.lock").read_text(encoding="ascii")
    pinned = dict(re.findall(r"^([a-z0-9-]+)==([^ ;]+)", text, re.MULTILINE))
    project = tomllib.loads((TOP / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = [
        *project["project"]["dependencies"],
        *project["project"]["optional-dependencies"]["lz4"],
    ]
    groups = project["dependency-groups"]
    if name == "test":
        wanted += [*groups["test"], *groups["lint"]]
    elif name == "package":
        wanted = groups["package"]
    for line in wanted:
        requirement = Requirement(line)
        version = pinned.get(canonicalize_name(requirement.name))
        assert version is not None, f"{requirement.name} is not in the lock: run bin/lock"
        assert requirement.specifier.contains(version), f"{line}, locked {version}: run bin/lock"
    # Where packages come from is the user's setting.
    assert "://" not in text


def test_documents_link_to_files_that_exist() -> None:
    link = re.compile(r"\]\((?!https?:)([^)#]+)")
    broken = [
        f"{path.relative_to(TOP)}: {target}"
        for path in [*TOP.glob("*.md"), *(TOP / "docs").glob("*.md")]
        for target in link.findall(path.read_text(encoding="utf-8"))
        if not (path.parent / target).exists()
    ]
    assert broken == []
