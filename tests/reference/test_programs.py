"""Programs of real packages; busybox's links against what it lists itself."""

from __future__ import annotations

import platform
from pathlib import Path

import pytest

from rdcompose.compose.applets import read_applets, usual_directory
from rdcompose.compose.programs import Program, applet_links, load_program, program_entries
from rdcompose.errors import SpecError
from rdcompose.kernel.release import ARCHITECTURES
from tests.support.kernels import package
from tests.support.tools import missing, run, tool

pytestmark = pytest.mark.reference

BUSYBOX = [("bookworm", "amd64"), ("trixie", "amd64"), ("trixie", "arm64")]
# What the init script calls, at the least.
NEEDED = ["sh", "mount", "modprobe", "switch_root", "mkdir", "cat", "sed", "grep", "sleep", "["]


def load(suite: str, architecture: str, name: str) -> Program:
    deb = package(suite, architecture, f"{name}-static")
    return load_program(name, deb.read_bytes(), deb.name, architecture=ARCHITECTURES[architecture])


@pytest.mark.parametrize(("suite", "architecture"), BUSYBOX)
@pytest.mark.parametrize("name", ["busybox", "e2fsck"])
def test_package(suite: str, architecture: str, name: str) -> None:
    deb = package(suite, architecture, f"{name}-static")
    program = load(suite, architecture, name)
    fields = run(tool("dpkg-deb"), "-f", deb, "Package", "Version", "Architecture").split()[1::2]
    origin = program.origin
    assert [origin.package, origin.version, origin.architecture] == fields
    assert len(program_entries(program)) > 3
    again = load_program(name, program.content, "x", architecture=ARCHITECTURES[architecture])
    assert again.content == program.content


@pytest.mark.parametrize("suite", ["bookworm", "trixie"])
def test_links_are_what_busybox_lists(suite: str, tmp_path: Path) -> None:
    if platform.machine() != "x86_64":
        missing("this machine cannot run amd64 programs")
    program = load(suite, "amd64", "busybox")
    path = tmp_path / "busybox"
    path.write_bytes(program.content)
    path.chmod(0o755)
    listed = run(path, "--list-full").split()
    assert [link for _, link in read_applets(program.content)] == listed
    assert set(applet_links(program.content, required=NEEDED)) == {*listed} - {"bin/busybox"}


def test_usual_directories_are_those_of_debian() -> None:
    for name, path in read_applets(load("trixie", "amd64", "busybox").content):
        assert usual_directory(name) + name == path


def test_other_architectures_have_the_same_links() -> None:
    # It cannot be run here; Debian configures both alike.
    arm64 = load("trixie", "arm64", "busybox").content
    assert read_applets(arm64) == read_applets(load("trixie", "amd64", "busybox").content)


def test_wrong_architecture() -> None:
    deb = package("trixie", "arm64", "e2fsck-static")
    with pytest.raises(SpecError, match="64-bit AArch64, but the kernel is amd64"):
        load_program("e2fsck", deb.read_bytes(), deb.name, architecture=ARCHITECTURES["amd64"])


def test_this_machines_shell_is_neither() -> None:
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine())
    if machine is None:
        missing("this machine is neither amd64 nor arm64")
    with pytest.raises(SpecError, match="is not static: busybox needs /lib"):
        load_program(
            "busybox",
            Path("/bin/sh").read_bytes(),
            "/bin/sh",
            architecture=ARCHITECTURES[machine],
        )
