"""``rdcompose pi --netboot`` and ``--explain-log``."""

from __future__ import annotations

import io
import json
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.archive_packages import kernel_package
from tests.support.roots import unpack
from tests.support.tftplogs import PI3, dnsmasq_log

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Shop

RELEASE = "6.12.57+deb13-arm64"
KERNEL = kernel_package(RELEASE, "6.12.57-1", "arm64")
TREES = (
    *("bcm2837-rpi-3-b", "bcm2837-rpi-3-b-plus", "bcm2837-rpi-cm3-io3"),
    *("bcm2711-rpi-4-b", "bcm2711-rpi-400", "bcm2711-rpi-cm4s"),
)
FIRMWARE = ("bootcode.bin", "start.elf", "fixup.dat", "start4.elf", "fixup4.dat")


@pytest.fixture
def stage(shop: Shop) -> Path:
    """A root with a kernel and its device trees, and a directory with firmware."""
    path = shop.path / "stage"
    unpack(KERNEL, path)
    trees = path / f"usr/lib/linux-image-{RELEASE}/broadcom"
    trees.mkdir(parents=True)
    for name in TREES:
        (trees / f"{name}.dtb").write_bytes(b"dtb")
    firmware = shop.path / "firmware"
    firmware.mkdir()
    for name in FIRMWARE:
        (firmware / name).write_bytes(name.encode())
    return path


def options(shop: Shop, *more: str) -> tuple[str, ...]:
    made = ("./stage", "-o", str(shop.out), "--board", "3,4", "--profile", "virtio")
    return (*made, "--pi-firmware", "./firmware", "--netboot", *more)


def names(path: Path) -> set[str]:
    return {entry.name for entry in path.iterdir()}


@pytest.mark.usefixtures("stage")
def test_a_tree(shop: Shop) -> None:
    more = ("--serial", "100000001234ABCD", "--serial", "dc:a6:32:01:02:03", "--root", "none")
    out, err = shop.run("pi", *options(shop, *more, "--dhcp-range", "192.168.1.0,proxy"))
    tftp = shop.out / "tftp"
    assert names(shop.out) == {"tftp", "dnsmasq.conf"}
    assert names(tftp) == {"boot", "bootcode.bin", "1234abcd", "dc-a6-32-01-02-03"}
    assert (tftp / "1234abcd/config.txt").read_text().startswith("# Made by rdcompose")
    assert (tftp / f"1234abcd/{RELEASE}/kernel8.img").is_file()
    assert (tftp / "bootcode.bin").read_bytes() == b"bootcode.bin"
    configuration = (shop.out / "dnsmasq.conf").read_text()
    assert f"\ntftp-root={tftp}\n" in configuration
    assert "\ndhcp-range=192.168.1.0,proxy\n" in configuration
    assert "root=none" in (tftp / f"boot/{RELEASE}/cmdline.txt").read_text().split()
    assert f"TFTP root: {tftp}" in out
    assert "no device tree" not in err
    assert "--dhcp-range" not in err
    assert "a card in the Pi" not in err


@pytest.mark.usefixtures("stage")
def test_without_serial_numbers_every_pi_is_served(shop: Shop) -> None:
    out, err = shop.run("pi", *options(shop, "--tftp-root", "/srv/tftp"))
    assert names(shop.out / "tftp") == {"boot"}
    assert "TFTP root: /srv/tftp/boot" in out
    assert "\ntftp-root=/srv/tftp/boot\n" in (shop.out / "dnsmasq.conf").read_text()
    assert "without --dhcp-range dnsmasq only serves files" in err
    assert "the root is a card in the Pi" in err


@pytest.mark.usefixtures("stage")
def test_json(shop: Shop) -> None:
    out, err = shop.run("pi", *options(shop, "--serial", "1234abcd", "--json"))
    data = json.loads(out)
    assert data["netboot"] == {
        "tftp_root": str(shop.out / "tftp"),
        "directories": ["1234abcd"],
        "dnsmasq": str(shop.out / "dnsmasq.conf"),
    }
    assert any("--dhcp-range" in note for note in data["notes"])
    assert "note" not in err


@pytest.mark.usefixtures("stage")
def test_a_switch_is_one_for_all(shop: Shop) -> None:
    shop.run("pi", *options(shop, "--serial", "1234abcd"))
    new = RELEASE.replace(".57", ".63")
    root = shop.path / "new"
    unpack(kernel_package(new, "6.12.63-1", "arm64"), root)
    trees = root / f"usr/lib/linux-image-{new}/broadcom"
    trees.mkdir(parents=True)
    for name in TREES:
        (trees / f"{name}.dtb").write_bytes(b"dtb")
    shop.run("pi", "./new", *options(shop)[1:], "--serial", "1234abcd")
    config = shop.out / "tftp/1234abcd/config.txt"
    assert f"os_prefix={new}/" in config.read_text()
    own = ("-o", str(shop.out), "--netboot")
    shop.run("pi", "--switch", RELEASE, *own)
    assert f"os_prefix={RELEASE}/" in config.read_text()
    shop.run("pi", "--rollback", *own)
    assert f"os_prefix={new}/" in config.read_text()


