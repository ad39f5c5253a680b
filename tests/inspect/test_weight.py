"""Where the bytes are: shares add up, savings are what leaving out saves."""

from __future__ import annotations

import io
import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import pytest

from rdcompose.errors import FormatError, SpecError
from rdcompose.formats.compression import NAMES, compress
from rdcompose.formats.cpio import write_newc
from rdcompose.formats.squashfs.writer import write_squashfs
from rdcompose.inspect.artifact import Kind as FileKind
from rdcompose.inspect.filekinds import Kind
from rdcompose.inspect.opened import open_image
from rdcompose.inspect.weight import Weight, weigh
from rdcompose.tree import Bytes, Directory, File, Symlink, Tree
from tests.support.efi import make_pe
from tests.support.newc import TRAILER, record
from tests.support.pifolders import fat

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from rdcompose.inspect.walks import Located

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


Weigh = Callable[..., Weight]


@pytest.fixture
def weigh_file(tmp_path: Path) -> Weigh:
    """Weighs these bytes as a file."""

    def weighed(data: bytes, **options: Any) -> Weight:
        (tmp_path / "image").write_bytes(data)
        with open_image(tmp_path / "image") as image:
            return weigh(image, **options)

    return weighed


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
def test_shares_add_up_to_the_file(name: str, weigh_file: Weigh) -> None:
    data = packed(FILES, name)
    found = weigh_file(data)
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
def test_what_is_saved_is_what_the_file_loses(name: str, weigh_file: Weigh) -> None:
    whole = len(packed(FILES, name))
    saved = {part.name: part.saves for part in weigh_file(packed(FILES, name), measure=True).parts}
    for path in FILES:
        less = packed({other: data for other, data in FILES.items() if other != path}, name)
        # Here the directories of the file are gone, too; plain archives end at multiples of 512.
        near = 1024 if name == "none" else 128
        assert saved[path] == pytest.approx(whole - len(less), abs=near)


def test_what_two_programs_share_is_not_saved_by_leaving_one_out(weigh_file: Weigh) -> None:
    parts = {part.name: part for part in weigh_file(packed(FILES, "zstd"), measure=True).parts}
    first, second = parts["bin/busybox"], parts["sbin/e2fsck"]
    assert first.share == pytest.approx(9000, rel=0.05)
    assert second.share == pytest.approx(4500, rel=0.05)
    assert first.saves == pytest.approx(4500, rel=0.05)
    assert second.saves == pytest.approx(4500, rel=0.05)


def test_the_level_that_is_known_is_used(weigh_file: Weigh) -> None:
    files = {"a": bytes(range(256)) * 40 + noise(500, 7) * 3, "b": b"text " * 900}
    for level in (1, 19):
        data = packed(files, "zstd", level)
        less = packed({"b": files["b"]}, "zstd", level)
        parts = {part.name: part for part in weigh_file(data, measure=True, level=level).parts}
        assert parts["a"].saves == len(data) - len(less)


def test_threads_change_nothing(weigh_file: Weigh) -> None:
    data = packed(FILES, "zstd")
    assert weigh_file(data, measure=True, threads=1) == weigh_file(data, measure=True, threads=4)


def test_microcode_in_front_counts_whole(weigh_file: Weigh) -> None:
    path = "kernel/x86/microcode/GenuineIntel.bin"
    early = Tree()
    early.add(File(path=path, content=Bytes(bytes(4096))))
    out = io.BytesIO()
    write_newc(out, early, mtime=0)
    found = weigh_file(out.getvalue() + packed(FILES, "zstd"))
    assert found.compression == "none + zstd"
    parts = {part.name: part for part in found.parts}
    assert parts[path].kind is Kind.MICROCODE
    assert 4096 <= parts[path].share < 4096 + 1024


def test_only_the_largest_are_measured(weigh_file: Weigh) -> None:
    files = {f"file{number:02}": noise(200 + number, number) for number in range(30)}
    parts = weigh_file(packed(files, "zstd"), measure=True).parts
    measured = [part.name for part in parts if part.saves is not None]
    assert measured == [part.name for part in parts[:12]]


