from __future__ import annotations

import json
import lzma
from typing import TYPE_CHECKING

import pytest

from rdcompose.errors import FormatError
from rdcompose.inspect import module_table
from rdcompose.inspect.looking import Looking
from rdcompose.inspect.module_table import ModuleRow, ModuleTable
from rdcompose.inspect.opened import open_image
from rdcompose.inspect.patterns import PathPatterns
from tests.support.artifacts import (
    BLOCK,
    MODULES,
    RING,
    disk_bytes,
    disk_files,
    initramfs_bytes,
    initramfs_files,
    module,
)
from tests.support.packages import RELEASE

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.artifacts import Content


def rows(path: Path, data: bytes, *patterns: str) -> list[ModuleRow]:
    path.write_bytes(data)
    with open_image(path) as opened:
        return list(ModuleTable(Looking(opened, PathPatterns(patterns))).rows())


def test_what_follows_from_indexes(tmp_path: Path) -> None:
    files = initramfs_files()
    files["conf/modules"] = b"virtio_blk\n"
    found = rows(tmp_path / "initrd", initramfs_bytes(files))
    assert [(row.name, row.builtin, row.why) for row in found] == [
        ("virtio_blk", False, "loaded by conf/modules"),
        ("virtio_ring", False, "needed by virtio_blk"),
        ("ext4", True, "it is part of the kernel"),
    ]
    assert found[0].path == f"{MODULES}/{BLOCK}"
    assert found[0].size == len(module(depends="virtio_ring", versions={"virtqueue_kick": 7}))
    assert (found[2].path, found[2].size) == (None, None)


def test_the_manifest_beside_it(tmp_path: Path) -> None:
    image = tmp_path / f"initramfs-{RELEASE}"
    data = initramfs_bytes(initramfs_files())
    told = {
        "schema": 1,
        "release": RELEASE,
        "outputs": [{"name": image.name, "size": len(data)}],
        "initramfs": {"modules": [{"name": "virtio_blk", "why": "listed: 'virtio_blk'"}]},
    }
    manifest = tmp_path / f"manifest-{RELEASE}.json"
    manifest.write_text(json.dumps(told))
    assert rows(image, data)[0].why == "listed: 'virtio_blk'"
    # It is of another file, or none at all.
    told["outputs"] = [{"name": image.name, "size": len(data) + 1}]
    for text in (json.dumps(told), "[]", "no JSON", "\0"):
        manifest.write_text(text)
        assert rows(image, data)[0].why == "no other module there needs it"


def test_damaged_indexes(tmp_path: Path) -> None:
    files = initramfs_files()
    del files[f"{MODULES}/modules.dep"]
    files[f"{MODULES}/modules.dep.bin"] = b"no index"
    image = tmp_path / "initrd"
    image.write_bytes(initramfs_bytes(files))
    with open_image(image) as opened:
        table = ModuleTable(Looking(opened, PathPatterns([])))
        assert [(row.name, row.why) for row in table.rows()] == [
            ("virtio_blk", "no other module there needs it"),
            ("virtio_ring", "needed by virtio_blk"),
        ]
        assert table.damaged is not None


def test_what_is_unpacked_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packed = lzma.compress(module(), check=lzma.CHECK_CRC32)
    monkeypatch.setattr(module_table, "_MAX_UNPACKED", len(module()) + 9)
    files: dict[str, Content] = {f"{MODULES}/kernel/{name}.ko.xz": packed for name in "ab"}
    why = {row.name: row.why for row in rows(tmp_path / "initrd", initramfs_bytes(files))}
    assert why["a"] == "no other module there needs it"
    assert why["b"] == "it cannot be read: the xz data unpacks to more than 9 bytes"
    monkeypatch.setattr(module_table, "_MAX_MODULES", 1)
    with pytest.raises(FormatError, match="more than 1 modules"):
        rows(tmp_path / "initrd", initramfs_bytes(files))


def test_patterns_choose_rows(tmp_path: Path) -> None:
    found = rows(tmp_path / "initrd", initramfs_bytes(initramfs_files()), "virtio_ring.ko")
    # The other one is known all the same.
    assert [(row.name, row.why) for row in found] == [("virtio_ring", "needed by virtio_blk")]


def test_packed_and_damaged_modules(tmp_path: Path) -> None:
    files = initramfs_files()
    del files[f"{MODULES}/{RING}"], files[f"{MODULES}/modules.dep"]
    files[f"{MODULES}/{RING}.xz"] = lzma.compress(module(), check=lzma.CHECK_CRC32)
    files[f"{MODULES}/kernel/odd.ko"] = b"no module"
    files[f"{MODULES}/kernel/odd2.ko.zst"] = b"no zstd"
    found = {row.name: row.why for row in rows(tmp_path / "initrd", initramfs_bytes(files))}
    assert found["virtio_ring"] == "needed by virtio_blk"
    assert found["odd"].startswith("it cannot be read: ")
    assert found["odd2"].startswith("it cannot be read: no known compression")


def test_disk(tmp_path: Path) -> None:
    found = rows(tmp_path / "disk", disk_bytes(disk_files()))
    assert [row.name for row in found] == ["dummy", "ext4"]