@pytest.mark.usefixtures("stage")
def test_what_is_missing_is_told(shop: Shop) -> None:
    (shop.path / "firmware/start4.elf").unlink()
    (shop.path / f"stage/usr/lib/linux-image-{RELEASE}/broadcom/bcm2711-rpi-cm4s.dtb").unlink()
    _, err = shop.run("pi", *options(shop, "--pi-firmware", "none"))
    assert "note: a Raspberry Pi 4 asks for start4.elf, which is not in the folder" in err
    assert "note: the folder has no device tree for: Compute Module 4S" in err


@pytest.mark.usefixtures("stage")
def test_the_same_again_changes_nothing(shop: Shop) -> None:
    more = ("--serial", "1234abcd")
    shop.run("pi", *options(shop, *more))
    first = {path: path.read_bytes() for path in shop.out.rglob("*") if path.is_file()}
    shop.run("pi", *options(shop, *more))
    assert {path: path.read_bytes() for path in shop.out.rglob("*") if path.is_file()} == first


@pytest.mark.usefixtures("stage")
@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--serial", "boot"), "'boot' is no serial number"),
        (("--dhcp-range", "192.168.1.0/24"), "is no range"),
        (("--interface", "eth0,eth1"), "no name of a network interface"),
        (("--tftp-root", "srv"), "not an absolute path"),
        (("--board", "zero2"), "has no Ethernet"),
    ],
    ids=["serial", "range", "interface", "root", "board"],
)
def test_wrong_use(shop: Shop, more: tuple[str, ...], message: str) -> None:
    assert message in shop.error("pi", *options(shop, *more), status=2)


@pytest.mark.usefixtures("stage")
@pytest.mark.parametrize("option", ["--serial", "--dhcp-range", "--interface", "--tftp-root"])
def test_an_option_without_netboot(shop: Shop, option: str) -> None:
    message = shop.error("pi", "./stage", "-o", str(shop.out), option, "x", status=2)
    assert f"{option} has no meaning without --netboot" in message


@pytest.mark.usefixtures("stage")
def test_a_directory_that_is_somebodys_own(shop: Shop) -> None:
    own = shop.out / "tftp/1234abcd"
    own.mkdir(parents=True)
    _, err = shop.run("pi", *options(shop, "--serial", "1234abcd"), status=1)
    assert f"cannot write {own}: it is there, and no link" in err
    assert names(shop.out) == {"tftp"}
    assert names(shop.out / "tftp") == {"1234abcd"}


def test_explain_log(shop: Shop) -> None:
    log = shop.path / "log"
    log.write_text(dnsmasq_log(PI3))
    out, _ = shop.run("pi", "--explain-log", str(log))
    assert "8b07bcc6/armstub8.bin: not there, which is normal" in out
    assert out.splitlines()[-1].startswith("Raspberry Pi 2 or 3 8b07bcc6 at 10.1.1.2: it has")
    out, _ = shop.run("pi", "--explain-log", str(log), "--json")
    assert json.loads(out)["boards"][0]["directory"] == "8b07bcc6"


def test_explain_log_from_standard_input(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    given = io.TextIOWrapper(io.BytesIO(dnsmasq_log(PI3).encode() + b"\xff\n"))
    monkeypatch.setattr(sys, "stdin", given)
    out, _ = shop.run("pi", "--explain-log", "-")
    assert "8b07bcc6/kernel8.img: sent: a kernel" in out


@pytest.mark.usefixtures("stage")
def test_a_tree_needs_a_place(shop: Shop) -> None:
    message = shop.error("pi", "./stage", "--netboot", "--image", "sd.img", status=2)
    assert "it is not said where the tree goes" in message


@pytest.mark.usefixtures("stage")
def test_a_directory_that_dnsmasq_cannot_read(shop: Shop) -> None:
    shop.out.mkdir(mode=0o700)
    _, err = shop.run("pi", *options(shop))
    assert f"note: {shop.out} keeps other users out" in err
    _, err = shop.run("pi", *options(shop, "--tftp-root", "/srv/tftp"))
    assert "keeps other users out" not in err


def test_a_log_that_is_none(shop: Shop) -> None:
    log = shop.path / "log"
    assert "cannot read the log" in shop.error("pi", "--explain-log", str(log))
    log.write_bytes(b"\xff\x00nothing\n")
    assert "has no request to a TFTP server" in shop.error("pi", "--explain-log", str(log))
    message = shop.error("pi", "arm64", "--explain-log", str(log), status=2)
    assert "takes no KERNEL" in message
