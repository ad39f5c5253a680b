"""One package with several kernels: all of them, or one by ``--release``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.support import raspberry

if TYPE_CHECKING:
    from tests.cli.conftest import Shop

NAMES = ("kernel8.img", "kernel_2712.img")
RELEASES = ("6.1.21-v8+", "6.1.21-v8-16k+")


@pytest.fixture
def deb(shop: Shop) -> str:
    (shop.path / "kernel.deb").write_bytes(raspberry.package(raspberry.files(*NAMES)))
    return "kernel.deb"


def outputs(shop: Shop, directory: str = "out") -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in (shop.path / directory).iterdir()}


def test_all(shop: Shop, deb: str) -> None:
    out, err = shop.run("build", deb, "-v")
    written = outputs(shop)
    expected = {
        name
        for release in RELEASES
        for name in (
            f"vmlinuz-{release}",
            f"initramfs-{release}",
            f"modules-{release}.qcow2",
            f"config-{release}",
            f"manifest-{release}.json",
        )
    }
    assert set(written) == expected | {"SHA256SUMS"}
    sums = written["SHA256SUMS"].decode().splitlines()
    assert {line.partition("  ")[2] for line in sums} == expected
    for name, release in zip(NAMES, RELEASES, strict=True):
        assert written[f"vmlinuz-{release}"] == raspberry.image(name, release)
        assert written[f"config-{release}"].decode() == raspberry.config(name)
        assert shop.manifest(release)["release"] == release
        assert shop.manifest(release)["architecture"] == "arm64"
    last = out.splitlines()[-1]
    assert last.startswith(f"arm64 kernel {RELEASES[0]}, arm64 kernel {RELEASES[1]} in ")
    assert out.count("SHA256SUMS") == 1
    assert all(line.startswith("note: 6.1.21-v8") for line in err.splitlines())


@pytest.mark.parametrize("release", RELEASES)
def test_one_is_the_same_as_among_all(shop: Shop, deb: str, release: str) -> None:
    shop.run("build", deb)
    shop.run("build", deb, "--release", release, "-o", "one")
    one, both = outputs(shop, "one"), outputs(shop)
    assert len(one) == 6
    del one["SHA256SUMS"]
    assert one == {name: both[name] for name in one}


def test_locked(shop: Shop, deb: str) -> None:
    shop.run("build", deb, "--release", RELEASES[1], "-o", "first")
    lock = str(shop.path / "first" / f"manifest-{RELEASES[1]}.json")
    shop.run("build", deb, "--locked", lock, "--offline")
    assert outputs(shop) == outputs(shop, "first")


def test_json(shop: Shop, deb: str) -> None:
    data = json.loads(shop.run("build", deb, "--json")[0])
    assert [row["release"] for row in data] == list(RELEASES)
    assert {file["name"] for row in data for file in row["files"]} == set(outputs(shop))


def test_all_or_none(shop: Shop) -> None:
    """What one of them lacks keeps the other from being written."""
    files = raspberry.files(*NAMES)
    text = raspberry.config(NAMES[1]).replace("CONFIG_DEVTMPFS=y\n", "")
    files[f"boot/config-{RELEASES[1]}"] = text.encode()
    (shop.path / "kernel.deb").write_bytes(raspberry.package(files))
    assert "CONFIG_DEVTMPFS" in shop.error("build", "kernel.deb")
    shop.run("build", "kernel.deb", "--release", RELEASES[0])
    assert f"vmlinuz-{RELEASES[0]}" in outputs(shop)


def test_architecture_of_one(shop: Shop) -> None:
    (shop.path / "kernel.deb").write_bytes(raspberry.package())
    message = shop.error("build", "kernel.deb", "--arch", "arm64", status=2)
    assert "the kernel 6.1.21+ is for armel, not for --arch arm64" in message
    shop.run("build", "kernel.deb", "--release", RELEASES[0], "--arch", "arm64")


def test_a_report_has_both(shop: Shop, deb: str) -> None:
    shop.run("build", deb, "--report", str(shop.path / "report.json"))
    groups = json.loads((shop.path / "report.json").read_text())["groups"]
    assert [group["release"] for group in groups] == [*RELEASES]
    for group in groups:
        results = {check["name"]: check["result"] for check in group["checks"]}
        assert {results[name] for name in ("release", "manifest", "checksums")} == {"passed"}
