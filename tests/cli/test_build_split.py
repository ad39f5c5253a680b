"""Kernels in several packages, as Debian has them since Linux 7."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.support.archive_packages import kernel_package, metapackage, split_kernel
from tests.support.farm import BACKPORT, NEW
from tests.support.snapshot_service import SnapshotServer

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Shop

RELEASE = "7.2.12+deb13-cloud-amd64"
VERSION = "7.2.12-1~bpo13+1"


@pytest.fixture
def packages(shop: Shop) -> dict[str, bytes]:
    """The packages, which are in trixie-backports, too."""
    found = split_kernel(RELEASE, VERSION)
    for deb in found.values():
        shop.farm.backports.add(deb)
    name = "linux-image-cloud-amd64"
    shop.farm.backports.add(metapackage(name, VERSION, "amd64", f"linux-image-{RELEASE}"))
    shop.farm.backports.write()
    return found


def files(shop: Shop, packages: dict[str, bytes]) -> list[Path]:
    paths = []
    for name, deb in packages.items():
        paths.append(shop.path / f"{name}.deb")
        paths[-1].write_bytes(deb)
    return paths


@pytest.mark.parametrize("name", [RELEASE, "cloud-amd64"])
def test_by_name(shop: Shop, packages: dict[str, bytes], name: str) -> None:
    shop.run("build", name, "--suite", "trixie-backports")
    kernel = [row for row in shop.manifest(RELEASE)["inputs"] if row["role"] == "kernel"]
    assert [row["package"] for row in kernel] == list(packages)
    assert {row["archive"]["suite"] for row in kernel} == {"trixie-backports"}
    # Programs come from the release that the backports are for.
    busybox = next(row for row in shop.manifest(RELEASE)["inputs"] if row["role"] == "busybox")
    assert busybox["archive"]["suite"] == "trixie"


def test_local_files_give_the_same(shop: Shop, packages: dict[str, bytes]) -> None:
    options = ("--suite", "trixie-backports")
    shop.run("build", RELEASE, *options, "-o", "first")
    paths = [str(path) for path in files(shop, packages)]
    shop.run("build", *reversed(paths), *options)
    for name in (f"initramfs-{RELEASE}", f"modules-{RELEASE}.qcow2", f"vmlinuz-{RELEASE}"):
        assert (shop.out / name).read_bytes() == (shop.path / "first" / name).read_bytes()


def test_locked(shop: Shop, packages: dict[str, bytes]) -> None:
    shop.run("build", RELEASE, "-o", "first")
    first = shop.path / "first"
    lock = str(first / f"manifest-{RELEASE}.json")
    shop.run("build", "--locked", lock, "--offline")
    assert (shop.out / "SHA256SUMS").read_bytes() == (first / "SHA256SUMS").read_bytes()
    paths = [str(path) for path in files(shop, packages)]
    shop.run("build", *paths, "--locked", lock, "-o", "third")
    disk = f"modules-{RELEASE}.qcow2"
    assert (shop.path / "third" / disk).read_bytes() == (first / disk).read_bytes()


def test_size_is_that_of_all(shop: Shop, packages: dict[str, bytes]) -> None:
    out, _ = shop.run("kernels", RELEASE, "--suite", "trixie-backports", "--json")
    (row,) = json.loads(out)
    assert row["size"] == sum(len(deb) for deb in packages.values())


def test_part_is_missing_in_the_archive(shop: Shop, packages: dict[str, bytes]) -> None:
    assert packages
    shop.farm.backports.remove(f"linux-modules-{RELEASE}")
    shop.farm.backports.write()
    options = ("--suite", "trixie-backports")
    message = shop.error("build", RELEASE, *options)
    assert f"no kernel {RELEASE} for amd64" in message
    assert f"needs linux-modules-{RELEASE} of the same version" in message
    # It is not offered, and of its flavour the newest whole one is taken.
    assert RELEASE not in shop.run("kernels", "--arch", "amd64", *options)[0]
    shop.run("build", "cloud-amd64", *options)
    assert (shop.out / f"vmlinuz-{BACKPORT}").exists()


def test_part_is_in_another_state(shop: Shop, packages: dict[str, bytes], tmp_path: Path) -> None:
    """The snapshot service has the state in which the kernel was whole."""
    assert packages
    with SnapshotServer(tmp_path / "snapshots") as service:
        service.state("debian", "20260101T000000Z", shop.farm.main.directory)
        shop.farm.backports.remove(f"linux-modules-{RELEASE}")
        shop.farm.backports.write()
        shop.run("build", RELEASE, "--snapshot-service", service.url)
    kernel = [row for row in shop.manifest(RELEASE)["inputs"] if row["role"] == "kernel"]
    assert len(kernel) == 4


@pytest.mark.parametrize(
    ("given", "expected", "advice"),
    [
        (["image"], "holds no kernel", ["linux-base", "linux-binary", "linux-modules"]),
        (["image", "base", "modules"], "no kernel", ["linux-binary"]),
        (["image", "base", "binary"], "no modules", ["linux-modules"]),
        (["binary", "modules"], "no boot/config", ["linux-base"]),
    ],
)
def test_file_is_missing(
    shop: Shop, packages: dict[str, bytes], given: list[str], expected: str, advice: list[str]
) -> None:
    files(shop, packages)
    paths = [f"linux-{part}-{RELEASE}.deb" for part in given]
    message = shop.error("build", *paths)
    assert expected in message
    assert all(f"{name}-{RELEASE}" in message.partition("hint")[2] for name in advice)


def test_parts_of_two_kernels(shop: Shop, packages: dict[str, bytes]) -> None:
    files(shop, packages)
    (shop.path / "other.deb").write_bytes(kernel_package(NEW, "6.1.164-1"))
    message = shop.error("build", f"linux-binary-{RELEASE}.deb", "other.deb")
    assert "several kernels" in message or "is of" in message


def test_parts_of_two_architectures(shop: Shop, packages: dict[str, bytes]) -> None:
    paths = files(shop, packages)
    path = shop.path / "base.deb"
    path.write_bytes(kernel_package("6.1.0-9-arm64", "6.1.9-1", "arm64"))
    assert shop.error("build", str(paths[2]), str(path))


def test_one_kernel_at_a_time(shop: Shop) -> None:
    assert "one kernel at a time" in shop.error("build", NEW, "cloud-amd64", status=2)
    assert "one kernel at a time" in shop.error("build", NEW, "kernel.deb", status=2)
