"""README's first command, on a bare Debian userland, ends with the built files."""

from __future__ import annotations

import hashlib
import json
import re
import shlex
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from tests.support import containerfile
from tests.support.tools import missing, run, tool
from tests.support.userland import userland

if TYPE_CHECKING:
    from tests.support.userland import Userland

pytestmark = pytest.mark.userland

TOP: Final = Path(__file__).parents[2]
# That of trixie is the one in the image.
CHECKOUTS: Final = {"bookworm": "root/rdcompose", "trixie": "opt/rdcompose"}


def first_command() -> str:
    """The command of README's first shell block, which is one line."""
    readme = (TOP / "README.md").read_text(encoding="utf-8")
    block = re.search(r"^```sh\n(.*?)^```$", readme, re.MULTILINE | re.DOTALL)
    assert block is not None
    (line,) = block[1].splitlines()
    return line


@pytest.mark.parametrize("suite", CHECKOUTS)
def test_first_command_builds(suite: str) -> None:
    if run(tool("dpkg"), "--print-architecture").strip() != "amd64":
        missing("README's first command is for amd64")
    with userland(suite) as machine:
        checkout = machine.root / CHECKOUTS[suite]
        if suite == "trixie":
            check_image(machine)
        else:
            run(tool("git"), "clone", "--quiet", "--depth=1", TOP.as_uri(), checkout)
        done = machine.run(first_command(), cwd=f"/{CHECKOUTS[suite]}")
        assert done.returncode == 0, done.stdout
        (kernel,) = (checkout / "out").glob("vmlinuz-*")
        check_outputs(checkout / "out", kernel.name.removeprefix("vmlinuz-"))
        # A second run needs no network and gives the same.
        sums = (checkout / "out/SHA256SUMS").read_bytes()
        again = first_command().rpartition("&&")[2]
        done = machine.run(again, cwd=f"/{CHECKOUTS[suite]}")
        assert done.returncode == 0, done.stdout
        assert "environment" not in done.stdout
        assert (checkout / "out/SHA256SUMS").read_bytes() == sums
        assert run(tool("git"), "-C", checkout, "status", "--porcelain") == ""


def check_image(machine: Userland) -> None:
    """What the container recipe says makes the program, where the image has it."""
    assert containerfile.base() == {"debian:trixie-slim"}
    entry = containerfile.follow(machine)
    done = machine.run(shlex.join([*entry, "--version"]), cwd="/work")
    # Nothing is left to be made at the first use.
    assert re.fullmatch(r"rdcompose [0-9.]+\n", done.stdout), done.stdout


def check_outputs(directory: Path, release: str) -> None:
    """All files are there, for everyone to read, and are what the checksums say."""
    assert release.endswith("-cloud-amd64")
    files = {path.name: path for path in directory.iterdir() if path.is_file()}
    outputs = {
        f"vmlinuz-{release}",
        f"initramfs-{release}",
        f"modules-{release}.qcow2",
        f"config-{release}",
        f"manifest-{release}.json",
    }
    assert files.keys() == outputs | {"SHA256SUMS"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in files.values()} == {0o644}
    expected = {
        name: hashlib.sha256(files[name].read_bytes()).hexdigest() for name in sorted(outputs)
    }
    rows = [line.split("  ") for line in files["SHA256SUMS"].read_text().splitlines()]
    assert {name: digest for digest, name in rows} == expected
    assert release in json.dumps(json.loads(files[f"manifest-{release}.json"].read_text()))
