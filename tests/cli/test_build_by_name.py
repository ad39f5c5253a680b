"""``rdcompose build`` with a kernel by name: found, fetched, verified, remembered."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import pytest

from rdcompose.cli.main import main
from tests.support.archive_packages import kernel_package, metapackage
from tests.support.farm import ARM, BACKPORT, NEW, OLD, SECURE, TRIXIE

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Shop


def inputs(shop: Shop, release: str) -> dict[str, dict[str, object]]:
    return {row["role"]: row for row in shop.manifest(release)["inputs"]}


@pytest.mark.parametrize(
    ("name", "release"),
    [
        (OLD, OLD),
        ("cloud-amd64", SECURE),
        ("linux-image-cloud-amd64", SECURE),
        (f"linux-image-{NEW}", NEW),
        ("arm64", ARM),
        (TRIXIE, TRIXIE),
        (BACKPORT, BACKPORT),
    ],
)
def test_names(shop: Shop, name: str, release: str) -> None:
    shop.run("build", name)
    assert (shop.out / f"vmlinuz-{release}").exists()
    assert shop.manifest(release)["release"] == release


def test_manifest_tells_where_everything_is_from(shop: Shop) -> None:
    shop.run("build", "cloud-amd64")
    (deb,) = (path for path in shop.farm.debs() if SECURE in path.name)
    assert inputs(shop, SECURE)["kernel"] == {
        "role": "kernel",
        "file": deb.name,
        "sha256": hashlib.sha256(deb.read_bytes()).hexdigest(),
        "size": deb.stat().st_size,
        "source": "archive",
        "package": f"linux-image-{SECURE}",
        "version": "6.1.170-1",
        "architecture": "amd64",
        "archive": {
            "label": "Debian-Security",
            "suite": "bookworm-security",
            "path": f"pool/updates/main/l/linux-signed-amd64/{deb.name}",
            "verified": True,
        },
    }
    busybox = inputs(shop, SECURE)["busybox"]
    assert busybox["archive"] == {
        "label": "Debian",
        "suite": "bookworm",
        "path": "pool/main/b/busybox/busybox-static_1.35.0-4+b7_amd64.deb",
        "verified": True,
    }
    assert busybox["package"] == "busybox-static"


def test_mirror_does_not_show_in_the_result(shop: Shop, tmp_path: Path) -> None:
    shop.run("build", NEW)
    first = {path.name: path.read_bytes() for path in shop.out.iterdir()}
    mirror = (shop.farm.directory / "debian").as_uri()
    other = tmp_path / "other"
    shop.run("build", NEW, "--mirror", mirror, "-o", str(other))
    assert {path.name: path.read_bytes() for path in other.iterdir()} == first


def test_second_build_downloads_nothing(shop: Shop) -> None:
    shop.run("build", NEW)
    assert len(shop.downloads()) == 3
    shop.server.requests.clear()
    shop.run("build", NEW)
    assert shop.downloads() == []
    assert {path.rpartition("/")[2] for path in shop.server.paths()} == {"InRelease"}


def test_offline(shop: Shop) -> None:
    shop.run("build", "cloud-amd64")
    shop.run("build", "arm64")
    first = (shop.out / "SHA256SUMS").read_bytes()
    shop.server.requests.clear()
    for name in ("cloud-amd64", SECURE, "arm64", ARM):
        shop.run("build", name, "--offline")
    assert shop.server.requests == []
    assert (shop.out / "SHA256SUMS").read_bytes() == first


def test_offline_after_the_mirror_went_on(shop: Shop) -> None:
    """A newer state, fetched for one architecture, does not cut off another one."""
    shop.run("build", "cloud-amd64")
    suite = shop.farm.bookworm
    suite.date = suite.date.replace(year=2025)
    suite.add(kernel_package("6.1.0-50-arm64", "6.1.180-1", "arm64"))
    suite.add(metapackage("linux-image-arm64", "6.1.180-1", "arm64", "linux-image-6.1.0-50-arm64"))
    suite.add(kernel_package("6.1.0-50-cloud-amd64", "6.1.180-1"))
    suite.write()
    shop.run("build", "arm64")
    shop.run("build", "arm64", "--offline")
    shop.run("build", "cloud-amd64", "--offline")
    assert (shop.out / "vmlinuz-6.1.0-50-arm64").exists()
    assert not (shop.out / "vmlinuz-6.1.0-50-cloud-amd64").exists()


def test_offline_with_nothing(shop: Shop) -> None:
    message = shop.error("build", "cloud-amd64", "--offline")
    assert "--offline" in message
    assert "without --offline" in message
    assert shop.server.requests == []


def test_offline_with_another_architecture(shop: Shop) -> None:
    shop.run("build", "cloud-amd64", "-o", str(shop.path / "first"))
    assert "--offline" in shop.error("build", "arm64", "--offline")


def test_superseded_indexes_leave_the_cache(shop: Shop) -> None:
    shop.run("build", "cloud-amd64")
    before = shop.run("cache", "list", "--json")
    suite = shop.farm.bookworm
    suite.date = suite.date.replace(year=2025)
    suite.add(kernel_package("6.1.0-50-cloud-amd64", "6.1.180-1"))
    suite.write()
    shop.run("build", SECURE)
    listed = json.loads(shop.run("cache", "list", "--json")[0])
    names = [row["name"] for row in listed["files"]]
    assert names.count("bookworm_main_amd64_Packages") == 1
    assert before != listed


def test_programs_given_are_not_fetched(shop: Shop) -> None:
    shop.run("build", NEW, "--busybox", "none", "--e2fsck", "none", status=1)
    assert shop.downloads() == [f"linux-image-{NEW}_6.1.164-1_amd64.deb"]


def test_programs_of_the_template_are_kept(shop: Shop) -> None:
    shop.run("build", NEW)
    template = shop.path / "template" / "bin"
    template.mkdir(parents=True)
    (template / "busybox").symlink_to("elsewhere")
    (template / "elsewhere").write_bytes(b"own")
    shop.run("build", NEW, "--template", "template", status=0)
    assert "busybox" not in inputs(shop, NEW)
    assert "e2fsck" in inputs(shop, NEW)


def test_local_kernel_takes_programs_from_the_archive(shop: Shop) -> None:
    deb = shop.path / "kernel.deb"
    deb.write_bytes(kernel_package("6.1.0-99-arm64", "6.1.199-1", "arm64"))
    shop.run("build", str(deb))
    found = inputs(shop, "6.1.0-99-arm64")
    assert found["kernel"]["source"] == "local file"
    assert found["busybox"]["architecture"] == "arm64"


def test_local_kernel_of_another_architecture(shop: Shop) -> None:
    deb = shop.path / "kernel.deb"
    deb.write_bytes(kernel_package("6.1.0-99-arm64", "6.1.199-1", "arm64"))
    assert "is for arm64" in shop.error("build", str(deb), "--arch", "amd64", status=2)


def test_architecture_by_option(shop: Shop) -> None:
    suite = shop.farm.bookworm
    suite.add(kernel_package("6.1.0-60-own", "6.1.199-1", "arm64"))
    suite.write()
    message = shop.error("build", "6.1.0-60-own", status=2)
    assert "--arch" in message
    shop.run("build", "6.1.0-60-own", "--arch", "arm64")
    assert shop.manifest("6.1.0-60-own")["architecture"] == "arm64"


def test_flavour_without_metapackage(shop: Shop) -> None:
    shop.farm.bookworm.add(kernel_package("6.1.0-44-rt-amd64", "6.1.164-1"))
    shop.farm.bookworm.add(kernel_package("6.1.0-43-rt-amd64", "6.1.162-1"))
    shop.farm.bookworm.write()
    shop.run("build", "rt-amd64")
    assert (shop.out / "vmlinuz-6.1.0-44-rt-amd64").exists()


def test_metapackage_ahead_of_its_kernel(shop: Shop) -> None:
    suite = shop.farm.bookworm_security
    suite.add(
        metapackage(
            "linux-image-cloud-amd64", "6.1.171-1", "amd64", "linux-image-6.1.0-46-cloud-amd64"
        )
    )
    suite.write()
    shop.run("build", "cloud-amd64")
    assert (shop.out / f"vmlinuz-{SECURE}").exists()


@pytest.mark.parametrize("name", ["6.1.0-18-cloud-amd64", "linux-image-6.1.0-18-cloud-amd64"])
def test_unknown_release_suggests_near_ones(shop: Shop, name: str) -> None:
    message = shop.error("build", name)
    assert "no kernel 6.1.0-18-cloud-amd64 for amd64" in message
    assert "bookworm, bookworm-security" in message
    assert f"available here: {SECURE}, {NEW}, {OLD}" in message


def test_unknown_flavour_suggests_near_ones(shop: Shop) -> None:
    message = shop.error("build", "clod-amd64", "--arch", "amd64")
    assert "cloud-amd64" in message.partition("available here")[2]


def test_architecture_that_the_suite_has_not(shop: Shop) -> None:
    message = shop.error("build", "riscv64")
    assert "no kernels for riscv64" in message
    assert "--suite" in message


def test_unknown_suite(shop: Shop) -> None:
    message = shop.error("build", "cloud-amd64", "--suite", "bullseye")
    assert "no suite bullseye" in message


def test_missing_program(shop: Shop) -> None:
    shop.farm.bookworm.remove("e2fsck-static")
    shop.farm.bookworm.write()
    message = shop.error("build", NEW)
    assert "no package e2fsck-static for amd64" in message
    assert "bookworm has none" in message
    assert "--e2fsck" in message


def test_stable_where_this_machine_is_no_debian(shop: Shop) -> None:
    mirror = f"{shop.server.url}/debian"
    arguments = ["build", "cloud-amd64", "--mirror", mirror, "--no-snapshot"]
    arguments += ["--keyring", str(shop.farm.keyring), "--cache", str(shop.cache)]
    assert main([*arguments, "-o", str(shop.out)]) == 0
    assert (shop.out / f"vmlinuz-{TRIXIE}").exists()


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--snapshot", "yesterday"], "yesterday"),
        (["--snapshot", "20240501T000000Z", "--no-snapshot"], "contradict"),
        (["--snapshot", "20240501T000000Z", "--mirror", "http://127.0.0.1/debian"], "--mirror"),
        (["--mirror", "ftp://me:word@127.0.0.1/debian"], "'ftp://127.0.0.1/debian' is no address"),
        (["--mirror", "http://"], "'http://' is no address"),
        (["--mirror", "http://127.0.0.1/debian?x"], "is no address"),
        (["--mirror", "http://127.0.0.1/de bian"], "is no address"),
        (["--mirror", "file:///de\x1bbian"], "is no address"),
        (["--snapshot-service", "127.0.0.1"], "'127.0.0.1' is no address"),
        (["--suite", "../x"], "'../x' is no name of a suite"),
        (["--suite", "a b"], "'a b' is no name of a suite"),
        (["--suite", ""], "'' is no name of a suite"),
        (["--arch", "vax"], "vax"),
    ],
)
def test_wrong_options(shop: Shop, options: list[str], expected: str) -> None:
    status = 1 if "--arch" in options else 2
    assert expected in shop.error("build", NEW, *options, status=status)


def test_no_kernel(shop: Shop) -> None:
    assert "KERNEL" in shop.error("build", status=2)


def test_no_place_to_look(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["build", NEW, "--no-snapshot", "--cache", str(shop.cache)]) == 2
    assert "--mirror" in capsys.readouterr().err
