"""``rdcompose outdated``: what a build was made from, and what the archive has since."""

from __future__ import annotations

import gc
import json
from typing import TYPE_CHECKING, Any, Final

import pytest

from rdcompose.cli.main import main
from tests.support.archive_packages import busybox_package, kernel_package, metapackage
from tests.support.farm import BACKPORT, NEW, OLD, SECURE, TRIXIE

if TYPE_CHECKING:
    from tests.cli.conftest import Shop
    from tests.support.archive import SuiteBuilder

OUTDATED: Final = 3
BUSYBOX: Final = "1:1.35.0-4+b7"


def made(shop: Shop, release: str, version: str, suite: str) -> None:
    """A manifest as a build writes it, as far as it is looked at."""
    rows = {"kernel": (f"linux-image-{release}", version, suite)}
    rows["busybox"] = ("busybox-static", BUSYBOX, suite.partition("-")[0])
    inputs = [
        {
            "role": role,
            "file": f"{package}.deb",
            "sha256": "0" * 64,
            "source": "archive",
            "package": package,
            "version": of,
            "architecture": "amd64",
            "archive": {"label": "Debian", "suite": where, "path": "pool/x.deb", "verified": True},
        }
        for role, (package, of, where) in rows.items()
    ]
    head = {"release": release, "architecture": "amd64", "timestamp": 1, "inputs": inputs}
    rest = {"options": {"profile": "minivm"}, "initramfs": {"modules": []}, "outputs": []}
    shop.out.mkdir()
    path = shop.out / f"manifest-{release}.json"
    path.write_text(json.dumps(head | rest), encoding="utf-8")


def publish(suite: SuiteBuilder) -> None:
    suite.date = suite.date.replace(year=2025)
    suite.write()


def new_kernel(suite: SuiteBuilder, release: str, version: str) -> None:
    flavour = "cloud-amd64"
    suite.add(kernel_package(release, version, "amd64"))
    depends = f"linux-image-{release} (= {version})"
    suite.add(metapackage(f"linux-image-{flavour}", version, "amd64", depends))
    publish(suite)


def run(shop: Shop, *options: str, status: int = 0) -> tuple[str, str]:
    """Run the command as in other tests, but with the suite that the manifests name."""
    arguments = shop.arguments("outdated", *options)
    if "--suite" not in options:
        place = arguments.index("--suite")
        del arguments[place : place + 2]
    ended = main(arguments)
    # A cache holds on to what it gave away for as long as the process lives.
    gc.collect()
    printed = shop.capsys.readouterr()
    assert ended == status, printed.err
    return printed.out, printed.err


def packages(shop: Shop, *arguments: str, status: int = OUTDATED) -> dict[str, Any]:
    """What is said of each package, by its role."""
    told = json.loads(run(shop, *arguments, "--json", status=status)[0])
    assert told["outdated"] is (status == OUTDATED)
    return {row["role"]: row for row in told["packages"]}


def test_nothing_is_newer(shop: Shop) -> None:
    shop.run("build", "cloud-amd64")
    manifest = str(shop.out / f"manifest-{SECURE}.json")
    assert run(shop, manifest) == ("nothing is newer\n", "")
    assert run(shop, manifest, "-q") == ("", "")
    out, _ = run(shop, manifest, "-v")
    assert sorted(line.split()[0] for line in out.splitlines()) == ["busybox", "e2fsck", "kernel"]
    assert out.count(" newest ") == 3


def test_a_kernel_and_a_program(shop: Shop) -> None:
    shop.run("build", "cloud-amd64")
    shop.farm.bookworm.add(busybox_package("1:9.9-1"))
    publish(shop.farm.bookworm)
    new_kernel(shop.farm.bookworm_security, "6.1.0-46-cloud-amd64", "6.1.180-1")
    rows = packages(shop, str(shop.out))
    newest = {"package": "linux-image-6.1.0-46-cloud-amd64", "version": "6.1.180-1"}
    assert rows["kernel"] == {
        "role": "kernel",
        "package": f"linux-image-{SECURE}",
        "version": "6.1.170-1",
        "architecture": "amd64",
        "suite": "bookworm-security",
        "builds": [f"{SECURE} (minivm)"],
        "newest": {**newest, "suite": "bookworm-security"},
        "security": {**newest, "suite": "bookworm-security"},
        "offered": True,
    }
    assert rows["busybox"]["newest"]["version"] == "1:9.9-1"
    assert rows["busybox"]["security"] is None
    assert rows["e2fsck"]["newest"] is None
    out, _ = run(shop, str(shop.out), status=OUTDATED)
    assert "-> linux-image-6.1.0-46-cloud-amd64 6.1.180-1 (bookworm-security)" in out
    assert "-> 1:9.9-1 (bookworm)" in out
    assert "e2fsck" not in out


