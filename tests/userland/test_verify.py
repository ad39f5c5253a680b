"""``rdcompose verify`` on initramfs that initramfs-tools and dracut make, in a Debian of theirs."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from rdcompose.cli.main import main
from tests.support.kernels import package
from tests.support.tools import missing, run, tool
from tests.support.userland import userland

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.userland

# A copied tree, and no installed package, which would make an initramfs of its own.
KERNEL = (
    "dpkg -x kernel.deb /kernel && mkdir -p /lib/modules && cp -a /kernel/boot/. /boot/ && "
    "cp -a /kernel/lib/modules/. /lib/modules/ && depmod $(ls /lib/modules)"
)
PACKAGES = {
    "initramfs-tools": "initramfs-tools zstd",
    "dracut": "dracut dracut-core cpio zstd procps kmod",
}
COMMANDS = {
    "initramfs-tools": "mkinitramfs -o /root/initrd.img $(ls /lib/modules)",
    "dracut": "dracut --no-hostonly --force --kver $(ls /lib/modules) /root/initrd.img",
}


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with kernel and configuration, and an initramfs of each tool."""
    if run(tool("dpkg"), "--print-architecture").strip() != "amd64":
        missing("the kernel is for amd64")
    out = tmp_path_factory.mktemp("images")
    with userland("bookworm") as machine:
        kernel = package("bookworm", "amd64", "linux-image-cloud-amd64")
        shutil.copyfile(kernel, machine.root / "root/kernel.deb")
        steps = ["apt-get -qq update"]
        for name, packages in PACKAGES.items():
            # The two exclude each other: the second takes the place of the first.
            steps.append(f"apt-get -qq install -y --no-install-recommends {packages}")
            steps += [KERNEL] if name == "initramfs-tools" else []
            steps += [COMMANDS[name], f"mv /root/initrd.img /root/{name}.img"]
        for step in steps:
            done = machine.run(f"export DEBIAN_FRONTEND=noninteractive; {step}")
            assert done.returncode == 0, done.stdout
        for path in (*machine.root.glob("root/*.img"), *machine.root.glob("boot/[vc]*")):
            shutil.copyfile(path, out / path.name)
    return out


@pytest.mark.parametrize("name", PACKAGES)
def test_sound(images: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    files = [*images.glob("vmlinuz-*"), *images.glob("config-*"), images / f"{name}.img"]
    assert main(["verify", "--json", *map(str, files)]) == 0
    [one] = json.loads(capsys.readouterr().out)["sets"]
    results = {check["name"]: check["result"] for check in one["checks"]}
    assert {name for name, result in results.items() if result == "skipped"} == {
        *("device trees", "manifest", "checksums")
    }
    assert "failed" not in results.values()
