"""``--locked``: the same inputs again, wherever they are by now."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.support.archive_packages import kernel_package
from tests.support.farm import NEW, SECURE, TRIXIE
from tests.support.signing import make_key
from tests.support.snapshot_service import SnapshotServer

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Shop


@pytest.fixture
def lock(shop: Shop) -> Path:
    """A manifest of an earlier build with other options than the default ones."""
    shop.run("build", NEW, "--profile", "virtio", "--compress", "gzip:5", "-o", "first")
    return shop.path / "first" / f"manifest-{NEW}.json"


def _manifest(**item: str) -> str:
    head = {"release": "R", "architecture": "amd64", "timestamp": 1, "options": {}}
    return json.dumps({**head, "inputs": [item]})


def same(shop: Shop) -> bool:
    first = {path.name: path.read_bytes() for path in (shop.path / "first").iterdir()}
    return first == {path.name: path.read_bytes() for path in shop.out.iterdir()}


def test_same_bytes(shop: Shop, lock: Path) -> None:
    shop.run("build", "--locked", str(lock), "--offline")
    assert same(shop)


def test_same_bytes_when_the_archive_went_on(shop: Shop, lock: Path) -> None:
    shop.run("cache", "clean")
    for suite in (shop.farm.bookworm, shop.farm.bookworm_security):
        suite.date = suite.date.replace(year=2025)
        suite.add(kernel_package("6.1.0-50-cloud-amd64", "6.1.180-1"))
        suite.write()
    shop.run("build", NEW, "--locked", str(lock))
    assert same(shop)


def test_from_the_snapshot_service(shop: Shop, lock: Path, tmp_path: Path) -> None:
    with SnapshotServer(tmp_path / "snapshots") as service:
        service.state("debian", "20240210T150000Z", shop.farm.main.directory)
        shop.run("cache", "clean")
        for deb in shop.farm.debs():
            deb.unlink()
        shop.run("build", "--locked", str(lock), "--snapshot-service", service.url)
    assert same(shop)


def test_gone_everywhere(shop: Shop, lock: Path) -> None:
    shop.run("cache", "clean")
    for deb in shop.farm.debs():
        deb.unlink()
    message = shop.error("build", "--locked", str(lock))
    assert "is not to be had" in message
    assert "404" in message


def test_another_file_in_its_place(shop: Shop, lock: Path) -> None:
    shop.run("cache", "clean")
    for deb in shop.farm.debs():
        deb.write_bytes(b"x" * deb.stat().st_size)
    assert "SHA-256" in shop.error("build", "--locked", str(lock))


def test_local_files_must_be_the_locked_ones(shop: Shop, lock: Path) -> None:
    deb = next(path for path in shop.farm.debs() if NEW in path.name)
    shop.run("build", str(deb), "--locked", str(lock))
    assert same(shop)
    other = shop.path / "other.deb"
    other.write_bytes(kernel_package(NEW, "6.1.165-1"))
    shop.out.rename(shop.path / "before")
    message = shop.error("build", str(other), "--locked", str(lock))
    assert f"the kernel linux-image-{NEW} is not the one that" in message


def test_other_lists_are_refused(shop: Shop, lock: Path) -> None:
    message = shop.error("build", "--locked", str(lock), "--profile", "minivm")
    assert "locks the module list virtio/modules.ramfs, which is not used here" in message
    assert "options" in message


def test_missing_program_is_refused(shop: Shop, lock: Path) -> None:
    message = shop.error("build", "--locked", str(lock), "--e2fsck", "none")
    assert "locks the e2fsck" in message


def test_program_that_is_not_locked_is_refused(shop: Shop, lock: Path) -> None:
    data = json.loads(lock.read_text())
    busybox = next(row for row in data["inputs"] if row["role"] == "busybox")
    data["inputs"] = [row for row in data["inputs"] if row["role"] != "e2fsck"]
    lock.write_text(json.dumps(data))
    shop.run("build", "--locked", str(lock))
    assert busybox in shop.manifest(NEW)["inputs"]
    shop.out.rename(shop.path / "before")
    program = next(path for path in shop.farm.debs() if path.name.startswith("e2fsck-static"))
    message = shop.error("build", "--locked", str(lock), "--e2fsck", str(program))
    assert "the e2fsck is not among what" in message


@pytest.mark.parametrize("name", [TRIXIE, SECURE, "cloud-amd64"])
def test_kernel_of_another_name(shop: Shop, lock: Path, name: str) -> None:
    assert NEW in shop.error("build", name, "--locked", str(lock), status=2)


def test_local_package_is_found_in_the_archive(shop: Shop) -> None:
    deb = next(path for path in shop.farm.debs() if NEW in path.name)
    shop.run("build", str(deb), "-o", "first")
    lock = shop.path / "first" / f"manifest-{NEW}.json"
    deb.rename(shop.path / deb.name)
    (shop.path / deb.name).rename(deb)
    shop.run("build", "--locked", str(lock))
    assert same(shop)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "is no manifest"),
        ("[]", "is no manifest"),
        ("{}", "release"),
        ('{"release": 5}', "release is 5"),
        ('{"release": "R", "architecture": "A", "timestamp": 1, "options": {}}', "inputs"),
        (_manifest(role="kernel", file="f", sha256="../x", source="s"), "SHA-256"),
        (_manifest(role="kernel", file="f", sha256="0" * 64, source="s"), "too old"),
        (_manifest(role="template", file="f", sha256="0" * 64, source="s"), "names no kernel"),
    ],
)
def test_no_manifest(shop: Shop, text: str, expected: str) -> None:
    path = shop.path / "manifest.json"
    path.write_text(text)
    message = shop.error("build", "--locked", str(path))
    assert expected in message
    assert "manifest.json" in message


def test_no_such_manifest(shop: Shop) -> None:
    assert "manifest.json" in shop.error("build", "--locked", "manifest.json")


def test_what_was_not_verified_is_told_again(shop: Shop) -> None:
    shop.farm.bookworm.key = make_key("somebody else")
    shop.farm.bookworm.write()
    shop.run("build", NEW, "--allow-unverified", "-o", "first")
    lock = shop.path / "first" / f"manifest-{NEW}.json"
    _, err = shop.run("build", "--locked", str(lock))
    assert err.count("warning: UNVERIFIED, as ") == 3
    assert f"linux-image-{NEW}_6.1.164-1_amd64.deb" in err
    assert same(shop)


@pytest.mark.parametrize(
    ("name", "value"), [("disk", "x"), ("disk-format", "x"), ("compress", "x"), ("profile", "/x")]
)
def test_options_that_cannot_be(shop: Shop, lock: Path, name: str, value: str) -> None:
    data = json.loads(lock.read_text())
    data["options"][name] = value
    lock.write_text(json.dumps(data))
    assert "is no manifest" in shop.error("build", "--locked", str(lock))
