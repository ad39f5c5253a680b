"""``rdcompose build --module``: modules of one's own, from the command line to the disk."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.test_build import Workshop
from tests.support.debs import make_deb
from tests.support.images import make_bzimage
from tests.support.own_modules import CORE, PLAIN, RELEASE, kernel_image, own_module, sample_modules
from tests.support.packages import CONFIG, kernel_deb, sample_files

if TYPE_CHECKING:
    from pathlib import Path

GOOD = own_module("good", {"kfree": PLAIN["kfree"]}, modinfo=["alias=pci:v00001234*"])
BASE = f"lib/modules/{RELEASE}"


@pytest.fixture
def shop(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Workshop:
    shop = Workshop(tmp_path, capsys)
    modules = sample_modules() | {
        "kernel/fs/overlayfs/overlay.ko": own_module("overlay"),
        "kernel/fs/squashfs/squashfs.ko": own_module("squashfs"),
    }
    files = sample_files(modules=modules)
    files[f"boot/config-{RELEASE}"] = f"{CONFIG}CONFIG_MODVERSIONS=y\n".encode()
    files[f"boot/vmlinuz-{RELEASE}"] = make_bzimage(
        RELEASE, payload=gzip.compress(kernel_image(), mtime=0)
    )
    shop.write("kernel.deb", kernel_deb(files))
    shop.write("lists/modules.ramfs", b"user\n")
    shop.write("lists/modules.autoload", b"")
    return shop


def own(shop: Workshop) -> list[dict[str, Any]]:
    rows = shop.manifest()["own_modules"]
    assert isinstance(rows, list)
    return rows


def test_on_the_disk_and_in_its_indexes(shop: Workshop) -> None:
    shop.build("--module", str(shop.write("good.ko", GOOD)))
    disk = shop.disk()
    assert disk[f"{RELEASE}/updates/good.ko"] == GOOD
    assert b"updates/good.ko:" in disk[f"{RELEASE}/modules.dep"]
    assert b"alias pci:v00001234* good\n" in disk[f"{RELEASE}/modules.alias"]
    assert f"{BASE}/updates/good.ko" not in shop.initramfs()
    assert own(shop) == [
        {"name": "good", "path": "updates/good.ko", "in": ["disk"], "replaces": None, "taints": "O"}
    ]


def test_what_is_said_of_it(shop: Workshop) -> None:
    shop.build("--module", str(shop.write("good.ko", GOOD)))
    assert "updates/good.ko, your own: disk\n" in shop.capsys.readouterr().out
    shop.build("--json")
    assert json.loads(shop.capsys.readouterr().out)["own_modules"] == []
    taints = {
        "signed": False,
        "out_of_tree": ["overlay", "squashfs"],
        "staging": [],
        "unsigned": [],
    }
    assert shop.manifest()["taints"] == taints


def test_in_the_initramfs_where_the_list_names_it(shop: Workshop) -> None:
    shop.write("lists/modules.ramfs", b"user\ngood\n")
    shop.build("--module", str(shop.write("good.ko", GOOD)))
    assert f"{BASE}/updates/good.ko" in shop.initramfs()
    assert f"{RELEASE}/updates/good.ko" not in shop.disk()
    assert own(shop)[0]["in"] == ["initramfs"]
    shop.build("--module", str(shop.path / "good.ko"), "--disk", "all")
    assert own(shop)[0]["in"] == ["initramfs", "disk"]


def test_one_that_takes_the_place_of_another(shop: Workshop) -> None:
    new = own_module("core", {"kfree": PLAIN["kfree"]}, exports=CORE)
    shop.write("lists/modules.ramfs", b"core.ko\n")
    shop.build("--module", str(shop.write("core.ko", new)))
    files = shop.initramfs()
    assert f"{BASE}/updates/core.ko" in files
    assert f"{BASE}/kernel/core.ko" not in files
    assert own(shop)[0]["replaces"] == "kernel/core.ko"
    notes = shop.manifest()["notes"]
    assert "updates/core.ko takes the place of the kernel's own kernel/core.ko" in str(notes)


def test_a_package_and_a_directory(shop: Workshop) -> None:
    files = {f"{BASE}/updates/dkms/good.ko": GOOD, "lib/modules/5.10/updates/dkms/good.ko": GOOD}
    control = {"Package": "good-modules", "Version": "1.2", "Architecture": "amd64"}
    shop.write("good.deb", make_deb({**files}, control=control))
    shop.write("more/more.ko", own_module("more"))
    shop.build("--module", str(shop.path / "good.deb"), "--module", str(shop.path / "more"))
    assert [row["path"] for row in own(shop)] == ["updates/dkms/good.ko", "updates/more.ko"]
    inputs = shop.manifest()["inputs"]
    assert isinstance(inputs, list)
    rows = [row for row in inputs if row["role"] == "module"]
    assert [(row["file"], row["source"], row.get("package")) for row in rows] == [
        ("good.deb", "local file", "good-modules"),
        ("more", "local directory", None),
    ]
    assert shop.manifest()["notes"] == ["left out of good-modules: 1 modules for 5.10"]


def test_one_that_does_not_fit_writes_nothing(shop: Workshop) -> None:
    bad = own_module("bad", {"kfree": 1}, vermagic=f"6.1.0-6-cloud-amd64 SMP {'mod_unload '}")
    message = shop.fail("--module", str(shop.write("bad.ko", bad)))
    assert message == (
        f"the module bad.ko does not fit the kernel {RELEASE}: its release is "
        "6.1.0-6-cloud-amd64; it was built without preempt (preemption) and modversions (versions "
        "of symbols); of its 2 symbols, 1 have other versions in this kernel: kfree"
    )


def test_nowhere(shop: Workshop) -> None:
    shop.write("good.ko", GOOD)
    message = shop.fail("--module", str(shop.path / "good.ko"), "--disk", "none")
    assert "the module good would be nowhere" in message


def test_usage(shop: Workshop) -> None:
    shop.write("Module.symvers", b"")
    message = shop.fail("--symvers", str(shop.path / "Module.symvers"), status=2)
    assert message == "--symvers has no meaning without --module"


@pytest.fixture
def locked(shop: Workshop) -> tuple[Workshop, list[str]]:
    """A shop with a composition, and the options that make it again."""
    lines = "".join(
        f"{crc:#010x}\t{name}\tvmlinux\tEXPORT_SYMBOL\t\n" for name, crc in PLAIN.items()
    )
    shop.write("Module.symvers", lines.encode())
    shop.write("good.ko", GOOD)
    shop.build(
        "--module", str(shop.path / "good.ko"), "--symvers", str(shop.path / "Module.symvers")
    )
    (shop.out / f"manifest-{RELEASE}.json").rename(shop.path / "lock.json")
    return shop, ["--locked", str(shop.path / "lock.json")]


def test_locked(locked: tuple[Workshop, list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    shop, options = locked
    first = {name: data for name, data in shop.listing().items() if name != "SHA256SUMS"}
    monkeypatch.chdir(shop.path)
    shop.build(*options)
    again = shop.listing()
    assert {name: again[name] for name in first} == first
    assert json.loads((shop.path / "lock.json").read_bytes()) == shop.manifest()
    assert shop.manifest()["options"] == {
        **shop.manifest()["options"],  # type: ignore[dict-item]
        "module": "./good.ko",
        "symvers": "./Module.symvers",
    }


def test_locked_with_another_module(locked: tuple[Workshop, list[str]]) -> None:
    shop, options = locked
    other = shop.write("new/good.ko", own_module("good"))
    message = shop.fail(
        *options, "--module", str(other), "--symvers", str(shop.path / "Module.symvers")
    )
    assert message.startswith("the module good.ko is not the one that ")
    more = shop.write("more.ko", own_module("more"))
    message = shop.fail(
        *options, "--module", str(more), "--symvers", str(shop.path / "Module.symvers")
    )
    assert "module good.ko, which is not used here" in message
