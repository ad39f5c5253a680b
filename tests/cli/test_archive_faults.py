"""Every link of the chain, broken: one clear message that names it, and nothing written."""

from __future__ import annotations

import datetime
import hashlib
from typing import TYPE_CHECKING

import pytest

from tests.support.archive import bomb
from tests.support.farm import NEW, SECURE
from tests.support.signing import make_key

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.conftest import Shop

XZ = "main/binary-amd64/Packages.xz"
DEB = f"*/linux-image-{NEW}_*.deb"


def other_key(shop: Shop) -> None:
    shop.farm.bookworm.key = make_key("somebody else")
    shop.farm.bookworm.write()


def changed_text(shop: Shop) -> None:
    path = shop.farm.bookworm.inrelease
    path.write_bytes(path.read_bytes().replace(b"Origin: Debian", b"Origin: Dabian"))


def no_signature(shop: Shop) -> None:
    suite = shop.farm.bookworm
    suite.inrelease.write_bytes((suite.directory / "Release").read_bytes())


def expired(shop: Shop) -> None:
    shop.farm.bookworm.valid_until = shop.farm.bookworm.date + datetime.timedelta(days=7)
    shop.farm.bookworm.write()


def from_the_future(shop: Shop) -> None:
    now = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    shop.farm.bookworm.date = now + datetime.timedelta(days=2)
    shop.farm.bookworm.write()


def another_suite(shop: Shop) -> None:
    (shop.farm.directory / "debian/dists/oldstable").unlink()
    shop.farm.bookworm.fields |= {"Codename": "bullseye", "Suite": "oldoldstable"}
    shop.farm.bookworm.write()


def rolled_back(shop: Shop) -> None:
    shop.run("kernels")
    shop.farm.bookworm.date -= datetime.timedelta(days=1)
    shop.farm.bookworm.write()


UNTRUSTED: list[tuple[Callable[[Shop], None], str]] = [
    (other_key, "signed"),
    (changed_text, "signature"),
    (no_signature, "sign"),
    (expired, "was valid until 2024-02-17"),
    (from_the_future, "clock"),
    (another_suite, "bullseye"),
    (rolled_back, "gone back in time"),
]


@pytest.mark.parametrize(("break_link", "expected"), UNTRUSTED)
def test_untrusted_suite(shop: Shop, break_link: Callable[[Shop], None], expected: str) -> None:
    break_link(shop)
    message = shop.error("build", NEW)
    assert expected.lower() in message.lower()
    assert "dists/bookworm/InRelease" in message


@pytest.mark.parametrize("break_link", [row[0] for row in UNTRUSTED])
def test_allow_unverified_is_loud_and_recorded(
    shop: Shop, break_link: Callable[[Shop], None]
) -> None:
    break_link(shop)
    _, err = shop.run("build", NEW, "--allow-unverified")
    assert "warning: UNVERIFIED" in err
    (kernel,) = (row for row in shop.manifest(NEW)["inputs"] if row["role"] == "kernel")
    assert kernel["archive"]["verified"] is False


def test_archive_without_signatures(shop: Shop) -> None:
    for suite in (shop.farm.bookworm, shop.farm.bookworm_security):
        suite.key = None
        suite.write()
    assert "no suite bookworm" in shop.error("build", NEW)
    _, err = shop.run("build", NEW, "--allow-unverified")
    assert err.count("UNVERIFIED") == 2


def test_what_failed_does_not_replace_what_was_good(shop: Shop) -> None:
    shop.run("build", NEW, "-o", str(shop.path / "first"))
    other_key(shop)
    shop.error("build", NEW)
    shop.run("build", NEW, "--offline")


