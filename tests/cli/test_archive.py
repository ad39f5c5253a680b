"""The place that a command looks in where no option names it: what apt is configured with."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import pytest

import rdcompose.cli.archive
from rdcompose.archive.keyring import load_keyring
from rdcompose.archive.sources import apt_sources
from rdcompose.cli.main import main
from tests.support.farm import BACKPORT, NEW, OLD, SECURE, TRIXIE
from tests.support.hosts import LIST, make_host
from tests.support.signing import make_key

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Shop


class Host:
    """A Debian system whose apt uses the farm."""

    def __init__(self, shop: Shop, root: Path) -> None:
        self.shop = shop
        self.root = root

    def configure(self, *lines: str) -> None:
        """Write sources; in these MAIN and SECURITY stand for the archives' addresses."""
        url = self.shop.server.url
        text = "\n".join(lines).replace("MAIN", f"{url}/debian")
        make_host(self.root, {LIST: text.replace("SECURITY", f"{url}/debian-security") + "\n"})

    def run(self, *arguments: str, status: int = 0) -> tuple[str, str]:
        """Run a command with nothing but what apt is configured with."""
        ended = main([*arguments, "--cache", str(self.shop.cache)])
        printed = self.shop.capsys.readouterr()
        assert ended == status, printed.err
        return printed.out, printed.err

    def releases(self, *options: str) -> list[str]:
        return [line.split()[0] for line in self.run("kernels", *options)[0].splitlines()]


@pytest.fixture
def host(shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    root = tmp_path / "root"
    module = rdcompose.cli.archive
    monkeypatch.setattr(module, "apt_sources", functools.partial(apt_sources, root))
    keyring = load_keyring(shop.farm.keyring)
    monkeypatch.setattr(module, "debian_keyring", lambda: keyring)
    return Host(shop, root)


def be(codename: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rdcompose.cli.archive, "codename_of_host", lambda: codename)


def test_suite_of_this_machine(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    host.configure("deb MAIN trixie main", "deb MAIN bookworm main")
    assert host.releases("cloud-amd64") == [TRIXIE]
    be("bookworm", monkeypatch)
    # Nobody configured its security suite, but there is one.
    assert host.releases("cloud-amd64") == [SECURE, NEW, OLD]
    be("forky", monkeypatch)
    assert host.releases("cloud-amd64") == [TRIXIE]


def test_all_that_is_configured(host: Host) -> None:
    host.configure("deb MAIN trixie main", "deb SECURITY bookworm-security main")
    assert host.releases("cloud-amd64", "--all") == [BACKPORT, TRIXIE, SECURE, NEW, OLD]
    host.run("build", SECURE, "-o", str(host.shop.out), "--no-snapshot")
    assert (host.shop.out / f"vmlinuz-{SECURE}").exists()
    # Without a look into what is not configured.
    assert not host.shop.server.paths("*/bookworm-backports/*")


def test_missing_security_suite_is_told(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    host.configure("deb MAIN bookworm main", "deb SECURITY bookworm-security main")
    be("bookworm", monkeypatch)
    host.shop.server.fail("*/bookworm-security/*", status=404)
    out, err = host.run("kernels", "cloud-amd64")
    assert SECURE not in out
    assert err.startswith("rdcompose: warning: left out, though newer versions may be there: ")
    assert len(err.splitlines()) == 1


def test_another_vendor(host: Host) -> None:
    key = make_key("vendor")
    (host.root / "keys").mkdir(parents=True)
    (host.root / "keys/vendor.gpg").write_bytes(key.certificate)
    host.configure(
        "deb [signed-by=/keys/vendor.gpg] http://127.0.0.1:1/apt bookworm main",
        "deb cdrom:[Debian]/ bookworm main",
        "deb MAIN trixie main",
    )
    assert host.releases("cloud-amd64") == [TRIXIE]
    notes = host.run("kernels", "cloud-amd64", "-v")[1].splitlines()
    assert [note.partition("left out: ")[2] for note in notes] == [
        "nothing is fetched from addresses with 'cdrom'",
        "it is not signed by Debian",
    ]


def test_own_keyring(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """It counts for all sources, and Debian's own need not be there."""

    def fail() -> None:
        raise AssertionError

    monkeypatch.setattr(rdcompose.cli.archive, "debian_keyring", fail)
    host.configure("deb [signed-by=/none.gpg] MAIN trixie main")
    keyring = ["--keyring", str(host.shop.farm.keyring)]
    assert host.releases("cloud-amd64", *keyring) == [TRIXIE]


def test_no_password_is_shown(host: Host) -> None:
    address = host.shop.server.url.replace("http://", "http://me:hunter2@")
    host.configure(f"deb {address}/nothing trixie main")
    _, err = host.run("kernels", "cloud-amd64", status=1)
    assert "no suite trixie in the sources of apt on this machine" in err
    assert "hunter2" not in err
    mirror = ["--mirror", f"{address}/debian", "--keyring", str(host.shop.farm.keyring)]
    _, err = host.run("kernels", "6.66", "--suite", "bookworm", *mirror, status=1)
    assert "hunter2" not in err
    _, err = host.run("build", "6.66-amd64", "--suite", "sid", "--no-snapshot", *mirror, status=1)
    assert "127.0.0.1" in err
    assert "hunter2" not in err
    host.run("build", TRIXIE, *mirror, "-o", str(host.shop.out))
    out = (host.shop.out / f"manifest-{TRIXIE}.json").read_text()
    out += host.run("cache", "list", "--json")[0]
    assert "hunter2" not in out
