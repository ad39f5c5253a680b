"""``rdcompose build --firmware``: from an archive of the tests, from files and directories."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pytest

from rdcompose.formats.compression import decompress
from rdcompose.formats.cpio import read_newc
from rdcompose.tree import File, Symlink, read_all
from tests.support.archive_packages import package
from tests.support.modules import make_ko
from tests.support.packages import RELEASE, VERMAGIC, kernel_deb, module, sample_files

if TYPE_CHECKING:
    from tests.cli.conftest import Shop
    from tests.support.debs import Content

COMPONENT = "non-free-firmware"
LIST = "nic\nsquashfs\noverlay\n"


def nic_package(version: str, data: bytes) -> bytes:
    files: dict[str, Content] = {
        "usr/lib/firmware/nic/a.fw": "a-1.fw",
        "usr/lib/firmware/nic/a-1.fw": data,
        "usr/lib/firmware/nic/big.fw": b"big",
    }
    return package("firmware-nic", version, "all", files)


@pytest.fixture
def stocked(shop: Shop) -> Shop:
    """A kernel whose driver names firmware, and an archive that has it."""
    names = [("firmware", "nic/a.fw"), ("firmware", "gone.fw"), ("vermagic", VERMAGIC)]
    modules = {
        "kernel/drivers/net/nic.ko": make_ko(names),
        "kernel/drivers/net/other.ko": make_ko([("firmware", "other.fw"), ("vermagic", VERMAGIC)]),
        "kernel/fs/overlayfs/overlay.ko": module(),
        "kernel/fs/squashfs/squashfs.ko": module(),
    }
    (shop.path / "kernel.deb").write_bytes(kernel_deb(sample_files(modules=modules)))
    (shop.path / "lists").mkdir()
    (shop.path / "lists/modules.ramfs").write_text(LIST)
    suite = shop.farm.bookworm
    suite.components = ("main", COMPONENT)
    suite.add(nic_package("1.0", b"a"), COMPONENT)
    suite.write()
    return shop


def arguments(*options: str) -> tuple[str, ...]:
    return ("build", "./kernel.deb", "--profile", "./lists", *options)


def initramfs(shop: Shop) -> dict[str, bytes | str]:
    """Return what is below /lib/firmware."""
    data = decompress((shop.out / f"initramfs-{RELEASE}").read_bytes(), limit=1 << 30)
    found: dict[str, bytes | str] = {}
    for entry in read_newc(data):
        if entry.path.startswith("lib/firmware/") and isinstance(entry, File):
            found[entry.path] = read_all(entry.content)
        elif entry.path.startswith("lib/firmware/") and isinstance(entry, Symlink):
            found[entry.path] = entry.target
    return found


def same(shop: Shop, first: str = "first") -> bool:
    files = {path.name: path.read_bytes() for path in (shop.path / first).iterdir()}
    return files == {path.name: path.read_bytes() for path in shop.out.iterdir()}


def notes(manifest: dict[str, Any]) -> list[str]:
    return [note for note in manifest["notes"] if "firmware" in note]


def test_by_name(stocked: Shop) -> None:
    out, err = stocked.run(*arguments("--firmware-from", "firmware-nic"))
    assert initramfs(stocked) == {
        "lib/firmware/nic/a-1.fw": b"a",
        "lib/firmware/nic/a.fw": "a-1.fw",
    }
    assert "2 files of firmware, 3 modules, " in out
    manifest = stocked.manifest(RELEASE)
    assert manifest["initramfs"]["firmware"] == [
        {
            "path": "/lib/firmware/nic/a-1.fw",
            "source": "firmware-nic 1.0",
            "why": "where /lib/firmware/nic/a.fw leads to",
        },
        {
            "path": "/lib/firmware/nic/a.fw",
            "source": "firmware-nic 1.0",
            "why": "named by the module nic",
        },
    ]
    assert manifest["options"]["firmware-from"] == "firmware-nic"
    assert "firmware" not in manifest["options"]
    [row] = [row for row in manifest["inputs"] if row["role"] == "firmware"]
    assert (row["package"], row["architecture"], row["source"]) == (
        "firmware-nic",
        "all",
        "archive",
    )
    # Quietly: it is a note.
    assert notes(manifest) == ["no source has firmware that nic names: gone.fw"]
    assert err == ""


def test_note_where_nobody_thought_of_it(stocked: Shop) -> None:
    stocked.run(*arguments())
    [note] = notes(stocked.manifest(RELEASE))
    assert note == "no firmware is put in, and modules name some: nic"
    assert stocked.server.paths(f"*/{COMPONENT}/*") == []
    stocked.run(*arguments("--firmware", "none"))
    assert notes(stocked.manifest(RELEASE)) == []


def test_directory_and_list(stocked: Shop) -> None:
    root = stocked.path / "firmware"
    (root / "nic").mkdir(parents=True)
    (root / "nic/a.fw").write_bytes(b"own")
    (root / "extra.bin").write_bytes(b"extra")
    (stocked.path / "lists/firmware").write_text("# ours\nextra.bin # for tests\n")
    options = ("--firmware-from", "./firmware", "--firmware-from", "firmware-nic")
    stocked.run(*arguments(*options))
    assert initramfs(stocked) == {
        "lib/firmware/extra.bin": b"extra",
        "lib/firmware/nic/a.fw": b"own",
    }
    manifest = stocked.manifest(RELEASE)
    reasons = {
        row["path"]: (row["source"], row["why"]) for row in manifest["initramfs"]["firmware"]
    }
    assert reasons["/lib/firmware/extra.bin"] == (
        *("./firmware", "listed: 'extra.bin' in lists/firmware:2"),
    )
    rows = [row for row in manifest["inputs"] if row["role"] == "firmware"]
    assert [(row["file"], row["source"]) for row in rows] == [
        ("firmware", "local directory"),
        (rows[1]["file"], "archive"),
    ]
    assert "lists/firmware" in {row["file"] for row in manifest["inputs"]}
    stocked.run(*arguments(*options, "--firmware", "listed"))
    assert set(initramfs(stocked)) == {"lib/firmware/extra.bin"}
    stocked.run(*arguments("--firmware", "none"))
    assert initramfs(stocked) == {}


def test_profile_with_sources(stocked: Shop) -> None:
    own = stocked.path / "lists/blobs/nic"
    own.mkdir(parents=True)
    (own / "own.fw").write_bytes(b"own")
    (stocked.path / "lists/firmware").write_text("nic/own.fw\n@from ./blobs\n@from firmware-nic\n")
    stocked.run(*arguments("-o", "first"))
    lock = f"first/manifest-{RELEASE}.json"
    stocked.run(*arguments("--locked", lock))
    assert same(stocked)
    assert set(initramfs(stocked)) == {
        "lib/firmware/nic/a-1.fw",
        "lib/firmware/nic/a.fw",
        "lib/firmware/nic/own.fw",
    }
    assert "firmware-from" not in stocked.manifest(RELEASE)["options"]
    # What the options name comes first, and nothing twice.
    stocked.run(*arguments("--firmware-from", "firmware-nic", "--firmware", "listed"))
    manifest = stocked.manifest(RELEASE)
    rows = [row.get("package") for row in manifest["inputs"] if row["role"] == "firmware"]
    assert rows == ["firmware-nic", None]
    assert set(initramfs(stocked)) == {"lib/firmware/nic/own.fw"}
    stocked.run(*arguments("--firmware", "none"))
    assert initramfs(stocked) == {}
    (stocked.path / "lists/firmware").write_text("@from Nic\n")
    shutil.rmtree(stocked.out)
    assert "lists/firmware:1: 'Nic' is no name of a package" in stocked.error(*arguments())
    (stocked.path / "lists/firmware").write_text("@from gone-nic\n")
    assert "lists/firmware:1: gone-nic: no package gone-nic" in stocked.error(*arguments())
    (stocked.path / "lists/firmware").write_text("nic/a.fw\n")
    assert "the profile lists firmware, and there is no" in stocked.error(*arguments())


def test_locked(stocked: Shop) -> None:
    root = stocked.path / "firmware"
    root.mkdir()
    (root / "gone.fw").write_bytes(b"here")
    options = ("--firmware", "auto", "--firmware-from", "./firmware")
    stocked.run(*arguments(*options, "--firmware-from", "firmware-nic", "-o", "first"))
    lock = f"first/manifest-{RELEASE}.json"
    stocked.farm.bookworm.add(nic_package("2.0", b"new"), COMPONENT)
    stocked.farm.bookworm.date = stocked.farm.bookworm.date.replace(year=2025)
    stocked.farm.bookworm.write()
    stocked.run(*arguments("--locked", lock))
    assert same(stocked)
    shutil.rmtree(stocked.out)
    # What is taken of a directory counts, and nothing else in it.
    (root / "else.fw").write_bytes(b"else")
    stocked.run(*arguments("--locked", lock))
    assert same(stocked)
    shutil.rmtree(stocked.out)
    (root / "gone.fw").write_bytes(b"changed")
    err = stocked.error(*arguments("--locked", lock))
    assert "the firmware firmware is not the one that first/manifest" in err
    shutil.rmtree(root)
    err = stocked.error(*arguments("--locked", lock))
    assert "--firmware-from ./firmware is not among what" in err
    err = stocked.error(*arguments("--locked", lock, "--firmware", "none"))
    assert "locks the firmware firmware" in err


@pytest.mark.parametrize(
    ("options", "status", "message"),
    [
        (("--firmware", "auto"), 1, "--firmware auto wants firmware, and there is no source"),
        (("--firmware", "listed", "--firmware-from", "firmware-nic"), 1, "lists none"),
        (("--firmware", "none", "--firmware-from", "firmware-nic"), 2, "has no meaning"),
        (("--firmware-from", "firmware-none"), 1, "no package firmware-none for amd64"),
        (("--firmware-from", "./nothing"), 1, "cannot read the package nothing"),
        (("--firmware-from", "busybox-static"), 1, "there is no firmware in busybox-static"),
        (("--firmware-from", "A"), 1, "is no name of a package"),
    ],
    ids=("no-source", "no-list", "none", "no-package", "no-file", "no-firmware", "no-name"),
)
def test_errors(stocked: Shop, options: tuple[str, ...], status: int, message: str) -> None:
    assert message in stocked.error(*arguments(*options), status=status)
