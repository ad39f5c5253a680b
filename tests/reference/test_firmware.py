"""Firmware of Debian's packages for Debian's modules, against modinfo and dpkg-deb."""

from __future__ import annotations

import gzip
import json
import sys
import urllib.request
from typing import TYPE_CHECKING

import pytest

from rdcompose.compose.filesource import FIRMWARE, Source, SourceRequest
from rdcompose.compose.firmware_packages import package_of
from rdcompose.compose.firmware_source import open_store
from rdcompose.compose.inputs import InputFile
from rdcompose.formats.compression import decompress
from rdcompose.formats.cpio import read_newc
from rdcompose.tree import File, read_all
from tests.support.kernels import mirrors, package, unpacked
from tests.support.tools import run, tool

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.reference

MODULES = ("bnx2", "cfg80211", "isci", "r8169", "rtw88_8822b")
PACKAGES = ("firmware-realtek", "firmware-bnx2", "firmware-linux-free")
KERNEL = ("bookworm", "amd64", "linux-image-amd64")


def initramfs(tmp_path: Path, *options: str | Path) -> dict[str, bytes]:
    """Return the firmware in an initramfs with the modules."""
    lists, out = tmp_path / "lists", tmp_path / "out"
    lists.mkdir(exist_ok=True)
    (lists / "modules.ramfs").write_text("\n".join(MODULES))
    run(
        *(sys.executable, "-m", "rdcompose", "build", package(*KERNEL), "-q", "-o", out),
        *("--busybox", package("bookworm", "amd64", "busybox-static"), "--e2fsck", "none"),
        *("--profile", lists, "--disk", "none", *options),
    )
    [path] = out.glob("initramfs-*")
    entries = read_newc(decompress(path.read_bytes(), limit=1 << 30))
    return {
        entry.path: read_all(entry.content)
        for entry in entries
        if isinstance(entry, File) and entry.path.startswith("lib/firmware/")
    }


def test_packages_and_directories(tmp_path: Path) -> None:
    debs = [package("bookworm", "amd64", name) for name in PACKAGES]
    found = initramfs(tmp_path, *(word for deb in debs for word in ("--firmware-from", deb)))
    trees = [unpacked("bookworm", "amd64", name) for name in PACKAGES]
    kernel = unpacked(*KERNEL)
    expected: dict[str, bytes] = {}
    missing: list[str] = []
    for module in MODULES:
        [path] = kernel.rglob(f"{module}.ko")
        for name in run(tool("modinfo"), "-F", "firmware", path).split():
            files = [tree / "lib/firmware" / name for tree in trees]
            contents = [file.read_bytes() for file in files if file.is_file()]
            expected |= {f"lib/firmware/{name}": data for data in contents}
            missing += [] if contents else [name]
    assert len(expected) > 25
    assert found == expected
    [path] = (tmp_path / "out").glob("manifest-*")
    manifest = json.loads(path.read_text())
    notes = "; ".join(note for note in manifest["notes"] if "firmware" in note)
    assert missing
    assert all(name in notes for name in missing)
    # The same from the packages as they are when they are installed.
    assert (
        initramfs(tmp_path, *(word for tree in trees for word in ("--firmware-from", tree)))
        == expected
    )


@pytest.mark.parametrize("suite", ["bookworm", "trixie"])
def test_alternatives(suite: str) -> None:
    path = package(suite, "amd64", "wireless-regdb")
    request = SourceRequest(FIRMWARE, "wireless-regdb", "wireless-regdb", None)
    store = open_store(Source(request, InputFile(path=path)), lambda _: False)
    assert store.links == {
        "lib/firmware/regulatory.db": "regulatory.db-debian",
        "lib/firmware/regulatory.db.p7s": "regulatory.db.p7s-debian",
    }
    assert store.links.keys() <= {path.removesuffix("-debian") for path in store.files}


def test_where_firmware_is_said_to_be() -> None:
    main, _ = mirrors()
    url = f"{main.rstrip('/')}/dists/trixie/non-free-firmware/Contents-all.gz"
    with urllib.request.urlopen(url, timeout=60) as answer:
        lines = gzip.decompress(answer.read()).decode().splitlines()
    rows = [line.rsplit(maxsplit=1) for line in lines]
    owners = {
        path.removeprefix("usr/lib/firmware/"): {
            each.rpartition("/")[2] for each in names.split(",")
        }
        for path, names in rows
        if path.startswith("usr/lib/firmware/")
    }
    # It has its own copies for its own boards.
    owners = {name: packages for name, packages in owners.items() if packages != {"raspi-firmware"}}
    told = {name: package for name in owners if (package := package_of(name)) is not None}
    assert {name: package for name, package in told.items() if package not in owners[name]} == {}
    assert len(told) > 0.98 * len(owners) > 4000
