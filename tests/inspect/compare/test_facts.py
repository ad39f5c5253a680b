"""What is read of files and trees before they are compared."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from rdcompose.errors import SpecError
from rdcompose.inspect.artifact import Kind
from rdcompose.inspect.compare.facts import FactsReader, FileFacts
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
)
from tests.support.efi import make_pe
from tests.support.images import make_bzimage
from tests.support.newc import TRAILER, record
from tests.support.packages import CONFIG, RELEASE
from tests.support.programs import make_program

if TYPE_CHECKING:
    from pathlib import Path


def read(path: Path, data: bytes) -> FileFacts:
    path.write_bytes(data)
    return FactsReader().read(path, "it")


def paths(facts: FileFacts) -> set[str]:
    return {row.path for row in facts.entries}


def test_an_initramfs(tmp_path: Path) -> None:
    data = initramfs_bytes(initramfs_files())
    facts = read(tmp_path / "i", data)
    assert (facts.name, facts.kind, facts.size) == ("it", Kind.INITRAMFS, len(data))
    assert facts.sha256 == hashlib.sha256(data).hexdigest()
    assert facts.releases == (RELEASE,)
    assert {row.inner for row in facts.modules} == {RING, BLOCK}
    assert {row.place for row in facts.modules} == {"initramfs"}
    assert facts.builtin == frozenset({"ext4"})
    assert {"init", "bin", "bin/busybox", "etc/mtab", f"{MODULES}/modules.dep"} <= paths(facts)
    assert f"{MODULES}/{RING}" not in paths(facts)
    (init,) = (row for row in facts.entries if row.path == "init")
    assert init.sha256 == hashlib.sha256(b"#!/bin/sh\n").hexdigest()
    assert (init.kind, init.mode, init.size) == ("file", 0o755, 10)
    assert facts.unpacked is not None
    assert facts.unpacked > len(data)


def test_a_disk(tmp_path: Path) -> None:
    facts = read(tmp_path / "d", disk_bytes(disk_files()))
    assert (facts.kind, facts.releases) == (Kind.DISK, (RELEASE,))
    assert [(row.inner, row.place) for row in facts.modules] == [(DUMMY, "modules disk")]


def test_a_tree(tmp_path: Path) -> None:
    directory = tmp_path / "tree/kernel/net"
    directory.mkdir(parents=True)
    (directory / "dummy.ko").write_bytes(module())
    (tmp_path / "tree/left").write_text("out")
    (tmp_path / "tree/boot").mkdir()
    (tmp_path / "tree/boot/config-1").write_text(CONFIG)
    facts = FactsReader().read(tmp_path / "tree", "tree", without={"left"})
    assert (facts.kind, facts.sha256, facts.size) == (Kind.DIRECTORY, "", 0)
    assert paths(facts) == {"kernel", "kernel/net", "boot", "boot/config-1"}
    # Its path does not tell, so the module does.
    assert facts.releases == (RELEASE,)
    assert facts.config is not None


def test_a_unified_kernel_image(tmp_path: Path) -> None:
    sections = {
        ".cmdline": b"root=/dev/vda\0",
        ".uname": b"6.9\n",
        ".linux": b"kernel",
        ".initrd": initramfs_bytes({"init": b"x"}),
    }
    facts = read(tmp_path / "u", make_pe(sections))
    assert (facts.kind, facts.releases) == (Kind.UKI, ("6.9",))
    assert facts.texts == {".cmdline": "root=/dev/vda", ".uname": "6.9"}
    found = {row.path: row for row in facts.entries}
    assert set(found) == {".cmdline", ".uname", ".linux", "init"}
    assert found[".linux"].sha256 == hashlib.sha256(b"kernel").hexdigest()
    assert [found[name].shown for name in (".linux", "init")] == [".linux", "/init"]


def test_a_kernel_and_a_configuration(tmp_path: Path) -> None:
    kernel = read(tmp_path / "k", make_bzimage(RELEASE))
    assert (kernel.kind, kernel.releases, kernel.entries) == (Kind.KERNEL, (RELEASE,), ())
    assert RELEASE in kernel.texts["banner"]
    assert kernel.unpacked is None
    config = read(tmp_path / "c", CONFIG.encode())
    assert config.config is not None
    unknown = read(tmp_path / "u", b"\1\2\3")
    assert (unknown.kind, unknown.size) == (Kind.UNKNOWN, 3)


def test_entries_lie_where_the_kernel_puts_them(tmp_path: Path) -> None:
    records = (
        record("usr", mode=0o40755),
        record("usr/lib", mode=0o40755),
        record("lib", b"usr/lib", mode=0o120777),
        record("usr/lib/x", b"old"),
        record("usr/lib/m.ko", module()),
        TRAILER,
        record("lib/x", b"new", mode=0o120777),
        record("lib/m.ko", b"no module"),
        record("lib/x/y", b"lost: its directory is a link to nothing"),
        record("lib/m.ko/y", b"lost: its directory is a file"),
        TRAILER,
    )
    facts = read(tmp_path / "i", b"".join(records))
    kinds = {row.path: row.kind for row in facts.entries}
    assert kinds["usr/lib/x"] == "link"
    assert kinds["usr/lib/m.ko"] == "file"
    assert "usr/lib/m.ko/y" not in kinds
    assert facts.modules == ()


def test_programs_tell_their_versions(tmp_path: Path) -> None:
    program = make_program(b"BusyBox v1.35.0 (Debian 1)\0")
    facts = read(tmp_path / "i", initramfs_bytes({"busybox": program, "other": program}))
    assert facts.programs == {"busybox": "1.35.0 (Debian 1)"}


@pytest.mark.parametrize("compressor", ["none", "gzip"])
def test_what_is_cut_is_refused(tmp_path: Path, compressor: str) -> None:
    data = initramfs_bytes(initramfs_files(), compressor)
    with pytest.raises(SpecError, match="it cannot be compared: ") as raised:
        read(tmp_path / "i", data[: len(data) // 2])
    assert raised.value.hint is not None


def test_damaged_disks_and_configurations_are_refused(tmp_path: Path) -> None:
    disk = disk_bytes({f"{RELEASE}/file": bytes(range(256)) * 400}, container="raw")
    damaged = disk[:100] + bytes(100) + disk[200:]
    for name, data in {"d": damaged, "c": CONFIG.encode() + b"what"}.items():
        with pytest.raises(SpecError, match="it cannot be compared: "):
            read(tmp_path / name, data)


def test_the_same_file_is_read_once(tmp_path: Path) -> None:
    reader = FactsReader()
    for name in "ab":
        (tmp_path / name).write_bytes(initramfs_bytes(initramfs_files()))
    first, second = (reader.read(tmp_path / name, name) for name in "ab")
    assert first.entries is second.entries
    assert (first.name, second.name) == ("a", "b")


def test_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="cannot read"):
        FactsReader().read(tmp_path / "gone", "gone")


def test_what_holds_too_many_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rdcompose.inspect.compare.facts._MAX_ENTRIES", 3)
    with pytest.raises(SpecError, match="it holds more than 3 files"):
        read(tmp_path / "i", initramfs_bytes({"a/b/c/d": b""}))
    assert len(read(tmp_path / "i", initramfs_bytes({"a/b/c": b""})).entries) == 3