def test_only_security_counts(shop: Shop) -> None:
    made(shop, SECURE, "6.1.170-1", "bookworm-security")
    shop.farm.bookworm.add(busybox_package("1:9.9-1"))
    publish(shop.farm.bookworm)
    assert packages(shop, str(shop.out))["busybox"]["newest"]
    assert packages(shop, str(shop.out), "--security", status=0)
    assert run(shop, str(shop.out), "--security")[0] == "nothing is newer\n"


def test_a_security_update_that_is_not_the_newest(shop: Shop) -> None:
    """After a point release both suites have a newer kernel than ours."""
    made(shop, NEW, "6.1.164-1", "bookworm")
    new_kernel(shop.farm.bookworm, "6.1.0-47-cloud-amd64", "6.1.190-1")
    row = packages(shop, str(shop.out), "--security")["kernel"]
    assert (row["newest"]["suite"], row["security"]["suite"]) == ("bookworm", "bookworm-security")
    out, _ = run(shop, str(shop.out), status=OUTDATED)
    assert "6.1.190-1 (bookworm, bookworm-security)" in out


def test_a_rebuild_under_the_same_name(shop: Shop) -> None:
    made(shop, SECURE, "6.1.170-1", "bookworm-security")
    shop.farm.bookworm_security.add(kernel_package(SECURE, "6.1.170-2", "amd64"))
    publish(shop.farm.bookworm_security)
    newest = packages(shop, str(shop.out))["kernel"]["newest"]
    assert (newest["package"], newest["version"]) == (f"linux-image-{SECURE}", "6.1.170-2")


def test_backports_stay_backports(shop: Shop) -> None:
    made(shop, BACKPORT, "6.17.8-1~bpo13+1", "trixie-backports")
    assert packages(shop, str(shop.out), status=0)["kernel"]["suite"] == "trixie-backports"
    new_kernel(shop.farm.backports, "6.18.1+deb13-cloud-amd64", "6.18.1-1~bpo13+1")
    assert packages(shop, str(shop.out))["kernel"]["newest"]["suite"] == "trixie-backports"


def test_another_release_of_debian(shop: Shop) -> None:
    made(shop, SECURE, "6.1.170-1", "bookworm-security")
    row = packages(shop, str(shop.out), "--suite", "trixie")["kernel"]
    assert row["newest"] == {
        "package": f"linux-image-{TRIXIE}",
        "version": "6.12.57-1",
        "suite": "trixie",
    }


def test_a_release_of_several_builds(shop: Shop) -> None:
    shop.run("build", SECURE, "-o", "builds/a")
    shop.run("build", SECURE, "--profile", "virtio", "-o", "builds/b")
    rows = packages(shop, "builds", status=0)
    names = [f"{SECURE} (minivm)", f"{SECURE} (virtio)"]
    assert rows["kernel"]["builds"] == names
    assert main(["release", "builds/a", "builds/b", "-o", "release", "-q"]) == 0
    assert packages(shop, "release", status=0) == rows
    assert packages(shop, "release/manifest.json", status=0) == rows


def test_local_files_are_not_looked_for(shop: Shop) -> None:
    kernel = next(path for path in shop.farm.debs() if path.name.startswith(f"linux-image-{NEW}"))
    shop.run("build", str(kernel))
    out, err = run(shop, str(shop.out))
    assert out == "nothing is newer\n"
    assert f"linux-image-{NEW} was not from an archive" in err


def project(shop: Shop, *kernels: str) -> None:
    text = "".join(
        f'[[build]]\nname = "n{number}"\nkernel = "{kernel}"\n'
        for number, kernel in enumerate(kernels)
    )
    text = f'suite = "bookworm"\n{text}'
    (shop.path / "rdcompose.toml").write_text(text, encoding="utf-8")