def test_untrusted_security_suite(shop: Shop) -> None:
    """What is broken is not passed over as if it were not there."""
    shop.farm.bookworm_security.key = make_key("somebody else")
    shop.farm.bookworm_security.write()
    assert "bookworm-security" in shop.error("build", NEW)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda data: data[:-20] + bytes(20), "sha-256"),
        (lambda data: data[:-1], "bytes"),
        (lambda data: data + b"\0", "bytes"),
        (lambda _: bomb(".xz", 1 << 20), "bytes"),
        (lambda _: None, "in any form"),
    ],
)
def test_stored_index_is_not_the_signed_one(
    shop: Shop, change: Callable[[bytes], bytes | None], expected: str
) -> None:
    suite = shop.farm.bookworm
    suite.stored = (".xz",)
    suite.tamper(XZ, change)
    (suite.directory / "main/binary-amd64/Packages.gz").unlink()
    suite.write()
    assert expected in shop.error("build", NEW).lower()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda _: bomb(".xz", 64 << 20), "unpacks to more than"),
        (lambda data: data[: len(data) // 2], "Packages.xz is not what the signed index"),
        (lambda _: b"", "Packages.xz is not what the signed index"),
    ],
)
def test_signed_index_is_no_good(
    shop: Shop, change: Callable[[bytes], bytes], expected: str
) -> None:
    shop.farm.bookworm.tamper(XZ, change, listed=True)
    shop.farm.bookworm.write()
    assert expected in shop.error("build", NEW)


def test_smaller_index_is_missing(shop: Shop) -> None:
    """Another form of the same index does as well."""
    shop.farm.bookworm.tamper(XZ, lambda _: None)
    shop.farm.bookworm.write()
    shop.run("build", NEW)


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        ({"Filename": "../../etc/passwd"}, "Filename"),
        ({"Filename": "/etc/passwd"}, "Filename"),
        ({"Filename": "http://127.0.0.1/x.deb"}, "Filename"),
        ({"SHA256": None}, "SHA256"),
        ({"Size": "-1"}, "Size"),
        ({"SHA256": hashlib.sha256(b"").hexdigest()}, "SHA-256"),
        ({"Size": "12"}, "bytes"),
    ],
)
def test_hostile_stanza(shop: Shop, overrides: dict[str, str | None], expected: str) -> None:
    suite = shop.farm.bookworm
    deb = next(path for path in shop.farm.debs() if NEW in path.name).read_bytes()
    suite.remove(f"linux-image-{NEW}")
    suite.add(deb, overrides=overrides)
    suite.write()
    assert expected in shop.error("build", NEW)


def test_package_is_another(shop: Shop) -> None:
    path = next(path for path in shop.farm.debs() if NEW in path.name)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    message = shop.error("build", NEW)
    assert path.name in message
    assert "SHA-256" in message


def test_package_has_another_size(shop: Shop) -> None:
    path = next(path for path in shop.farm.debs() if NEW in path.name)
    path.write_bytes(path.read_bytes() + b"\n")
    assert "bytes" in shop.error("build", NEW)


def test_package_is_gone(shop: Shop) -> None:
    next(path for path in shop.farm.debs() if NEW in path.name).unlink()
    message = shop.error("build", NEW)
    assert "404" in message
    assert NEW in message


def test_package_was_cut_and_resumed(shop: Shop) -> None:
    cut = shop.server.cut(DEB, after=1000, times=2)
    shop.run("build", NEW)
    asked = [row.headers.get("range") for row in shop.server.requests if NEW in row.path]
    assert asked == [None, "bytes=1000-", "bytes=2000-"]
    assert cut.hits == 2


def test_next_run_goes_on(shop: Shop) -> None:
    shop.server.cut(DEB, after=1000)
    shop.server.fail(DEB, times=None)
    shop.error("build", NEW)
    shop.server.clear()
    shop.server.requests.clear()
    shop.run("build", NEW)
    asked = [row.headers.get("range") for row in shop.server.requests if NEW in row.path]
    assert asked == ["bytes=1000-"]


def test_next_run_after_other_bytes_starts_anew(shop: Shop) -> None:
    """What is begun with wrong bytes does not stay in the way."""
    path = next(path for path in shop.farm.debs() if NEW in path.name)
    good = path.read_bytes()
    path.write_bytes(b"x" * len(good))
    shop.server.cut(DEB, after=1000)
    shop.server.fail(DEB, times=None)
    shop.error("build", NEW)
    shop.server.clear()
    path.write_bytes(good)
    shop.run("build", NEW)


