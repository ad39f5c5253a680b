"""bin/package: the shell around hatchling and pex, which are stand-ins here."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

TOP: Final = Path(__file__).parents[1]
PYTHON: Final = """\
#!/bin/sh
echo "$*" >>"$LOG"
for last; do :; done
case "$*" in
    *"-m hatchling"*) echo wheel >"$last/rdcompose-1.2-py3-none-any.whl" ;;
    *"-m zipfile"*) mkdir "$last" ;;
    *" -c "*) echo cp313-linux-riscv64 ;;
    *"-m pex"*) [ -z "$BROKEN" ] || exit 1; echo pex >"$last" ;;
esac
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    top = tmp_path / "a checkout"
    shutil.copytree(TOP / "bin", top / "bin")
    (top / "requirements").mkdir()
    (top / "requirements/package.lock").write_text("# nothing\n")
    place = top / ".venv/package"
    (place / "bin").mkdir(parents=True)
    (place / "bin/python").write_text(PYTHON)
    (place / "bin/python").chmod(0o755)
    (place / "libarchive").write_text(f"{place}\n")
    shutil.copy(top / "requirements/package.lock", place / "lock")
    return top


def package(checkout: Path, *, broken: str = "") -> subprocess.CompletedProcess[str]:
    scratch = checkout.parent / "tmp"
    scratch.mkdir(exist_ok=True)
    environment = {"PATH": os.environ["PATH"], "LOG": str(checkout.parent / "log")}
    done = subprocess.run(
        [str(checkout / "bin/package"), "some where"],
        cwd=checkout.parent,
        env=environment | {"BROKEN": broken, "TMPDIR": str(scratch)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert list(scratch.iterdir()) == []
    return done


def test_wheel_and_program(checkout: Path) -> None:
    done = package(checkout)
    assert done.returncode == 0, done.stderr
    made = checkout.parent / "some where"
    names = ["rdcompose-1.2-cp313-linux-riscv64.pex", "rdcompose-1.2-py3-none-any.whl"]
    assert sorted(path.name for path in made.iterdir()) == names
    assert sorted(done.stdout.splitlines()) == [f"{made}/{name}" for name in names]
    log = (checkout.parent / "log").read_text()
    assert "--requirement requirements/run.lock" in log


def test_both_or_none(checkout: Path) -> None:
    assert package(checkout, broken="1").returncode == 1
    assert list((checkout.parent / "some where").iterdir()) == []