def test_without_measuring_nothing_is_said_to_be_saved(weigh_file: Weigh) -> None:
    assert {part.saves for part in weigh_file(packed(FILES, "zstd")).parts} == {None}


def test_large_files_are_weighed_as_well_in_less_time(
    weigh_file: Weigh, monkeypatch: pytest.MonkeyPatch
) -> None:
    exact = {part.name: part.share for part in weigh_file(packed(FILES, "xz")).parts}
    monkeypatch.setattr("rdcompose.inspect.weight._LARGE", 1)
    near = {part.name: part.share for part in weigh_file(packed(FILES, "xz")).parts}
    assert near == pytest.approx(exact, rel=0.05, abs=200)


def test_measuring_stops_where_it_takes_too_long(
    weigh_file: Weigh, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = packed(FILES, "zstd")
    whole = weigh_file(data).plain
    monkeypatch.setattr("rdcompose.inspect.weight._MEASURED_BYTES", 3 * whole)
    found = weigh_file(data, measure=True)
    # Kinds come first, the largest of them before others.
    measured = [kind.kind for kind in found.kinds if kind.saves is not None]
    assert measured == [kind.kind for kind in found.kinds][:3]
    assert {part.saves for part in found.parts} == {None}


def test_of_a_damaged_initramfs_what_can_be_read(tmp_path: Path) -> None:
    plain = packed(FILES, "none")
    (tmp_path / "image").write_bytes(plain + packed(FILES, "zstd")[:-20])
    with open_image(tmp_path / "image") as image:
        found = weigh(image, measure=True)
        assert image.problem is not None
    assert found.plain >= sum(map(len, FILES.values()))
    assert FILES.keys() <= {part.name for part in found.parts}
    assert {part.saves for part in found.parts} == {None}


@pytest.mark.parametrize("name", ["zstd", "none"])
def test_further_names_of_a_file_take_nothing(name: str, weigh_file: Weigh) -> None:
    program = b"\x7fELF" + noise(9000, 1)
    names = [f"bin/tool{number}" for number in range(10, 60)]
    records = [record(path, ino=7, nlink=51) for path in names]
    plain = b"".join([*records, record("bin/busybox", program, ino=7, nlink=51), TRAILER])
    found = weigh_file(compress(name, plain))
    assert found.plain < len(plain)
    assert [kind.files for kind in found.kinds if kind.kind is Kind.PROGRAMS] == [51]
    first, *others = found.parts
    assert first.size > 9000
    assert {part.size for part in others} == {len(records[0])}
    assert max(part.share for part in others) <= len(records[0])


def test_files_of_a_directory_are_as_large_as_they_are(tmp_path: Path) -> None:
    for path, data in FILES.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(data)
    with open_image(tmp_path) as image:
        found = weigh(image)
    assert {part.name: part.share for part in found.parts} == {
        path: len(data) for path, data in FILES.items()
    }
    assert found.size == found.plain == sum(map(len, FILES.values()))


def test_a_file_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    (tmp_path / "gone").write_bytes(b"text")
    with open_image(tmp_path) as image:
        entries = image.entries

        def without_it() -> Iterator[Located]:
            for located in entries():
                (tmp_path / "gone").unlink()
                yield located

        image.entries = without_it  # type: ignore[method-assign]
        found = weigh(image)
    (damage,) = found.unread
    assert damage.path == "gone"
    assert "No such file" in damage.why


def test_free_space_of_a_filesystem_is_nobodys(tmp_path: Path) -> None:
    tree = Tree()
    tree.add(File(path="a", content=Bytes(noise(9000, 1))))
    tree.add(File(path="b", content=Bytes(b"text")))
    (tmp_path / "volume").write_bytes(fat(tree))
    with open_image(tmp_path / "volume") as image:
        assert image.kind is FileKind.FILESYSTEM
        found = weigh(image)
    assert {part.name: part.share for part in found.parts} == {"a": 9000, "b": 4}
    kinds = {kind.kind: kind.share for kind in found.kinds}
    assert kinds[Kind.TABLES] == found.size - 9004


def test_what_cannot_be_written_again_is_not_measured(
    weigh_file: Weigh, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> dict[str, int]:
        raise SpecError("a link has a target that cannot be")

    monkeypatch.setattr("rdcompose.inspect.weight.savings", refused)
    found = weigh_file(packed(FILES, "zstd"), measure=True)
    assert {part.saves for part in found.parts} == {None}


def test_only_so_many_entries_are_weighed(
    weigh_file: Weigh, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rdcompose.inspect.weight._MAX_ENTRIES", 3)
    found = weigh_file(packed(FILES, "none"))
    assert len(found.parts) < len(FILES)
    (left_out,) = found.unread
    assert left_out.why == "no more than 3 entries are weighed"


def test_a_unified_kernel_image(tmp_path: Path) -> None:
    initramfs = packed(FILES, "zstd")
    image = make_pe({".linux": noise(5000, 8), ".initrd": initramfs, ".osrel": b"ID=debian"})
    (tmp_path / "linux.efi").write_bytes(image)
    with open_image(tmp_path / "linux.efi") as opened:
        assert opened.kind is FileKind.UKI
        found = weigh(opened)
    kinds = {kind.kind: kind for kind in found.kinds}
    assert kinds[Kind.KERNEL].share == pytest.approx(5000, abs=512)
    assert kinds[Kind.MODULES].files == 2
    inside = sum(kind.share for kind in found.kinds if kind.kind in KINDS)
    assert inside == pytest.approx(len(initramfs), abs=512 + len(KINDS))
    assert {part.name for part in found.parts if part.kind is Kind.STUB} >= {".osrel"}


def disk(files: Mapping[str, bytes], compressor: str = "zstd") -> bytes:
    """A modules disk of these files, in small blocks."""
    tree = Tree()
    for path, data in files.items():
        tree.add(File(path=f"{RELEASE}/{path}", content=Bytes(data)))
    out = io.BytesIO()
    write_squashfs(out, tree, compressor=compressor, mtime=0, block_size=4096, threads=1)
    return out.getvalue()


def test_a_disk_by_subsystems(weigh_file: Weigh) -> None:
    files = {
        "kernel/drivers/net/ethernet/a.ko": noise(9000, 1),
        "kernel/drivers/net/b.ko": noise(300, 2),
        "kernel/fs/btrfs/btrfs.ko": noise(5000, 3),
        "kernel/lib/crc.ko": bytes(6000),
        "updates/dkms/own.ko": noise(100, 4),
        "modules.dep": noise(400, 5),
    }
    found = weigh_file(disk(files))
    assert found.compression == "zstd"
    assert {part.name: part.files for part in found.groups} == {
        "drivers/net": 2,
        "fs/btrfs": 1,
        "lib": 1,
        "updates/dkms": 1,
        "indexes": 1,
    }
    assert {part.name for part in found.parts} == {f"{RELEASE}/{path}" for path in files}
    shares = {part.name: part.share for part in found.groups}
    assert shares["drivers/net"] == pytest.approx(9300, rel=0.02)
    assert shares["fs/btrfs"] == pytest.approx(5000, rel=0.02)
    assert shares["lib"] < 200
    assert sum(kind.share for kind in found.kinds) == found.size


def test_what_is_there_twice_counts_once(weigh_file: Weigh) -> None:
    same = noise(5000, 1)
    files = {"kernel/fs/a/a.ko": same, "kernel/fs/b/b.ko": same}
    shares = {part.name: part.share for part in weigh_file(disk(files)).groups}
    assert shares["fs/a"] == pytest.approx(5000, rel=0.02)
    assert shares["fs/b"] == 0


def test_a_damaged_disk(weigh_file: Weigh) -> None:
    data = bytearray(disk({"kernel/fs/a/a.ko": noise(9000, 1)}))
    inodes = int.from_bytes(data[64:72], "little")
    data[inodes + 2 : inodes + 20] = b"\xff" * 18
    with pytest.raises(FormatError):
        weigh_file(bytes(data))


def test_directories_are_no_files(weigh_file: Weigh) -> None:
    tree = Tree()
    tree.add(Directory(path="proc"))
    out = io.BytesIO()
    write_newc(out, tree, mtime=0)
    (links,) = weigh_file(out.getvalue()).kinds
    assert (links.kind, links.files) == (Kind.LINKS, 0)
