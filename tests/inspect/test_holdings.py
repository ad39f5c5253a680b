from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from rdcompose.errors import SpecError
from rdcompose.formats.compression import compress
from rdcompose.inspect.holdings import read_holdings
from tests.support.artifacts import (
    BLOCK,
    DUMMY,
    MODULES,
    RING,
    disk_bytes,
    disk_files,
    initramfs_bytes,
    initramfs_files,
    module,
    write_sound,
)
from tests.support.modules import make_ko
from tests.support.packages import RELEASE

if TYPE_CHECKING:
    from pathlib import Path

OTHER = "6.1.0-8-cloud-amd64"
INITRAMFS = f"initramfs-{RELEASE}"
DISK = f"modules-{RELEASE}.qcow2"


def test_a_directory(tmp_path: Path) -> None:
    write_sound(tmp_path)
    # None of these have modules.
    (tmp_path / "notes.txt").write_text("nothing")
    (tmp_path / "vmlinuz").symlink_to(f"vmlinuz-{RELEASE}")
    (tmp_path / "linux.deb").write_bytes(b"!<arch>\n")
    (tmp_path / "empty").mkdir()
    found = read_holdings([tmp_path])
    assert found.release == RELEASE
    assert found.initramfs == dict.fromkeys(("virtio_ring", "virtio_blk"), INITRAMFS)
    assert found.disk == {"dummy": DISK}
    assert set(found.graph.modules) == {"virtio_ring", "virtio_blk", "dummy"}
    assert found.graph.direct("virtio_blk") == ("virtio_ring",)
    assert set(found.elf) == {"virtio_ring", "virtio_blk"}
    assert found.config is not None
    assert found.manifest is not None
    assert found.whole
    assert found.problems == ()


def test_one_file(tmp_path: Path) -> None:
    write_sound(tmp_path)
    (tmp_path / f"manifest-{RELEASE}.json").unlink()
    found = read_holdings([tmp_path / INITRAMFS])
    assert (found.whole, found.disk, found.config, found.manifest) == (False, {}, None, None)
    found = read_holdings([tmp_path / DISK], wanted=lambda name: name == "dummy")
    assert (found.whole, found.initramfs, set(found.elf)) == (True, {}, {"dummy"})


def test_what_lies_beside_a_file_that_was_built(tmp_path: Path) -> None:
    write_sound(tmp_path)
    sizes = {path.name: path.stat().st_size for path in tmp_path.iterdir()}
    told = {
        "schema": 1,
        "release": RELEASE,
        "outputs": [{"name": name, "size": size} for name, size in sizes.items()],
    }
    beside = tmp_path / f"manifest-{RELEASE}.json"
    beside.write_text(json.dumps(told))
    found = read_holdings([tmp_path / INITRAMFS])
    assert (found.manifest, found.whole) == (told, False)
    assert found.config is not None
    # In a release, builds of one kernel have names.
    (tmp_path / f"{INITRAMFS}.small").write_bytes((tmp_path / INITRAMFS).read_bytes())
    (tmp_path / f"manifest-{RELEASE}.small.json").write_text(json.dumps(told))
    named = read_holdings([tmp_path / f"{INITRAMFS}.small"])
    assert (named.manifest, named.config is not None) == (told, True)
    # Another of the same name is none of its business.
    told["outputs"] = [{"name": INITRAMFS, "size": 1}, 2, {"name": 3}]
    beside.write_text(json.dumps(told))
    found = read_holdings([tmp_path / INITRAMFS])
    assert (found.manifest, found.config) == (None, None)


def test_a_root_filesystem(tmp_path: Path) -> None:
    """Whoever names one means what is in it; in a directory it is passed over."""
    files = {"bin/sh": b"", **{path: data for path, data in initramfs_files().items() if data}}
    (tmp_path / "root.squashfs").write_bytes(disk_bytes(files, container="raw"))
    assert set(read_holdings([tmp_path / "root.squashfs"]).disk) == {"virtio_ring", "virtio_blk"}


