"""``rdcompose pi`` with kernels and firmware from an archive."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.archive_packages import metapackage, package
from tests.support.farm import ARM
from tests.support.pi_kernels import RELEASE, arm64_kernel

if TYPE_CHECKING:
    from tests.cli.conftest import Shop

COMPONENT = "non-free-firmware"
NAMES = ("bootcode.bin", "start.elf", "fixup.dat", "start4.elf", "fixup4.dat", "start_x.elf")


def firmware(version: str) -> bytes:
    files = {f"usr/lib/raspi-firmware/{name}": f"{version} {name}".encode() for name in NAMES}
    return package("raspi-firmware", version, "all", {**files})


@pytest.fixture
def stocked(shop: Shop) -> Shop:
    """Debian 13 has a kernel for Raspberry Pis, and both releases have firmware."""
    for suite, version in ((shop.farm.bookworm, "1.20220830"), (shop.farm.trixie, "1.20240424")):
        suite.components = ("main", COMPONENT)
        suite.add(firmware(version), COMPONENT)
    shop.farm.trixie.add(arm64_kernel())
    depends = f"linux-image-{RELEASE}"
    shop.farm.trixie.add(metapackage("linux-image-arm64", "6.12.57-1", "arm64", depends))
    shop.farm.bookworm.write()
    shop.farm.trixie.write()
    return shop


def pi(shop: Shop, *options: str) -> str:
    lists = shop.path / "lists"
    lists.mkdir(exist_ok=True)
    (lists / "modules.ramfs").write_text("overlay\nsquashfs\n")
    (lists / "modules.autoload").write_text("")
    given = ("--suite", "trixie", "--profile", str(lists), "-o", str(shop.out))
    return shop.run("pi", *options, *given)[0]


def manifest(shop: Shop) -> dict[str, Any]:
    loaded = json.loads((shop.out / RELEASE / f"manifest-{RELEASE}.json").read_text())
    assert isinstance(loaded, dict)
    return loaded


def test_kernel_and_firmware_by_name(stocked: Shop) -> None:
    pi(stocked, "arm64", "--board", "4")
    assert {path.name for path in stocked.out.iterdir()} == {
        *("config.txt", "start4.elf", "fixup4.dat", RELEASE)
    }
    assert (stocked.out / "start4.elf").read_text() == "1.20240424 start4.elf"
    rows = [row for row in manifest(stocked)["inputs"] if row["role"] == "pi-firmware"]
    assert [(row["package"], row["version"], row["archive"]["suite"]) for row in rows] == [
        ("raspi-firmware", "1.20240424", "trixie")
    ]
    assert manifest(stocked)["options"]["pi-firmware"] == "raspi-firmware"


def test_a_lock_takes_the_firmware_that_it_names(stocked: Shop) -> None:
    pi(stocked, "arm64")
    first = {path.name: path.read_bytes() for path in stocked.out.iterdir() if path.is_file()}
    lock = stocked.path / "lock.json"
    lock.write_text(json.dumps(manifest(stocked)))
    stocked.farm.trixie.add(firmware("1.20250101"), COMPONENT)
    stocked.farm.trixie.write()
    stocked.out.rename(stocked.path / "first")
    pi(stocked, "--locked", str(lock))
    again = {path.name: path.read_bytes() for path in stocked.out.iterdir() if path.is_file()}
    assert again == first
    pi(stocked, "arm64", "--remove-stale")
    assert (stocked.out / "start4.elf").read_text() == "1.20250101 start4.elf"


def test_a_boot_folder_is_built_again(stocked: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    pi(stocked, "arm64", "--board", "4")
    record = stocked.out / RELEASE / f"manifest-{RELEASE}.json"
    again = stocked.path / "again"
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "12345")
    options = ("rebuild", str(record), "--profile", str(stocked.path / "lists"))
    out, _ = stocked.run(*options, "-o", str(again))
    names = [row["name"] for row in manifest(stocked)["outputs"]]
    assert [line.split() for line in out.splitlines()] == [[row, "the", "same"] for row in names]
    found = {path.relative_to(again) for path in again.rglob("*")}
    assert found == {path.relative_to(stocked.out) for path in stocked.out.rglob("*")}
    _, err = stocked.run(*options, "-o", str(again), status=2)
    assert err.startswith(f"rdcompose: error: {again / RELEASE} is there already\n")
    image = record.with_name("initramfs8")
    image.write_bytes(image.read_bytes() + b"x")
    data = manifest(stocked)
    row = next(row for row in data["outputs"] if row["name"] == image.name)
    row["sha256"] = hashlib.sha256(image.read_bytes()).hexdigest()
    record.write_text(json.dumps(data))
    _, err = stocked.run(*options, "--check", status=1)
    assert err.startswith(f"rdcompose: error: {image.name} of {RELEASE} does not come out again: ")


def test_firmware_is_not_fetched_where_none_is_wanted(stocked: Shop) -> None:
    pi(stocked, "arm64", "--pi-firmware", "none")
    assert not any("raspi" in name for name in stocked.downloads())
    assert not (stocked.out / "start4.elf").exists()


def test_a_kernel_that_runs_on_no_raspberry_pi(stocked: Shop) -> None:
    err = stocked.error("pi", "cloud-amd64", "-o", str(stocked.out), status=2)
    assert "for amd64 runs on no Raspberry Pi" in err
    err = stocked.error("pi", ARM, "--board", "2", "-o", str(stocked.out), status=2)
    assert f"the kernel {ARM} runs on no board that --board names" in err
