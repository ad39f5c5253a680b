"""What is not there is told at once, as those would say it who read it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rdcompose.cli.main import main

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def package(tmp_path: Path) -> str:
    """A file that would be read as a kernel's package."""
    path = tmp_path / "kernel.deb"
    path.write_bytes(b"no package")
    return str(path)


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """Run a command that must fail; returns what it says."""
    assert main(words) == 1
    return capsys.readouterr().err.splitlines()[0].removeprefix("rdcompose: error: ")


@pytest.mark.parametrize("command", ["build", "pi"])
@pytest.mark.parametrize("name", ["gone.deb", "./gone", "gone/"])
def test_a_kernel_that_is_not_there(
    command: str, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    said = refused(capsys, command, name)
    plain = name.removeprefix("./").removesuffix("/")
    assert said == f"cannot read the kernel package {plain}: No such file or directory"


def test_one_of_several_kernels(package: str, capsys: pytest.CaptureFixture[str]) -> None:
    said = refused(capsys, "build", package, "gone.deb")
    assert said == "cannot read the kernel package gone.deb: No such file or directory"


@pytest.mark.parametrize("program", ["busybox", "e2fsck"])
def test_a_program_that_is_not_there(
    program: str, package: str, capsys: pytest.CaptureFixture[str]
) -> None:
    said = refused(capsys, "build", package, f"--{program}", "gone")
    assert said == f"cannot read the {program} gone: No such file or directory"


def test_a_template_that_is_none(
    package: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in (tmp_path / "gone", tmp_path / "kernel.deb"):
        said = refused(capsys, "build", package, "--template", str(path))
        assert said == f"the template {path} is not a directory"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--profile", "nope"), "there is no profile 'nope'"),
        (("--feature", "nope"), "there is no feature 'nope'"),
        (("--compress", "nope"), "--compress: no compressor is called 'nope'"),
        (("--disk-compress", "zstd:99"), "--disk-compress: zstd has no level 99"),
        (("--arch", "nope"), "'nope' is no architecture that is known here"),
    ],
    ids=["profile", "feature", "compressor", "level", "architecture"],
)
def test_options_are_judged_before_the_kernel_is_read(
    options: tuple[str, str],
    message: str,
    package: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    # Reading this one would be another error.
    words = ("build", package, "--busybox", "none", "--e2fsck", "none", *options)
    assert main(words) in {1, 2}
    assert capsys.readouterr().err.startswith(f"rdcompose: error: {message}\n")