def test_files_that_are_kept_for_rescue(tmp_path: Path) -> None:
    write_sound(tmp_path)
    (tmp_path / f"initrd.img-{RELEASE}.old").write_bytes(
        initramfs_bytes({f"{MODULES}/kernel/old.ko": make_ko()})
    )
    assert set(read_holdings([tmp_path]).initramfs) == {"virtio_ring", "virtio_blk"}


def test_an_unpacked_tree(tmp_path: Path) -> None:
    base = tmp_path / "usr" / MODULES / "kernel"
    base.mkdir(parents=True)
    (base / "a.ko").write_bytes(make_ko({"depends": "b"}))
    (base / "b.ko.xz").write_bytes(compress("xz", make_ko({"alias": "x"}), 1))
    found = read_holdings([tmp_path], wanted=lambda name: name == "b")
    assert (found.release, set(found.initramfs)) == (RELEASE, {"a", "b"})
    assert found.graph.direct("a") == ("b",)
    assert found.elf["b"].values("alias") == ("x",)


def test_files_beside_what_they_were_made_of(tmp_path: Path) -> None:
    write_sound(tmp_path)
    base = tmp_path / MODULES / "kernel"
    base.mkdir(parents=True)
    (base / "other.ko").write_bytes(make_ko())
    found = read_holdings([tmp_path])
    assert set(found.initramfs.values()) == {INITRAMFS}
    assert found.disk == {"dummy": DISK}


def test_a_module_directory(tmp_path: Path) -> None:
    """What is at ``/lib/modules/R`` of a machine."""
    base = tmp_path / OTHER
    (base / "kernel").mkdir(parents=True)
    (base / "kernel/a.ko").write_bytes(make_ko({"alias": "x"}))
    (base / "modules.order").write_text("kernel/a.ko\n")
    (base / "modules.alias").write_text("alias x a\n")
    found = read_holdings([base])
    assert (found.release, found.whole, found.disk) == (OTHER, True, {"a": str(OTHER)})
    assert found.graph.resolve("x") == ("a",)


def test_damaged_index(tmp_path: Path) -> None:
    files = initramfs_files() | {f"{MODULES}/modules.symbols.bin": b"no index"}
    del files[f"{MODULES}/modules.dep"]
    files[f"{MODULES}/modules.dep.bin"] = b"no index"
    (tmp_path / "initrd.img").write_bytes(initramfs_bytes(files))
    found = read_holdings([tmp_path / "initrd.img"])
    assert found.graph.direct("virtio_blk") == ("virtio_ring",)
    (problem,) = found.problems
    assert problem.startswith("an index of modules cannot be read: ")


def test_modules_that_are_loaded_at_boot(tmp_path: Path) -> None:
    files = initramfs_files() | {
        "etc/modules.autoload": b"virtio_blk\n# virtio_ring\n",
        "conf/modules": b"virtio-blk\nvirtio_ring\n",
    }
    (tmp_path / "initrd.img").write_bytes(initramfs_bytes(files))
    assert read_holdings([tmp_path / "initrd.img"]).loaded == {
        "virtio_blk": "conf/modules",
        "virtio_ring": "conf/modules",
    }


def test_several_kernels(tmp_path: Path) -> None:
    write_sound(tmp_path)
    files = {f"lib/modules/{OTHER}/{RING}": module()}
    (tmp_path / f"initramfs-{OTHER}").write_bytes(initramfs_bytes(files))
    with pytest.raises(SpecError, match="modules of several kernels") as caught:
        read_holdings([tmp_path])
    assert caught.value.message.endswith(f"{RELEASE}, {OTHER}")
    assert set(read_holdings([tmp_path], OTHER).initramfs) == {"virtio_ring"}
    with pytest.raises(SpecError, match=r"no modules of 6\.2"):
        read_holdings([tmp_path], "6.2")


