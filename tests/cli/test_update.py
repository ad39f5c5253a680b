"""``update-busybox`` and ``update-e2fsck`` with programs of the archive."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.programs import make_busybox, make_e2fsck

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Shop


@pytest.fixture
def template(shop: Shop) -> Path:
    path = shop.path / "ramdisk-template"
    path.mkdir()
    return path


@pytest.mark.parametrize("name", ["busybox", "e2fsck"])
def test_for_an_architecture(shop: Shop, template: Path, name: str) -> None:
    out, _ = shop.run(f"update-{name}", "--arch", "arm64")
    assert "for arm64" in out
    path = template / {"busybox": "bin/busybox", "e2fsck": "sbin/e2fsck"}[name]
    machine = path.read_bytes()[18:20]
    assert machine == (183).to_bytes(2, "little")


def test_for_what_the_template_has(shop: Shop, template: Path) -> None:
    (template / "sbin").mkdir()
    (template / "sbin/e2fsck").write_bytes(make_e2fsck(machine=183))
    assert "e2fsck 1.47.0-2+b2 for arm64, 3 links" in shop.run("update-e2fsck")[0]


def test_for_this_machine(shop: Shop, template: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    assert "for arm64" in shop.run("update-busybox")[0]
    assert (template / "bin/sh").is_symlink()


def test_for_an_unknown_machine(
    shop: Shop, template: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.machine", lambda: "vax")
    assert "--arch" in shop.error("update-busybox", status=2)
    assert list(template.iterdir()) == []


def test_file_for_another_architecture(shop: Shop, template: Path) -> None:
    (shop.path / "new").write_bytes(make_busybox())
    message = shop.error("update-busybox", "new", "--arch", "arm64")
    assert "arm64" in message
    assert list(template.iterdir()) == []


def test_quiet(shop: Shop, template: Path) -> None:
    assert shop.run("update-busybox", "--arch", "amd64", "-q") == ("", "")
    assert (template / "bin/busybox").exists()


def test_no_template(shop: Shop) -> None:
    assert "no template directory" in shop.error("update-busybox")
    assert shop.server.requests == []


def test_archive_has_none(shop: Shop, template: Path) -> None:
    message = shop.error("update-busybox", "--arch", "s390x")
    assert "no package busybox-static for s390x" in message
    assert "bookworm has none" in message
    assert list(template.iterdir()) == []
