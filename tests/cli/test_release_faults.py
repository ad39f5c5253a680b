"""Releases that are cut short: what was there stays, or all of the new release is there."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Final

import pytest

from rdcompose.cli.main import main
from tests.support.releases import SampleBuild
from tests.support.unmeasured import run_limited, unmeasured

if TYPE_CHECKING:
    from pathlib import Path

LATER: Final = "6.1.0-8-amd64"

# Interrupts itself at each moment at which it asks the system for something in the directory,
# in a process of its own every time, until there is no further moment.
EVERY_MOMENT: Final = """
import itertools, os, pathlib, shutil, signal, sys

from rdcompose.cli import interrupts, release
from rdcompose.cli.main import main

earlier, later, out = map(pathlib.Path, sys.argv[1:4])
arguments = ["release", *sys.argv[4:], "-o", str(out), "-q", "--no-sbom", "--md5"]
WATCHED = {"open", "os.mkdir", "os.link", "os.rename", "os.remove", "os.rmdir"}


def contents(path):
    return {file.name: file.read_bytes() for file in path.iterdir()}


def run(moment):
    left = moment

    def hook(event, values):
        nonlocal left
        if event in WATCHED and str(values[0]).startswith(str(out)):
            left -= 1
            if left == -1:
                signal.raise_signal(signal.SIGTERM)

    sys.addaudithook(hook)
    interrupts.catch()
    status = main(arguments)
    os._exit(0 if left >= 0 else status)


# Here, so that no process has to import it.
assert main(arguments) == 0
states = (contents(earlier), contents(later))
seen = []
for moment in itertools.count():
    shutil.rmtree(out, ignore_errors=True)
    shutil.copytree(earlier, out)
    child = os.fork()
    if child == 0:
        run(moment)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    now = contents(out)
    assert now in states, (moment, sorted(now))
    if status == 0:
        break
    assert status == 128 + signal.SIGTERM, (moment, status)
    seen.append(states.index(now))
assert contents(out) == states[1]
assert seen == sorted(seen), seen
print(len(seen), seen.count(1))
"""


@pytest.fixture
def builds(tmp_path: Path) -> tuple[Path, Path]:
    """Return two builds: of the earlier and of the later release."""
    earlier = SampleBuild().write(tmp_path / "one")
    return earlier, SampleBuild(release=LATER, disk=None).write(tmp_path / "two")


def release(*arguments: object) -> None:
    assert main(["release", *map(str, arguments), "-q", "--no-sbom", "--md5"]) == 0


def test_interrupted_at_every_moment(tmp_path: Path, builds: tuple[Path, Path]) -> None:
    earlier, later = tmp_path / "earlier", tmp_path / "later"
    release(builds[0], "-o", earlier)
    release(builds[1], "-o", later)
    done = subprocess.run(
        [sys.executable, "-c", EVERY_MOMENT, earlier, later, tmp_path / "out", builds[1]],
        env=unmeasured(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    moments, published = map(int, done.stdout.split())
    # Every file is opened, and then renamed: from there on the new release is there.
    assert moments > published > 10


@pytest.mark.parametrize("where", ["copy", "beside"])
def test_a_full_disk_leaves_what_was_there(
    tmp_path: Path, builds: tuple[Path, Path], where: str
) -> None:
    out = tmp_path / "out" if where == "copy" else builds[0]
    release(builds[0], "-o", out)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    options = ["--md5", "--name", "another"]
    arguments = ["-m", "rdcompose", "release", str(builds[0]), "-o", str(out), *options]
    # Not enough for a copy of the kernel; beside the builds there are documents only.
    size = max(len(data) for name, data in before.items() if name.startswith("vmlinuz")) // 2
    done = run_limited(arguments, size if where == "copy" else 1000)
    assert done.returncode == 1
    assert done.stderr.startswith(f"rdcompose: error: cannot write {out}/")
    assert done.stderr.endswith(": File too large\n")
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_a_directory_that_cannot_be_made(tmp_path: Path, builds: tuple[Path, Path]) -> None:
    file = tmp_path / "file"
    file.touch()
    done = run_limited(["-m", "rdcompose", "release", str(builds[0]), "-o", f"{file}/out"], 1 << 20)
    assert done.returncode == 1
    assert done.stderr == (f"rdcompose: error: cannot write {file}/out: Not a directory\n")
    assert file.read_bytes() == b""