def test_several_builds_of_one_kernel(tmp_path: Path) -> None:
    """As in the directory of a release: none of them is preferred, and they are not mixed."""
    write_sound(tmp_path)
    (tmp_path / f"{INITRAMFS}.small").write_bytes(initramfs_bytes(initramfs_files()))
    with pytest.raises(SpecError, match="several initramfs of one kernel") as caught:
        read_holdings([tmp_path])
    assert caught.value.message.endswith(f": {INITRAMFS}, {INITRAMFS}.small")
    assert caught.value.hint == "name one of them, and its modules disk"
    named = read_holdings([tmp_path / f"{INITRAMFS}.small", tmp_path / DISK])
    assert set(named.initramfs.values()) == {f"{INITRAMFS}.small"}


def test_the_index_that_knows_most(tmp_path: Path) -> None:
    """The initramfs has busybox's index of its own modules, the disk kmod's of all."""
    aliases = {f"{RELEASE}/modules.alias": b"alias pci:* dummy\nalias virtio:* virtio_blk\n"}
    held = initramfs_files() | {f"{MODULES}/modules.alias": b"alias virtio:* virtio_blk\n"}
    (tmp_path / INITRAMFS).write_bytes(initramfs_bytes(held))
    (tmp_path / DISK).write_bytes(disk_bytes(disk_files() | aliases))
    graph = read_holdings([tmp_path / INITRAMFS, tmp_path / DISK]).graph
    assert graph.resolve("pci:1") == ("dummy",)
    assert graph.aliased == {"dummy", "virtio_blk"}
    assert graph.modules["dummy"].path == DUMMY


def test_damage(tmp_path: Path) -> None:
    files = initramfs_files() | {f"{MODULES}/{BLOCK}": b"no module"}
    whole = initramfs_bytes(files, "none")
    (tmp_path / "initrd.img").write_bytes(whole[: whole.rindex(b"TRAILER!!!") - 200])
    found = read_holdings([tmp_path / "initrd.img"])
    assert set(found.initramfs) == {"virtio_ring", "virtio_blk"}
    assert len(found.problems) == 2
    assert found.problems[0].startswith(f"initrd.img: {MODULES}/{BLOCK}: ")


def test_names_that_a_terminal_would_obey(tmp_path: Path) -> None:
    red = "6.1\x1b[31m"
    broken = {f"lib/modules/{red}/kernel/m{number}.ko": b"x" for number in range(8)}
    (tmp_path / "initrd.img").write_bytes(initramfs_bytes(broken))
    found = read_holdings([tmp_path / "initrd.img"])
    assert len(found.problems) == 6
    assert all(problem.isprintable() for problem in found.problems)
    assert found.problems[-1] == "3 more modules or indexes cannot be read"
    files = initramfs_files() | broken
    (tmp_path / "initrd.img").write_bytes(initramfs_bytes(files))
    with pytest.raises(SpecError, match="several kernels") as caught:
        read_holdings([tmp_path / "initrd.img"])
    assert caught.value.message.isprintable()


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("initrd.img", "there are no modules"),
        (f"config-{RELEASE}", "there are no modules"),
        ("text", "holds no modules"),
        ("cut", "holds no modules: the gzip data is cut short"),
        ("gone", "cannot read"),
        (".", "there are no modules"),
    ],
)
def test_nothing_to_be_found(tmp_path: Path, name: str, problem: str) -> None:
    (tmp_path / "initrd.img").write_bytes(initramfs_bytes({"init": b"#!/bin/sh\n"}))
    (tmp_path / f"config-{RELEASE}").write_text("CONFIG_A=y\n")
    (tmp_path / "text").write_text("text")
    (tmp_path / "cut").write_bytes(compress("gzip", b"0707")[:-9])
    with pytest.raises(SpecError, match=problem):
        read_holdings([tmp_path / name])
