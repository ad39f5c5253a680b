from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from rdcompose.cli.main import main
from tests.support.farm import NEW

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Shop


@pytest.fixture
def first(shop: Shop) -> Path:
    """A build with other options than the default ones."""
    shop.run("build", NEW, "--profile", "virtio", "--compress", "gzip:5", "-o", "first")
    return shop.path / "first"


def manifest(directory: Path) -> str:
    return str(directory / f"manifest-{NEW}.json")


def contents(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def test_the_same_comes_out_again(shop: Shop, first: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = contents(first)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "12345")
    out, err = shop.run("rebuild", manifest(first), "--check")
    assert [line.split() for line in out.splitlines()] == [
        [name, "the", "same"] for name in sorted(before) if name[0] in "civm" and "man" not in name
    ]
    assert err == ""
    shop.run("rebuild", manifest(first), "-o", str(shop.out))
    assert contents(shop.out) == contents(first) == before


def test_the_first_difference_is_named(shop: Shop) -> None:
    template = shop.path / "template"
    template.mkdir()
    (template / "hello").write_text("hello\n", encoding="utf-8")
    shop.run("build", NEW, "--template", str(template), "-o", "mine")
    mine = shop.path / "mine"
    # As if it had been built from another template that has the same digest.
    (template / "hello").write_text("hullo\n", encoding="utf-8")
    shop.run("build", NEW, "--template", str(template), "-o", "other")
    data = json.loads((shop.path / "other" / f"manifest-{NEW}.json").read_bytes())
    data["outputs"] = json.loads((mine / f"manifest-{NEW}.json").read_bytes())["outputs"]
    (mine / f"manifest-{NEW}.json").write_text(json.dumps(data), encoding="utf-8")
    options = ("rebuild", manifest(mine), "--check", "--template", str(template))
    out, err = shop.run(*options, status=1)
    assert "the same\n" in out
    said = f"initramfs-{NEW} of {NEW} does not come out again: /hello, byte 1 of its content"
    assert err.startswith(f"rdcompose: error: {said} (of the file: byte ")
    found = {row["name"]: row for row in json.loads(shop.run(*options, "--json", status=1)[0])}
    assert found[f"vmlinuz-{NEW}"] == {
        "build": NEW,
        "name": f"vmlinuz-{NEW}",
        "same": True,
        "remark": "",
    }
    (mine / f"initramfs-{NEW}").write_bytes(b"x")
    assert "is not what the manifest names, either" in shop.run(*options, status=1)[1]
    (mine / f"initramfs-{NEW}").unlink()
    assert "to compare with, is not there" in shop.run(*options, status=1)[1]


def test_all_builds_of_a_release(shop: Shop, first: Path) -> None:
    shop.run("build", NEW, "-o", "second")
    assert main(["release", str(first), str(shop.path / "second"), "-o", "rel", "--no-sbom"]) == 0
    release = str(shop.path / "rel" / "manifest.json")
    out, _ = shop.run("rebuild", release, "-o", str(shop.out))
    assert out.count("the same") == 8
    assert contents(shop.out / f"{NEW}.first") == contents(first)
    out, _ = shop.run("rebuild", release, "--check", "--only", f"{NEW}.second")
    assert out.count("the same") == 4
    assert f"initramfs-{NEW}.second  " in out
    _, err = shop.run("rebuild", release, "--check", "--only", "third", status=2)
    assert err == (
        "rdcompose: error: the manifest names no build 'third'\n"
        f"  hint: there is {NEW}.first, {NEW}.second\n"
    )


def test_what_is_kept_is_said(shop: Shop, first: Path) -> None:
    for options in ((), ("--check", "-o", "x")):
        _, err = shop.run("rebuild", manifest(first), *options, status=2)
        assert "is either only compared or kept" in err
    before = contents(first)
    _, err = shop.run("rebuild", manifest(first), "-o", str(first), status=2)
    assert "holds what is to be compared with" in err
    assert contents(first) == before


def test_what_is_gone_or_no_manifest(shop: Shop, first: Path) -> None:
    _, err = shop.run("rebuild", "none.json", "--check", status=1)
    assert (
        err == "rdcompose: error: cannot read the manifest none.json: No such file or directory\n"
    )
    shop.run("cache", "clean")
    for deb in shop.farm.debs():
        deb.unlink()
    _, err = shop.run("rebuild", manifest(first), "--check", status=1)
    assert "is not to be had" in err
