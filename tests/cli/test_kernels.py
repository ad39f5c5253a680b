from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.support.archive_packages import kernel_package, package
from tests.support.farm import ARM, BACKPORT, NEW, OLD, SECURE, TRIXIE

if TYPE_CHECKING:
    from tests.cli.conftest import Shop


def releases(shop: Shop, *options: str) -> list[str]:
    out, _ = shop.run("kernels", *options)
    return [line.split()[0] for line in out.splitlines()]


def test_newest_first(shop: Shop) -> None:
    assert releases(shop, "--arch", "amd64") == [SECURE, NEW, OLD]


def test_line(shop: Shop) -> None:
    out, _ = shop.run("kernels", SECURE)
    assert out.split() == [SECURE, "2.5", "kB", "6.1.170-1", "bookworm-security", "2024-02-10"]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("cloud-amd64", [SECURE, NEW, OLD]),
        ("6.1.0-4*", [SECURE, NEW, OLD]),
        ("*-43-*", [OLD]),
        ("linux-image-6.1.0-44", [NEW]),
        ("arm64", [ARM]),
    ],
)
def test_pattern(shop: Shop, pattern: str, expected: list[str]) -> None:
    # A flavour tells its architecture.
    options = [] if pattern == "arm64" else ["--arch", "amd64"]
    assert releases(shop, pattern, *options) == expected


def test_json(shop: Shop) -> None:
    out, _ = shop.run("kernels", NEW, "--json")
    (row,) = json.loads(out)
    (deb,) = (path for path in shop.farm.debs() if path.name.startswith(f"linux-image-{NEW}_"))
    assert row.pop("sha256")
    assert row == {
        "release": NEW,
        "package": f"linux-image-{NEW}",
        "version": "6.1.164-1",
        "architecture": "amd64",
        "suites": ["bookworm"],
        "size": deb.stat().st_size,
        "date": "2024-02-10T11:07:25+00:00",
    }


def test_kernel_in_two_suites_is_listed_once(shop: Shop) -> None:
    deb = next(path for path in shop.farm.debs() if NEW in path.name)
    shop.farm.bookworm_security.add(deb)
    shop.farm.bookworm_security.write()
    (row,) = json.loads(shop.run("kernels", NEW, "--json")[0])
    assert row["suites"] == ["bookworm", "bookworm-security"]


def test_twins_and_debug_files_are_left_out(shop: Shop) -> None:
    suite = shop.farm.bookworm
    suite.add(package(f"linux-image-{NEW}-unsigned", "6.1.164-1", "amd64", {}))
    suite.add(package(f"linux-image-{NEW}-dbg", "6.1.164-1", "amd64", {}))
    suite.add(package("linux-image-6.1.0-46-cloud-amd64-unsigned", "6.1.171-1", "amd64", {}))
    suite.write()
    found = releases(shop, "--arch", "amd64")
    assert found == ["6.1.0-46-cloud-amd64", SECURE, NEW, OLD]


def test_all_suites(shop: Shop) -> None:
    found = releases(shop, "--all", "--arch", "amd64")
    assert found == [BACKPORT, TRIXIE, SECURE, NEW, OLD]


def test_a_suite_that_cannot_be_used_is_named(shop: Shop) -> None:
    path = shop.farm.backports.inrelease
    path.write_bytes(path.read_bytes().replace(b"Debian", b"Dabian"))
    out, err = shop.run("kernels", "--all", "--arch", "amd64")
    assert BACKPORT not in out
    assert err == "rdcompose: warning: left out, -v tells why: stable-backports\n"
    _, err = shop.run("kernels", "--all", "--arch", "amd64", "-v")
    assert "note: left out: stable-backports: " in err
    assert "stable-backports/InRelease: " in err


def test_nothing_matches(shop: Shop) -> None:
    message = shop.error("kernels", "7.0", "--arch", "amd64")
    assert "no kernel that matches '7.0' for amd64 in bookworm" in message
    assert json.loads(shop.run("kernels", "7.0", "--arch", "amd64", "--json")[0]) == []


def test_unsigned_twin_is_composed_while_there_is_no_other(shop: Shop) -> None:
    release = "6.1.0-46-cloud-amd64"
    deb = kernel_package(release, "6.1.171-1")
    suite = shop.farm.bookworm
    suite.add(deb, overrides={"Package": f"linux-image-{release}-unsigned"})
    suite.write()
    shop.run("build", release)
    assert (shop.out / f"vmlinuz-{release}").exists()


def test_all_suites_where_none_can_be_used(shop: Shop) -> None:
    shop.server.fail("*/InRelease", status=503)
    assert "503" in shop.error("kernels", "--all", "--arch", "amd64")
    shop.server.clear()
    shop.server.fail("*/InRelease", status=404)
    assert "no suite bookworm in http" in shop.error("kernels", "--all", "--arch", "amd64")


def test_kernel_that_is_twice_in_a_suite(shop: Shop) -> None:
    deb = next(path for path in shop.farm.debs() if NEW in path.name)
    shop.farm.bookworm.add(deb)
    shop.farm.bookworm.write()
    (row,) = json.loads(shop.run("kernels", NEW, "--json")[0])
    assert row["suites"] == ["bookworm"]
