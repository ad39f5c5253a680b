"""``rdcompose pi --root nbd:SERVER/NAME``: roots on a server."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import pytest

from rdcompose.cli.main import main
from tests.support.pi_kernels import DRIVERS, MODULES, RELEASE, arm64_kernel, put_inputs

if TYPE_CHECKING:
    from pathlib import Path

ROOT: Final = "nbd:10.0.0.1/pinet"
NBD: Final = "drivers/block/nbd"


class Shop:
    """A kernel and what goes beside it, and the command over them."""

    def __init__(self, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.out = path / "out"
        self.kernel = path / "kernel.deb"
        self.lists = path / "lists" / "modules.ramfs"
        self.common = put_inputs(path)
        self.kernel.write_bytes(arm64_kernel(modules=(*MODULES, NBD), config="BLK_DEV_NBD=m"))
        self.capsys = capsys

    def run(self, *options: str, root: str = ROOT) -> tuple[int, str]:
        words = ("pi", str(self.kernel), *self.common, "--board", "3", "-o", str(self.out))
        status = main([*words, "--root", root, *options])
        return status, self.capsys.readouterr().err

    def cmdline(self) -> str:
        return (self.out / RELEASE / "cmdline.txt").read_text()

    def manifest(self) -> dict[str, object]:
        text = (self.out / RELEASE / f"manifest-{RELEASE}.json").read_text()
        found: dict[str, object] = json.loads(text)
        return found


@pytest.fixture
def shop(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shop:
    return Shop(tmp_path, capsys)


def test_nbd(shop: Shop) -> None:
    """Command line, feature of the init script and module come with the root."""
    assert shop.run() == (0, "")
    line = "console=tty0 console=ttyS1,115200 ip=dhcp nbdroot=10.0.0.1/pinet ro overlay=tmpfs\n"
    assert shop.cmdline() == line
    options = shop.manifest()["options"]
    assert isinstance(options, dict)
    assert (options["root"], options["features"]) == (ROOT, "nbd")


def test_it_is_locked(shop: Shop) -> None:
    shop.run("--feature", "ram")
    first = {path.name: path.read_bytes() for path in (shop.out / RELEASE).iterdir()}
    lock = shop.out.with_name("lock.json")
    lock.write_bytes(first[f"manifest-{RELEASE}.json"])
    shop.out = shop.out.with_name("again")
    words = ("pi", str(shop.kernel), *shop.common, "-o", str(shop.out), "--locked", str(lock))
    assert main([*words]) == 0
    assert {path.name: path.read_bytes() for path in (shop.out / RELEASE).iterdir()} == first


@pytest.mark.parametrize(
    ("root", "message"),
    [
        ("nbd:/", "'nbd:/' is no root on an NBD server"),
        (
            "nfs:10.0.0.1:/x",
            f"the kernel {RELEASE} cannot have the root nfs:10.0.0.1:/x: it lacks ",
        ),
    ],
)
def test_what_cannot_be(shop: Shop, root: str, message: str) -> None:
    status, said = shop.run(root=root)
    assert status == 1
    assert message in said
    assert not shop.out.exists()


def test_not_on_a_card_as_well(shop: Shop) -> None:
    status, said = shop.run("--root-from", str(shop.out.parent), "--image", str(shop.out))
    assert status == 2
    assert f"--root {ROOT} and --root-from contradict each other" in said


def test_a_kernel_without_nbd(shop: Shop) -> None:
    shop.kernel.write_bytes(arm64_kernel())
    status, said = shop.run()
    assert status == 1
    assert f"the kernel {RELEASE} cannot have the root {ROOT}: it lacks CONFIG_BLK_DEV_NBD" in said


def test_an_initramfs_without_overlay(shop: Shop) -> None:
    shop.lists.write_text("squashfs\n")
    status, said = shop.run()
    assert status == 1
    assert f"the root {ROOT} needs the module overlay" in said
    assert shop.run("--cmdline", "rw") == (0, "")
    assert "overlay" not in shop.cmdline()


def test_in_a_folder_that_is_there(shop: Shop) -> None:
    """Only the words about the root change."""
    shop.out.mkdir()
    (shop.out / "config.txt").write_text("# mine\narm_64bit=1\n")
    (shop.out / "kernel8.img").write_bytes(b"of before")
    (shop.out / "cmdline.txt").write_text("console=serial0 nfsroot=a:/b root=/dev/nfs rw fsck=no\n")
    assert shop.run("--edit") == (0, "")
    assert shop.cmdline().split() == [
        "console=serial0",
        "rw",
        "fsck=no",
        "ip=dhcp",
        f"nbdroot={ROOT[4:]}",
    ]


def test_what_does_not_work_on_a_board_is_said(shop: Shop) -> None:
    shop.kernel.write_bytes(arm64_kernel(drivers=DRIVERS.replace("CONFIG_MMC_BCM2835=y\n", "")))
    lacks = (
        f"note: a Raspberry Pi 3 has no SD card with the kernel {RELEASE}, "
        "which lacks CONFIG_MMC_BCM2835\n"
    )
    assert shop.run(root="/dev/sda2") == (0, lacks)
    assert shop.run("--quiet", root="/dev/sda2") == (0, "")
