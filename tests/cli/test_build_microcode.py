"""``rdcompose build --microcode``: by name from an archive of the tests, and from files."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from rdcompose.formats.compression import decompress
from rdcompose.tree import File, read_all
from tests.support.archive_packages import package
from tests.support.farm import ARM, NEW, SECURE, TRIXIE
from tests.support.microcode import make_amd, make_intel
from tests.support.newc import segments

if TYPE_CHECKING:
    from tests.cli.conftest import Shop

OLD, UPDATE = make_intel(revision=1), make_intel(revision=2)
COMPONENT = "non-free-firmware"


def intel(version: str, data: bytes) -> bytes:
    files = {"lib/firmware/intel-ucode/06-9e-0a": data}
    return package("intel-microcode", version, "amd64", {**files})


@pytest.fixture
def stocked(shop: Shop) -> Shop:
    """The archive has microcode, of Intel the newest in the security suite."""
    suite, security = shop.farm.bookworm, shop.farm.bookworm_security
    suite.components = ("main", COMPONENT)
    security.components = ("updates/main", f"updates/{COMPONENT}")
    suite.add(intel("3.1", OLD), COMPONENT)
    security.add(intel("3.2", UPDATE), f"updates/{COMPONENT}")
    amd = {"lib/firmware/amd-ucode/microcode_amd.bin": make_amd()}
    suite.add(package("amd64-microcode", "3.1", "amd64", {**amd}), COMPONENT)
    suite.write()
    security.write()
    return shop


def early(shop: Shop, release: str = NEW) -> dict[str, bytes]:
    """Return the files of the first segment."""
    data = (shop.out / f"initramfs-{release}").read_bytes()
    first, second = segments(data)
    assert (first.offset, first.compression) == (0, "none")
    assert second.offset % 512 == 0
    assert "init" in {entry.path for entry in second.entries}
    entries = [entry for entry in first.entries if isinstance(entry, File)]
    return {entry.path: read_all(entry.content) for entry in entries}


def test_by_name(stocked: Shop) -> None:
    out, _ = stocked.run(
        "build", NEW, "--microcode", "intel-microcode", "--microcode", "amd64-microcode"
    )
    assert early(stocked) == {
        "kernel/x86/microcode/AuthenticAMD.bin": make_amd(),
        "kernel/x86/microcode/GenuineIntel.bin": UPDATE,
    }
    assert "; in front of it 1.2 kB of microcode\n" in out
    manifest = stocked.manifest(NEW)
    assert manifest["options"]["microcode"] == "intel-microcode amd64-microcode"
    rows = [row for row in manifest["inputs"] if row["role"] == "microcode"]
    assert [(row["package"], row["version"], row["archive"]["suite"]) for row in rows] == [
        ("intel-microcode", "3.2", "bookworm-security"),
        ("amd64-microcode", "3.1", "bookworm"),
    ]
    size = (stocked.out / f"initramfs-{NEW}").stat().st_size
    names, sizes = zip(
        *((row["name"], row["size"]) for row in manifest["initramfs"]["segments"]), strict=True
    )
    assert names == ("early", "main")
    assert sum(sizes) == size
    assert sizes[0] % 512 == 0
    assert manifest["initramfs"]["microcode"] == [
        {"path": "kernel/x86/microcode/GenuineIntel.bin", "size": 1024, "updates": 1},
        {"path": "kernel/x86/microcode/AuthenticAMD.bin", "size": 216, "updates": 1},
    ]


def test_no_further_index_is_fetched_for_others(stocked: Shop) -> None:
    stocked.run("build", NEW)
    assert stocked.server.paths(f"*/{COMPONENT}/*") == []
    manifest = stocked.manifest(NEW)
    assert [row["name"] for row in manifest["initramfs"]["segments"]] == ["main"]
    assert manifest["initramfs"]["microcode"] == []
    assert "microcode" not in manifest["options"]


@pytest.mark.parametrize("compress", ["none", "lz4", "xz"])
def test_before_any_compression(stocked: Shop, compress: str) -> None:
    stocked.path.joinpath("intel.bin").write_bytes(OLD)
    stocked.run("build", NEW, "--microcode", "intel.bin", "--compress", compress)
    assert early(stocked) == {"kernel/x86/microcode/GenuineIntel.bin": OLD}


def test_locked(stocked: Shop) -> None:
    stocked.path.joinpath("intel.bin").write_bytes(OLD)
    options = ("--microcode", "amd64-microcode", "--microcode", "./intel.bin")
    stocked.run("build", NEW, *options, "-o", "first")
    lock = f"first/manifest-{NEW}.json"
    stocked.farm.bookworm.add(
        package(
            "amd64-microcode",
            "3.5",
            "amd64",
            {"lib/firmware/amd-ucode/microcode_amd.bin": make_amd(patches=2)},
        ),
        COMPONENT,
    )
    stocked.farm.bookworm.date = stocked.farm.bookworm.date.replace(year=2025)
    stocked.farm.bookworm.write()
    stocked.run("cache", "clean")
    stocked.run("build", "--locked", lock)
    first = {path.name: path.read_bytes() for path in (stocked.path / "first").iterdir()}
    assert {path.name: path.read_bytes() for path in stocked.out.iterdir()} == first


def test_what_a_lock_does_not_allow(stocked: Shop) -> None:
    stocked.run("build", NEW, "--microcode", "amd64-microcode", "-o", "first")
    lock = f"first/manifest-{NEW}.json"
    err = stocked.error("build", "--locked", lock, "--microcode", "intel-microcode")
    assert "--microcode intel-microcode is not among what" in err
    err = stocked.error("build", "--locked", lock, "--microcode", "none")
    assert "locks the microcode amd64-microcode, which is not used here" in err
    stocked.path.joinpath("amd.bin").write_bytes(make_amd())
    err = stocked.error("build", "--locked", lock, "--microcode", "./amd.bin")
    assert "the microcode amd.bin is not among what" in err or "which is not used here" in err
    data = json.loads((stocked.path / lock).read_text())
    data["options"]["microcode"] = "A B"
    (stocked.path / lock).write_text(json.dumps(data))
    assert "is no manifest: --microcode 'A'" in stocked.error("build", "--locked", lock)


def test_where_it_is_not(stocked: Shop) -> None:
    err = stocked.error("build", NEW, "--microcode", "intel-microcod")
    assert "no package intel-microcod for amd64" in err
    assert "bookworm has none" in err
    # Nothing is looked up, and no kernel fetched, for what cannot be.
    stocked.server.requests.clear()
    err = stocked.error("build", ARM, "--microcode", "intel-microcode")
    assert "--microcode is for amd64 and i386" in err
    assert stocked.server.requests == []
    err = stocked.error("build", NEW, "--microcode", "none", "--microcode", "x.bin", status=2)
    assert "none goes with no other" in err


def test_none(stocked: Shop) -> None:
    stocked.run("build", SECURE, "--microcode", "none")
    data = (stocked.out / f"initramfs-{SECURE}").read_bytes()
    assert decompress(data, limit=1 << 30).startswith(b"070701")


def test_in_non_free_of_old_releases(shop: Shop) -> None:
    suite = shop.farm.trixie
    suite.components = ("main", "non-free")
    suite.add(intel("3.1", OLD), "non-free")
    suite.write()
    shop.run("build", TRIXIE, "--suite", "trixie", "--microcode", "intel-microcode")
    assert early(shop, TRIXIE) == {"kernel/x86/microcode/GenuineIntel.bin": OLD}
