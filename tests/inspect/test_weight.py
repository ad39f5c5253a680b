"""Where the bytes are: shares add up, savings are what leaving out saves."""

from __future__ import annotations

import io
import random
from typing import TYPE_CHECKING, Final

import pytest

from rdcompose.errors import FormatError
from rdcompose.formats.compression import NAMES, compress
from rdcompose.formats.cpio import write_newc
from rdcompose.formats.squashfs.writer import write_squashfs
from rdcompose.inspect.weight import Kind, weigh_disk, weigh_initramfs
from rdcompose.tree import Bytes, Directory, File, Symlink, Tree

if TYPE_CHECKING:
    from collections.abc import Mapping

RELEASE: Final = "6.1.0-9-cloud-amd64"
MODULES: Final = f"lib/modules/{RELEASE}"


def noise(size: int, seed: int) -> bytes:
    """Bytes that nothing compresses."""
    return random.Random(seed).randbytes(size)


FILES: Final = {
    "bin/busybox": b"\x7fELF" + noise(9000, 1),
    # Half of it is the other's, as with static programs.
    "sbin/e2fsck": b"\x7fELF" + noise(9000, 1)[:4500] + noise(4500, 2),
    f"{MODULES}/kernel/drivers/net/dummy.ko": noise(3000, 3),
    f"{MODULES}/kernel/fs/fat/fat.ko.xz": noise(2000, 4),
    f"{MODULES}/modules.dep": noise(700, 5),
    "lib/firmware/card.bin": noise(1500, 6),
    "init": b"#!/bin/sh\n",
}
KINDS: Final = {
    Kind.PROGRAMS: 2,
    Kind.MODULES: 2,
    Kind.INDEXES: 1,
    Kind.FIRMWARE: 1,
    Kind.INIT: 1,
    Kind.LINKS: 1,
}


def tree_of(files: Mapping[str, bytes]) -> Tree:
    """A tree of these files, with a link beside them."""
    tree = Tree()
    for path, data in files.items():
        tree.add(File(path=path, content=Bytes(data)))
    tree.add(Symlink(path="bin/sh", target="busybox"))
    return tree


def packed(files: Mapping[str, bytes], name: str, level: int | None = None) -> bytes:
    """An initramfs of these files."""
    out = io.BytesIO()
    write_newc(out, tree_of(files), mtime=0)
    return compress(name, out.getvalue(), level)


@pytest.mark.parametrize("name", NAMES)
def test_shares_add_up_to_the_file(name: str) -> None:
    data = packed(FILES, name)
    found = weigh_initramfs(data)
    assert (found.compression, found.size) == (name, len(data))
    # Each is rounded for itself; the zeros at the end of a plain archive are nobody's.
    near = 512 if name == "none" else len(KINDS)
    assert sum(kind.share for kind in found.kinds) == pytest.approx(len(data), abs=near)
    assert {kind.kind: kind.files for kind in found.kinds} == KINDS
    assert {part.name for part in found.parts} == FILES.keys()
    assert [part.share for part in found.parts] == sorted(
        (part.share for part in found.parts), reverse=True
    )


@pytest.mark.parametrize("name", ["zstd", "gzip", "none"])
def test_what_is_saved_is_what_the_file_loses(name: str) -> None:
    whole = len(packed(FILES, name))
    saved = {part.name: part.saves for part in weigh_initramfs(packed(FILES, name)).parts}
    for path in FILES:
        less = packed({other: data for other, data in FILES.items() if other != path}, name)
        # Here the directories of the file are gone, too; plain archives end at multiples of 512.
        near = 1024 if name == "none" else 128
        assert saved[path] == pytest.approx(whole - len(less), abs=near)


def test_what_two_programs_share_is_not_saved_by_leaving_one_out() -> None:
    parts = {part.name: part for part in weigh_initramfs(packed(FILES, "zstd")).parts}
    first, second = parts["bin/busybox"], parts["sbin/e2fsck"]
    assert first.share == pytest.approx(9000, rel=0.05)
    assert second.share == pytest.approx(4500, rel=0.05)
    assert first.saves == pytest.approx(4500, rel=0.05)
    assert second.saves == pytest.approx(4500, rel=0.05)


