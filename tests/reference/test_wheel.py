"""The wheel holds all of the package, and what is installed from it works like the checkout."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Final

import pytest

from rdcompose.archive.keyring import debian_keyring
from rdcompose.archive.trust import verify_inrelease
from tests.support.archive_packages import busybox_package, kernel_package
from tests.support.mirror import inrelease
from tests.support.tools import missing, run, run_bytes

pytestmark = pytest.mark.reference

TOP: Final = Path(__file__).parents[2]
# Where the files of a checkout are in the wheel.
PLACES: Final = {
    "rdcompose": "rdcompose",
    "ramdisk-template": "rdcompose/data/ramdisk-template",
    "module-lists": "rdcompose/data/module-lists",
}
NOWHERE: Final = Path("/nonexistent")
RELEASE: Final = "6.1.0-44-cloud-amd64"
VERIFY: Final = f"""
import sys
from pathlib import Path
import rdcompose.archive.keyring as keys
from rdcompose.archive.trust import verify_inrelease
keyring = keys.debian_keyring(Path({str(NOWHERE)!r}))
signed = verify_inrelease(sys.stdin.buffer.read(), keyring)
print(keys.__file__, keyring.name, *signed.signers, sep="\\n")
"""


class Environment:
    """A fresh environment of this Python, without what the process inherits for its own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.python = directory / "bin" / "python"
        self._prepare([sys.executable, "-m", "venv", directory], "python3-venv")

    def install_from_index(self, *arguments: str | Path) -> None:
        """Install what others wrote; where it cannot be had, the test is skipped."""
        self._prepare([self.python, "-I", "-m", "pip", "install", "-q", *arguments], "an index")

    def run(self, *arguments: str | Path, status: int = 0, stdin: bytes = b"") -> str:
        """Run this environment's Python, with nothing on its path but its own packages."""
        done = run_bytes(self.python, "-I", *arguments, status=status, stdin=stdin)
        return done.decode()

    def _prepare(self, command: list[str | Path], needed: str) -> None:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
        if done.returncode:
            missing(f"{' '.join(map(str, command))} failed, it needs {needed}: {done.stderr}")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the checkout by the backend that pyproject.toml names."""
    directory = tmp_path_factory.mktemp("wheel")
    project = tomllib.loads((TOP / "pyproject.toml").read_text(encoding="utf-8"))
    builder = Environment(directory / "builder")
    builder.install_from_index(*project["build-system"]["requires"])
    options = ("--no-deps", "--no-index", "--no-build-isolation", "-q", "-w", directory)
    builder.run("-m", "pip", "wheel", *options, TOP)
    (built,) = directory.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An environment with the wheel, and else with what the launcher installs."""
    environment = Environment(tmp_path_factory.mktemp("installed"))
    environment.install_from_index("--require-hashes", "-r", TOP / "requirements" / "run.lock")
    environment.run("-m", "pip", "install", "-q", "--no-deps", "--no-index", wheel)
    # What it depends on was there, as its own metadata sees it.
    environment.run("-m", "pip", "check")
    return environment


def files_below(directory: Path) -> list[Path]:
    found = [path for path in directory.rglob("*") if path.is_file()]
    return [path for path in found if "__pycache__" not in path.parts]


def test_contents(wheel: Path) -> None:
    expected = {
        f"{place}/{path.relative_to(TOP / folder)}": path.read_bytes()
        for folder, place in PLACES.items()
        for path in files_below(TOP / folder)
    }
    with zipfile.ZipFile(wheel) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    packaged = {name: data for name, data in content.items() if ".dist-info/" not in name}
    assert packaged.keys() == expected.keys()
    assert [name for name, data in packaged.items() if data != expected[name]] == []
    (licence,) = (data for name, data in content.items() if name.endswith("/licenses/LICENSE"))
    assert licence == (TOP / "LICENSE").read_bytes()
    assert {
        "rdcompose/archive/data/debian-archive-keyring.gpg",
        "rdcompose/archive/data/README",
        "rdcompose/data/ramdisk-template/init",
    } <= expected.keys()


def test_shipped_keyring_verifies_the_archive(installed: Environment) -> None:
    data = inrelease("bookworm")
    printed = installed.run("-c", VERIFY, stdin=data)
    module, name, *signers = printed.splitlines()
    assert Path(module).is_relative_to(installed.directory)
    here = debian_keyring(NOWHERE)
    assert (name, tuple(signers)) == (here.name, verify_inrelease(data, here).signers)
    installed.run("-c", VERIFY, stdin=data.replace(b"Debian", b"Debiam", 1), status=1)


def test_composes_as_the_checkout_does(installed: Environment, tmp_path: Path) -> None:
    kernel, busybox = tmp_path / "kernel.deb", tmp_path / "busybox.deb"
    kernel.write_bytes(kernel_package(RELEASE, "6.1.164-1"))
    busybox.write_bytes(busybox_package())
    options = ("build", kernel, "--busybox", busybox, "--e2fsck", "none", "--profile", "minivm")
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    build = functools.partial(run, cwd=tmp_path, env={"PYTHONPATH": os.pathsep.join(sys.path)})
    build(sys.executable, "-m", "rdcompose", *options, "-o", ours)
    run(
        *(installed.directory / "bin" / "rdcompose", *options, "-o", theirs),
        cwd=tmp_path,
        env={"PYTHONPATH": ""},
    )
    contents = [{path.name: path.read_bytes() for path in out.iterdir()} for out in (ours, theirs)]
    assert contents[0] == contents[1]
    assert f"initramfs-{RELEASE}" in contents[0]
