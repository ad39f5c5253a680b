"""Kernels in several local packages, as Ubuntu has them."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest

from tests.support import ubuntu
from tests.support.ubuntu import EXTRA, RELEASE

if TYPE_CHECKING:
    from tests.cli.conftest import Shop


@pytest.fixture
def files(shop: Shop) -> list[str]:
    found = []
    for name, deb in ubuntu.packages().items():
        (shop.path / f"{name}.deb").write_bytes(deb)
        found.append(f"{name}.deb")
    return found


def outputs(shop: Shop, directory: str = "out") -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in (shop.path / directory).iterdir()}


def test_same_bytes_in_any_order(shop: Shop, files: list[str]) -> None:
    for number, order in enumerate(itertools.permutations(files)):
        shop.run("build", *order, "-o", str(number))
        assert outputs(shop, str(number)) == outputs(shop, "0")
    shop.run("build", *files)
    rows = [row for row in shop.manifest(RELEASE)["inputs"] if row["role"] == "kernel"]
    assert [row["file"] for row in rows] == files
    assert not any("modules.order" in text for text in shop.manifest(RELEASE)["notes"])


def test_locked(shop: Shop, files: list[str]) -> None:
    shop.run("build", *files, "-o", "first")
    lock = str(shop.path / "first" / f"manifest-{RELEASE}.json")
    shop.run("build", *reversed(files), "--locked", lock, "--offline")
    assert outputs(shop) == outputs(shop, "first")
    shop.out.rename(shop.path / "second")
    message = shop.error("build", *files[:2], "--locked", lock)
    assert f"linux-modules-extra-{RELEASE}" in message


def test_what_is_not_there_is_noted(shop: Shop, files: list[str]) -> None:
    shop.run("build", *files[:2])
    (note,) = (text for text in shop.manifest(RELEASE)["notes"] if "modules.order" in text)
    assert note.startswith(f"modules.order lists {len(EXTRA)} modules that are not here")
    assert "linux-modules-extra" in note


def test_missing_package_is_named(shop: Shop, files: list[str]) -> None:
    message = shop.error("build", files[0])
    assert message.startswith(f"rdcompose: error: {files[0]}: linux-image-{RELEASE} holds no boot/")
    assert f"give linux-modules-{RELEASE}, too" in message