def test_the_level_that_is_known_is_used() -> None:
    files = {"a": bytes(range(256)) * 40 + noise(500, 7) * 3, "b": b"text " * 900}
    for level in (1, 19):
        data = packed(files, "zstd", level)
        less = packed({"b": files["b"]}, "zstd", level)
        parts = {part.name: part for part in weigh_initramfs(data, level=level).parts}
        assert parts["a"].saves == len(data) - len(less)


def test_threads_change_nothing() -> None:
    data = packed(FILES, "zstd")
    assert weigh_initramfs(data, threads=1) == weigh_initramfs(data, threads=4)


def test_microcode_in_front_counts_whole() -> None:
    path = "kernel/x86/microcode/GenuineIntel.bin"
    early = Tree()
    early.add(File(path=path, content=Bytes(bytes(4096))))
    out = io.BytesIO()
    write_newc(out, early, mtime=0)
    found = weigh_initramfs(out.getvalue() + packed(FILES, "zstd"))
    assert found.compression == "none + zstd"
    parts = {part.name: part for part in found.parts}
    assert parts[path].kind is Kind.MICROCODE
    assert 4096 <= parts[path].share < 4096 + 1024


def test_only_the_largest_are_measured() -> None:
    files = {f"file{number:02}": noise(200 + number, number) for number in range(30)}
    parts = weigh_initramfs(packed(files, "zstd")).parts
    measured = [part.name for part in parts if part.saves is not None]
    assert measured == [part.name for part in parts[:12]]


def test_an_initramfs_that_is_damaged() -> None:
    with pytest.raises(FormatError):
        weigh_initramfs(packed(FILES, "zstd")[:-20])


def disk(files: Mapping[str, bytes], compressor: str = "zstd") -> bytes:
    """A modules disk of these files, in small blocks."""
    tree = Tree()
    for path, data in files.items():
        tree.add(File(path=f"{RELEASE}/{path}", content=Bytes(data)))
    out = io.BytesIO()
    write_squashfs(out, tree, compressor=compressor, mtime=0, block_size=4096, threads=1)
    return out.getvalue()


def test_a_disk_by_subsystems() -> None:
    files = {
        "kernel/drivers/net/ethernet/a.ko": noise(9000, 1),
        "kernel/drivers/net/b.ko": noise(300, 2),
        "kernel/fs/btrfs/btrfs.ko": noise(5000, 3),
        "kernel/lib/crc.ko": bytes(6000),
        "updates/dkms/own.ko": noise(100, 4),
        "modules.dep": noise(400, 5),
    }
    found = weigh_disk(io.BytesIO(disk(files)))
    assert found.compression == "zstd"
    assert {part.name: part.files for part in found.parts} == {
        "drivers/net": 2,
        "fs/btrfs": 1,
        "lib": 1,
        "updates/dkms": 1,
        "modules.dep": 1,
    }
    shares = {part.name: part.share for part in found.parts}
    assert shares["drivers/net"] == pytest.approx(9300, rel=0.02)
    assert shares["fs/btrfs"] == pytest.approx(5000, rel=0.02)
    assert shares["lib"] < 200
    assert sum(kind.share for kind in found.kinds) == found.size


def test_what_is_there_twice_counts_once() -> None:
    same = noise(5000, 1)
    files = {"kernel/fs/a/a.ko": same, "kernel/fs/b/b.ko": same}
    shares = {part.name: part.share for part in weigh_disk(io.BytesIO(disk(files))).parts}
    assert shares["fs/a"] == pytest.approx(5000, rel=0.02)
    assert shares["fs/b"] == 0


def test_a_disk_that_is_none() -> None:
    with pytest.raises(FormatError):
        weigh_disk(io.BytesIO(bytes(4096)))


def test_directories_are_no_files() -> None:
    tree = Tree()
    tree.add(Directory(path="proc"))
    out = io.BytesIO()
    write_newc(out, tree, mtime=0)
    (links,) = weigh_initramfs(out.getvalue()).kinds
    assert (links.kind, links.files) == (Kind.LINKS, 0)
