"""bin/rdcompose makes its environment once, whoever calls it, and says what is missing.

The checkout is a copy whose list of packages is empty, so that nothing is downloaded;
the whole of it is tried in tests/userland.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Final

import pytest

TOP: Final = Path(__file__).parents[1]
PROGRAM: Final = """\
import os, sys
print(sys.argv[1:], os.path.dirname(os.path.dirname(__file__)), sys.prefix, sep="|")
print(os.environ["LIBARCHIVE"])
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with a program that tells how it was started."""
    top = tmp_path / "a checkout"
    shutil.copytree(TOP / "bin", top / "bin")
    (top / "requirements").mkdir()
    (top / "requirements/run.lock").write_text("# nothing\n")
    (top / "rdcompose").mkdir()
    (top / "rdcompose/__init__.py").touch()
    (top / "rdcompose/__main__.py").write_text(PROGRAM)
    return top


def environment(tmp_path: Path, **variables: str) -> dict[str, str]:
    """What the launcher sees: nothing of this test run's own environment."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "PIP_NO_INDEX": "1",
        **variables,
    }


def start(
    program: Path, *arguments: str, env: dict[str, str], cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a launcher to its end."""
    command = [str(program), *arguments]
    return subprocess.run(
        command, env=env, cwd=cwd, capture_output=True, text=True, check=False, timeout=300
    )


def make_complete(top: Path, place: Path) -> None:
    """An environment as the launcher leaves it, made by hand in no time."""
    (place / "bin").mkdir(parents=True)
    script = place / "bin/python"
    script.write_text('#!/bin/sh\necho "$PYTHONPATH|$LIBARCHIVE|$*"\n')
    script.chmod(0o755)
    (place / "libarchive").write_text(f"{script}\n")
    shutil.copy(top / "requirements/run.lock", place / "lock")


def test_starts_at_once_in_a_complete_environment(checkout: Path, tmp_path: Path) -> None:
    place = checkout / ".venv/run"
    make_complete(checkout, place)
    # Neither called Python nor anything that could install is there.
    env = environment(tmp_path)
    done = start(checkout / "bin/rdcompose", "a b", "*", env=env)
    expected = f"{checkout}|{place}/bin/python|-P -m rdcompose a b *\n"
    assert (done.stdout, done.stderr, done.returncode) == (expected, "", 0)


@pytest.mark.parametrize("how", ["link", "directory", "path"])
def test_is_found_however_it_is_called(checkout: Path, tmp_path: Path, how: str) -> None:
    make_complete(checkout, checkout / ".venv/run")
    program, cwd = checkout / "bin/rdcompose", tmp_path
    if how == "link":
        program = tmp_path / "rdcompose"
        program.symlink_to("a checkout/bin/rdcompose")
    elif how == "directory":
        program, cwd = Path("./rdcompose"), checkout / "bin"
    else:
        program = Path("rdcompose")
    # env(1) searches PATH; subprocess would search this process's.
    done = subprocess.run(
        ["/usr/bin/env", program if how == "path" else str(program)],
        env=environment(tmp_path, PATH=f"{checkout}/bin:{os.environ['PATH']}"),
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.startswith(f"{checkout}|"), done.stderr


def test_a_users_own_library_wins(checkout: Path, tmp_path: Path) -> None:
    make_complete(checkout, checkout / ".venv/run")
    env = environment(tmp_path, LIBARCHIVE="/own/libarchive.so")
    done = start(checkout / "bin/rdcompose", env=env)
    assert done.stdout.split("|")[1] == "/own/libarchive.so"


@pytest.mark.parametrize(
    ("python", "said"),
    [
        (None, "no python3 was found"),
        ("case $* in *version_info*) exit 1;; esac", "python3 is older"),
        ('case $* in *probe.py) echo "venv is missing"; exit 1;; esac', "venv is missing"),
        ("case $* in *probe.py) exit 1;; esac", "python3 does not work"),
    ],
    ids=["none", "old", "no-venv", "broken"],
)
def test_what_is_missing_is_named_with_one_command(
    checkout: Path, tmp_path: Path, python: str | None, said: str
) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("sh", "cmp", "tr", "mkdir", "cat", "flock"):
        (programs / name).symlink_to(shutil.which(name) or name)
    # As an ordinary user: root on Debian would begin to install.
    write_program(programs / "id", "echo 1000")
    if python:
        write_program(programs / "python3", python)
    env = environment(tmp_path, PATH=str(programs))
    done = start(checkout / "bin/rdcompose", "--version", env=env)
    first, second, third, rest = done.stderr.split("\n")
    assert first.startswith("rdcompose: making its Python environment, ")
    assert said in second
    assert third.split()[:2] in (
        ["sudo", program] for program in ("apt-get", "apk", "dnf", "pacman", "zypper")
    )
    assert (rest, done.stdout, done.returncode) == ("", "", 1)
    assert [path.name for path in (checkout / ".venv").iterdir()] == ["run.making"]


def write_program(path: Path, body: str) -> None:
    """A program that is a shell script."""
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)


@pytest.mark.userland
def test_first_use_makes_what_later_ones_keep(checkout: Path, tmp_path: Path) -> None:
    env = environment(tmp_path)
    program = checkout / "bin/rdcompose"
    command = [str(program), "x"]
    both = [
        subprocess.Popen(
            command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    results = [(process.communicate(timeout=300), process.returncode) for process in both]
    place = checkout / ".venv/run"
    shown = f"['x']|{checkout}|{place}\n"
    for (stdout, stderr), status in results:
        assert (status, stdout.partition("\n")[0] + "\n") == (0, shown), stderr
    # One of the two made it, and the other waited.
    assert sorted(stderr.count("making") for (_, stderr), _ in results) == [0, 1]
    stamp = (place / "pyvenv.cfg").stat().st_mtime_ns
    # Programs in it name their interpreter by its path.
    subprocess.run([place / "bin/pip", "--version"], check=True, stdout=subprocess.DEVNULL)
    again = start(program, "x", env=env)
    assert (again.stderr, (place / "pyvenv.cfg").stat().st_mtime_ns) == ("", stamp)
    assert Path(again.stdout.splitlines()[1]).exists()
    assert sorted(path.name for path in place.parent.iterdir()) == ["run", "run.making"]

    # A new list of packages, or an upgraded Python: made again.
    (checkout / "requirements/run.lock").write_text("# nothing more\n")
    assert "making" in start(program, "x", env=env).stderr
    (place / "bin/python").unlink()
    (place / "bin/python").symlink_to("/usr/bin/python-that-was")
    done = start(program, "x", env=env)
    assert ("making" in done.stderr, done.stdout.partition("\n")[0] + "\n") == (True, shown)


@pytest.mark.userland
def test_an_interrupted_first_use_leaves_nothing_that_counts(
    checkout: Path, tmp_path: Path
) -> None:
    env = environment(tmp_path)
    program = checkout / "bin/rdcompose"
    process = subprocess.Popen(
        [str(program)], env=env, stderr=subprocess.DEVNULL, start_new_session=True
    )
    draft = checkout / ".venv/run/pyvenv.cfg"
    limit = time.monotonic() + 60
    while not draft.exists():
        assert time.monotonic() < limit
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    done = start(program, "x", env=env)
    assert "making" in done.stderr
    assert done.stdout.startswith("['x']|"), done.stderr
    assert sorted(path.name for path in draft.parents[1].iterdir()) == ["run", "run.making"]


@pytest.mark.userland
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_a_checkout_of_others_is_used_from_ones_cache(checkout: Path) -> None:
    # pytest keeps its own directories closed to other users.
    with tempfile.TemporaryDirectory() as open_to_all:
        Path(open_to_all).chmod(0o755)
        top = Path(open_to_all, "checkout")
        shutil.copytree(checkout, top)
        home = Path(open_to_all, "home")
        home.mkdir()
        os.chown(home, 65534, 65534)
        check_use_by_another_user(top, home)


def check_use_by_another_user(checkout: Path, home: Path) -> None:
    """The first use makes an environment in the user's cache; the second finds it."""
    env = environment(home, PATH="/usr/bin:/bin")
    for said in (1, 0):
        done = subprocess.run(
            [checkout / "bin/rdcompose"],
            env=env,
            user=65534,
            group=65534,
            extra_groups=[],
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr.count("making")) == (0, said), done.stderr
        assert done.stdout.split("|")[2].startswith(f"{home}/.cache/rdcompose/checkouts/")
    assert not (checkout / ".venv").exists()
