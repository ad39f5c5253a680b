"""``rdcompose build --emit``: written and removed with the other files, and locked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rdcompose.compose.inputs import digest
from rdcompose.compose.template import LIST_NAME, read_template, tree_bytes
from rdcompose.formats.compression import decompress
from rdcompose.formats.cpio import read_newc
from rdcompose.tree import Tree
from tests.cli.test_build import Workshop
from tests.support.packages import RELEASE

if TYPE_CHECKING:
    from pathlib import Path

BASE = f"embed-{RELEASE}"
ALL = ["--emit", "cpio", "--emit", "cpio-list", "--emit", "directory", "--emit", "tree"]


@pytest.fixture
def shop(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Workshop:
    return Workshop(tmp_path, capsys)


def emitted(shop: Workshop) -> set[str]:
    return {path.name.removeprefix(BASE) for path in shop.out.glob(f"{BASE}.*")}


def initramfs(shop: Workshop) -> Tree:
    tree = Tree()
    data = (shop.out / f"initramfs-{RELEASE}").read_bytes()
    for entry in read_newc(decompress(data, limit=1 << 30)):
        tree.add(entry)
    return tree


def test_every_form_holds_the_same(shop: Workshop) -> None:
    shop.build(*ALL)
    assert emitted(shop) == {".cpio", ".list", ".d", ".nodes", ".tree"}
    whole = tree_bytes(initramfs(shop))
    directory = shop.out / f"{BASE}.d"
    nodes = (shop.out / f"{BASE}.nodes").read_text(encoding="utf-8")
    (directory / LIST_NAME).write_text(nodes, encoding="utf-8")
    assert tree_bytes(read_template(directory)) == whole
    (directory / LIST_NAME).unlink()
    assert (shop.out / f"{BASE}.cpio").read_bytes() == decompress(
        (shop.out / f"initramfs-{RELEASE}").read_bytes(), limit=1 << 30
    )
    # Directories come in front of what is in them, all others once.
    names = [line.split()[1] for line in (shop.out / f"{BASE}.list").read_text().splitlines()]
    assert names == [f"/{entry.path}" for entry in initramfs(shop)]
    manifest = shop.manifest()
    assert manifest["initramfs"]["directory"] == {  # type: ignore[index]
        "name": f"{BASE}.d",
        "sha256": digest(whole),
    }
    assert manifest["options"]["emit"] == "cpio cpio-list directory tree"  # type: ignore[index]
    sums = (shop.out / "SHA256SUMS").read_text(encoding="utf-8")
    for suffix in (".cpio", ".list", ".nodes", ".tree"):
        assert f"{BASE}{suffix}\n" in sums


def test_forms_that_are_not_asked_for_any_more_go(shop: Workshop) -> None:
    shop.build(*ALL)
    shop.build("--emit", "tree")
    assert emitted(shop) == {".tree"}
    shop.build("--emit", "directory")
    assert emitted(shop) == {".d", ".nodes"}
    shop.build("--emit", "cpio-list")
    assert emitted(shop) == {".d", ".list"}
    shop.build()
    assert emitted(shop) == set()
    assert shop.manifest()["initramfs"]["directory"] is None  # type: ignore[index]


def test_a_directory_of_the_users_own_stays(shop: Workshop) -> None:
    mine = shop.out / f"{BASE}.d" / "mine"
    mine.parent.mkdir(parents=True)
    mine.write_bytes(b"precious")
    shop.build()
    assert mine.read_bytes() == b"precious"
    (shop.out / f"{BASE}.d").rename(shop.path / "aside")
    shop.build("--emit", "tree")
    (shop.path / "aside").rename(shop.out / f"{BASE}.d")
    mine = shop.out / f"{BASE}.d" / "mine"
    before = {path.name for path in shop.out.iterdir()}
    from rdcompose.cli.main import main

    assert main(shop.arguments("--emit", "directory")) == 1
    assert "it exists, and is not of an earlier composition" in shop.capsys.readouterr().err
    assert mine.read_bytes() == b"precious"
    assert {path.name for path in shop.out.iterdir()} == before


def test_locked(shop: Workshop) -> None:
    shop.build("--emit", "tree", "--emit", "cpio")
    first = shop.listing()
    lock = shop.write("lock.json", first[f"manifest-{RELEASE}.json"])
    for path in shop.out.iterdir():
        path.unlink()
    shop.build("--locked", str(lock))
    assert shop.listing() == first
    bad = shop.write("bad.json", lock.read_bytes().replace(b'"cpio tree"', b'"iso"'))
    assert "'iso' is not a valid EmitForm" in shop.fail("--locked", str(bad))


def test_a_form_that_is_none(shop: Workshop) -> None:
    with pytest.raises(SystemExit) as ended:
        shop.build("--emit", "iso")
    assert ended.value.code == 2