def test_a_project_that_is_not_built(shop: Shop) -> None:
    project(shop, OLD, SECURE, "cloud-amd64", "./kernel.deb", "linux-image-6.1.deb")
    told = json.loads(run(shop, "--json", status=OUTDATED)[0])
    found = {row["package"]: (row["builds"], row["newest"]) for row in told["packages"]}
    newest = {"package": f"linux-image-{SECURE}", "version": "6.1.170-1"}
    assert found == {
        f"linux-image-{OLD}": (["n0"], {**newest, "suite": "bookworm-security"}),
        f"linux-image-{SECURE}": (["n1"], None),
    }
    assert [note.rpartition("and ")[2] for note in told["notes"]] == [
        "cloud-amd64 is no release",
        "./kernel.deb is no release",
        "linux-image-6.1.deb is no release",
    ]


def test_a_project_that_is_built(shop: Shop) -> None:
    project(shop, "cloud-amd64")
    made(shop, SECURE, "6.1.170-1", "bookworm-security")
    shop.out.rename(shop.path / "n0")
    assert packages(shop, "rdcompose.toml", status=0)["kernel"]["version"] == "6.1.170-1"


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        ((), 2, "there is nothing to compare"),
        (("none",), 1, "cannot read none"),
        (("none.toml",), 1, "cannot read none.toml"),
        (("empty",), 1, "empty has no manifest of a build"),
        (("no-builds.toml",), 1, "no-builds.toml names no builds"),
        (("odd.json",), 1, "odd.json is no manifest"),
    ],
)
def test_what_is_wrong(shop: Shop, arguments: tuple[str, ...], status: int, message: str) -> None:
    (shop.path / "empty").mkdir()
    (shop.path / "no-builds.toml").touch()
    (shop.path / "odd.json").write_text("{}")
    _, err = run(shop, *arguments, status=status)
    assert err.startswith("rdcompose: error: ")
    assert message in err


@pytest.mark.parametrize("suite", ["", "../../x", "bookworm\x1b", "a b"])
def test_suites_that_lead_elsewhere_are_refused(shop: Shop, suite: str) -> None:
    made(shop, NEW, "6.1.176-1", suite)
    _, err = run(shop, str(shop.out), status=1)
    record = shop.out / f"manifest-{NEW}.json"
    assert err == f"rdcompose: error: {record}: {suite!r} is no name of a suite\n"
    assert shop.downloads() == []


def test_an_archive_that_has_the_release_no_more(shop: Shop) -> None:
    made(shop, NEW, "6.1.164-1", "bookworm")
    for path in (shop.farm.directory / "debian/dists/bookworm").rglob("*"):
        if path.is_file():
            path.unlink()
    _, err = run(shop, str(shop.out), "--cache", "other", status=1)
    assert "no suite bookworm" in err


@pytest.mark.parametrize("guessed", [False, True])
def test_a_security_suite_that_cannot_be_searched(shop: Shop, *, guessed: bool) -> None:
    """Nothing that is newer is known, which is not to say that nothing is."""
    made(shop, SECURE, "6.1.170-1", "bookworm-security")
    shop.server.fail("/debian-security/*", status=403)
    names = ("debian",) if guessed else ("debian", "debian-security")
    options = [word for name in names for word in ("--mirror", f"{shop.server.url}/{name}")]
    if guessed:
        # A mirror need not have one.
        assert run(shop, str(shop.out), *options) == ("nothing is newer\n", "")
        options.append("--security")
    out, err = run(shop, str(shop.out), *options, status=1)
    assert out == ""
    assert "not known: bookworm-security could not be searched" in err
    if not guessed:
        shop.farm.bookworm.add(busybox_package("1:9.9-1"))
        publish(shop.farm.bookworm)
        assert packages(shop, str(shop.out), *options)["busybox"]["newest"]


def test_a_package_that_is_gone(shop: Shop) -> None:
    made(shop, SECURE, "6.1.170-1", "bookworm-security")
    path = shop.out / f"manifest-{SECURE}.json"
    text = path.read_text(encoding="utf-8").replace('"busybox-static"', '"busybox-gone"')
    path.write_text(text, encoding="utf-8")
    out, _ = run(shop, str(path), "-v")
    assert "busybox-gone" in out
    assert "not in the archive any more" in out