@pytest.mark.parametrize("pattern", ["*/InRelease", "*/Packages.xz", "*/by-hash/*", DEB])
def test_short_outage(shop: Shop, pattern: str) -> None:
    shop.server.fail(pattern, status=503, times=2)
    shop.run("build", NEW)


@pytest.mark.parametrize("pattern", ["*/bookworm/InRelease", "*/by-hash/*", DEB])
def test_outage(shop: Shop, pattern: str) -> None:
    shop.server.fail(pattern, status=503, times=None)
    assert "503" in shop.error("build", NEW)


@pytest.mark.parametrize("pattern", ["*/bookworm/InRelease", "*/by-hash/*", DEB])
def test_stalled(shop: Shop, pattern: str) -> None:
    shop.server.stall(pattern, after=10)
    message = shop.error("build", NEW)
    assert shop.server.url in message


def test_redirect_loop(shop: Shop) -> None:
    target = f"{shop.server.url}/debian/dists/bookworm/InRelease"
    shop.server.redirect("*/bookworm/InRelease", target)
    assert "redirect" in shop.error("build", NEW)


def test_endless_inrelease(shop: Shop) -> None:
    shop.server.replace("*/bookworm/InRelease", bytes(17 << 20))
    assert "16777216" in shop.error("build", NEW)


def test_no_server(shop: Shop) -> None:
    message = shop.error("build", NEW, "--mirror", "http://127.0.0.1:9/debian")
    assert "127.0.0.1:9" in message


def test_server_that_is_no_mirror(shop: Shop) -> None:
    message = shop.error("build", NEW, "--mirror", f"{shop.server.url}/nothing")
    assert "no suite bookworm" in message


def test_guessed_security_archive_need_not_be(shop: Shop) -> None:
    shop.server.fail("/debian-security/*", status=403, times=None)
    shop.run("build", "cloud-amd64")
    assert (shop.out / f"vmlinuz-{NEW}").exists()


@pytest.mark.parametrize("pattern", ["*/InRelease", "*/binary-*"])
def test_security_archive_that_does_not_answer(shop: Shop, pattern: str) -> None:
    """The user is told that newer versions may be missing; apt goes on there, too."""
    shop.server.fail(f"/debian-security{pattern}", status=403, times=None)
    mirrors = [f"{shop.server.url}/{name}" for name in ("debian", "debian-security")]
    options = ["--mirror", mirrors[0], "--mirror", mirrors[1]]
    _, err = shop.run("build", "cloud-amd64", *options)
    assert "warning: left out, though newer versions may be there: bookworm-security: " in err
    assert "403" in err
    assert (shop.out / f"vmlinuz-{NEW}").exists()


def test_security_archive_that_is_tampered_with(shop: Shop) -> None:
    suite = shop.farm.bookworm_security
    suite.tamper("main/binary-amd64/Packages.xz", lambda data: data[:-20] + bytes(20))
    suite.write()
    assert "SHA-256" in shop.error("build", NEW)


def test_second_mirror_serves_when_the_first_does_not(shop: Shop) -> None:
    options = ["--mirror", "http://127.0.0.1:9/debian", "--mirror", f"{shop.server.url}/debian"]
    shop.run("build", NEW, *options)
    assert (shop.out / f"vmlinuz-{NEW}").exists()


def test_cache_cannot_be_written(shop: Shop) -> None:
    shop.cache.write_bytes(b"a file")
    assert "--cache" in shop.error("build", NEW)


def test_damaged_cache_is_mended(shop: Shop) -> None:
    shop.run("build", "cloud-amd64")
    for path in shop.cache.rglob("*"):
        if path.is_file() and not path.name.endswith(".lock"):
            path.chmod(0o644)
            path.write_bytes(path.read_bytes()[:-1] + b"?")
    shop.run("build", "cloud-amd64")
    assert (shop.out / f"vmlinuz-{SECURE}").exists()
