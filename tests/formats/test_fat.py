from __future__ import annotations

import gzip
import io
import struct
from pathlib import Path
from typing import Final

import pytest

from rdcompose.errors import FormatError, SpecError
from rdcompose.formats.fat.bootsector import is_fat, read_boot_sector
from rdcompose.formats.fat.entries import dos_time
from rdcompose.formats.fat.names import ShortNames, checksum, long_name, long_records, short_name
from rdcompose.formats.fat.reader import FatImage, read_fat
from rdcompose.formats.fat.writer import MAX_SIZE, Fat32Result, minimum_size, write_fat32
from rdcompose.tree import Bytes, Directory, Entry, File, Node, NodeKind, Pieces, Symlink, Tree
from tests.support.dump import digest, dump

MIB: Final = 1 << 20
DATA: Final = Path(__file__).parent / "data"
OLD: Final = {
    name: gzip.decompress((DATA / f"{name}.gz").read_bytes()) for name in ("fat12", "fat16")
}
TEXT: Final = b"some text\n" * 3500
KERNEL: Final = b"a kernel\n" * 12000
SMALL: Final = f"file 0644 {digest(b'1')}"
EXPECTED: Final = {
    "KERNEL.IMG": SMALL,
    "config.txt": f"file 0644 {digest(TEXT)}",
    "d": "dir 0755",
    "d/a name of some length, with (brackets)+plus.dtb": f"file 0644 {digest(TEXT)}",
    "d/e": "dir 0755",
    "d/e/small": SMALL,
    "d/e/twenty-six-characters.name": SMALL,
    "empty": "file 0644 empty",
    "kernel_2712.img": f"file 0644 {digest(KERNEL)}",
    "overlays": "dir 0755",
    "overlays/thirteen.char": SMALL,
    **{f"overlays/{n}-overlay.dtbo": f"file 0644 {digest(b'%d' % n)}" for n in range(40)},
}


def tree_of(*entries: Entry) -> Tree:
    tree = Tree()
    for entry in entries:
        tree.add(entry)
    return tree


def files(**contents: bytes) -> Tree:
    return named(dict(contents))


def named(contents: dict[str, bytes]) -> Tree:
    return tree_of(*(File(path=path, content=Bytes(data)) for path, data in contents.items()))


def written(
    tree: Tree, size: int = 34 * MIB, *, label: str = "", mtime: int = 1_700_000_000
) -> tuple[bytes, Fat32Result]:
    out = io.BytesIO()
    result = write_fat32(out, tree, size=size, mtime=mtime, volume_id=0x1A2B3C4D, label=label)
    out.truncate(size)
    return out.getvalue(), result


def read(data: bytes) -> dict[str, str]:
    return dump(read_fat(io.BytesIO(data)))


FOLDER: Final = tree_of(
    File(path="config.txt", content=Bytes(b"[all]\n")),
    File(path="KERNEL8.IMG", content=Bytes(b"k" * 70_001)),
    File(path="6.12.107+deb13-arm64/kernel8.img", content=Bytes(b"kernel")),
    File(path="6.12.107+deb13-arm64/initramfs8", content=Bytes(b"")),
    Directory(path="6.12.107+deb13-arm64/overlays"),
    File(path="6.12.107+deb13-arm64/overlays/a b.dtbo", content=Bytes(b"o" * 4096)),
    File(path="d/e/f/brökén \U0001f600 名前.txt", content=Bytes(b"x")),
    *(File(path=f"many/{n}-a-long-name.dtb", content=Bytes(b"%d" % n)) for n in range(300)),
)


@pytest.mark.parametrize("size", [34 * MIB, 64 * MIB, 256 * MIB], ids=lambda size: f"{size >> 20}M")
def test_what_is_written_is_read(size: int) -> None:
    data, result = written(FOLDER, size, label="bootfs")
    assert read(data) == dump(FOLDER)
    assert [entry.path for entry in read_fat(io.BytesIO(data))] == [e.path for e in FOLDER]
    assert result.cluster_size == {34: 512, 64: 512, 256: 2048}[size >> 20]
    geometry = FatImage(io.BytesIO(data)).geometry
    assert (geometry.bits, geometry.label, geometry.volume_id) == (32, "bootfs", 0x1A2B3C4D)
    assert geometry.clusters == result.clusters >= 65525
    assert geometry.data_start % 4096 == 0


def test_the_same_twice_and_only_what_is_used() -> None:
    class Counted(io.BytesIO):
        written = 0

        def write(self, data: object, /) -> int:
            size = super().write(data)  # type: ignore[arg-type]
            self.written += size
            return size

    out = Counted()
    write_fat32(out, FOLDER, size=1 << 30, mtime=0, volume_id=1)
    assert out.written < 2 * MIB
    again = io.BytesIO()
    write_fat32(again, FOLDER, size=1 << 30, mtime=0, volume_id=1)
    assert again.getvalue() == out.getvalue()


def test_what_the_sectors_in_front_say() -> None:
    data, result = written(files(a=b"1" * 600), label="BOOT")
    assert data[510:512] == data[512 + 510 : 1024] == b"\x55\xaa"
    assert data[6 * 512 : 8 * 512] == data[:1024]
    free, following = struct.unpack_from("<II", data, 512 + 488)
    # The root directory takes one cluster, the file two.
    assert (free, following) == (result.clusters - 3, 5)
    assert result.free == free * result.cluster_size
    (fat_sectors,) = struct.unpack_from("<I", data, 36)
    first = data[32 * 512 :][: fat_sectors * 512]
    assert first == data[(32 + fat_sectors) * 512 :][: fat_sectors * 512]
    end = 0x0FFFFFFF
    assert struct.unpack_from("<6I", first) == (0x0FFFFFF8, end, end, 4, end, 0)
    root = data[(32 + 2 * fat_sectors) * 512 :][:96]
    assert root[:12] == b"BOOT       \x08"
    assert root[32:44] == b"Aa\0\0\0" + b"\xff" * 6 + b"\x0f"
    assert root[64:76] == b"A          \x20"


def test_a_volume_that_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rdcompose.formats.fat.writer._SAFE_CLUSTERS", 100)
    size = minimum_size(Tree())
    _, result = written(files(A=b"1" * 4096), size)
    tree = files(A=b"1" * (4096 + result.free))
    data, full = written(tree, size)
    assert full.free == 0
    assert struct.unpack_from("<II", data, 512 + 488) == (0, 0xFFFFFFFF)
    assert read(data) == dump(tree)


def test_hidden_sectors() -> None:
    out = io.BytesIO()
    write_fat32(out, Tree(), size=34 * MIB, mtime=0, volume_id=0, hidden_sectors=8192)
    assert struct.unpack_from("<I", out.getvalue(), 28) == (8192,)


@pytest.mark.parametrize(
    ("mtime", "expected"),
    [
        (0, (1980, 1, 1, 0, 0, 0)),
        (315532800, (1980, 1, 1, 0, 0, 0)),
        (951782399, (2000, 2, 28, 23, 59, 58)),
        (951868799, (2000, 2, 29, 23, 59, 58)),
        (951868800, (2000, 3, 1, 0, 0, 0)),
        (1700000001, (2023, 11, 14, 22, 13, 20)),
        (4354819199, (2107, 12, 31, 23, 59, 58)),
        (4354819200, (2107, 12, 31, 23, 59, 58)),
    ],
)
def test_times(mtime: int, expected: tuple[int, ...]) -> None:
    time, date = dos_time(mtime)
    assert expected == (
        *(1980 + (date >> 9), date >> 5 & 15, date & 31),
        *(time >> 11, time >> 5 & 63, (time & 31) * 2),
    )


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["kernel.img"], ["KERNEL  IMG"]),
        (["KERNEL8.IMG"], ["KERNEL8 IMG"]),
        (["bootcode.bin"], ["BOOTCODEBIN"]),
        (["kernel_2712.img"], ["KERNEL~1IMG"]),
        (
            ["initramfs7", "initramfs7l", "initramfs8"],
            ["INITRA~1   ", "INITRA~2   ", "INITRA~3   "],
        ),
        (["6.12+x.d.t"], ["612_XD~1T  "]),
        (["a b", "A+B", "A_B"], ["AB~1       ", "A_B~1      ", "A_B        "]),
        (["KERNEL~1.IMG", "kernel_2712.img"], ["KERNEL~1IMG", "KERNEL~2IMG"]),
        ([".x", "é", "...a"], ["X~1        ", "_~1        ", "A~1        "]),
        (["+", " ", "..b"], ["_~1        ", "_~2        ", "B~1        "]),
    ],
)
def test_short_names(names: list[str], expected: list[str]) -> None:
    short = ShortNames()
    assert [short.take(name).decode() for name in names] == expected


def test_numbers_of_short_names_grow() -> None:
    short = ShortNames()
    found = [short.take(f"a-long-name-{n}.dtb") for n in range(1200)]
    assert len(set(found)) == 1200
    assert found[9] == b"A-LON~10DTB"
    assert found[-1] == b"A-L~1200DTB"


def test_short_names_run_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rdcompose.formats.fat.names._MAX_TAIL", 2)
    short = ShortNames()
    for name in ("a-long-name-1", "a-long-name-2"):
        short.take(name)
    with pytest.raises(SpecError, match="no short name left for 'a-long-name-3'"):
        short.take("a-long-name-3")


@pytest.mark.parametrize("length", [1, 12, 13, 14, 26, 255])
def test_long_names(length: int) -> None:
    name, short = "é" * length, b"_~1        "
    data = long_records(name, short)
    assert len(data) == -(-length // 13) * 32
    rows = [data[at : at + 32] for at in range(0, len(data), 32)]
    assert long_name(rows, short) == name
    assert long_name(rows, b"_~2        ") is None
    assert long_name(rows[1:], short) is None
    assert long_name(rows[:-1], short) is None


def test_a_long_name_that_is_no_utf_16() -> None:
    short = b"A          "
    row = bytearray(long_records("ab", short))
    row[1:3] = b"\x00\xd8"
    assert long_name([bytes(row)], short) is None
    assert checksum(short) == row[13]


def test_short_names_are_read_in_the_case_that_they_have() -> None:
    assert short_name(b"CONFIG  TXT", 0) == "CONFIG.TXT"
    assert short_name(b"CONFIG  TXT", 0x18) == "config.txt"
    assert short_name(b"CONFIG  TXT", 0x08) == "config.TXT"
    assert short_name(b"\x05A         ", 0) == "\u03c3A"
    assert short_name(b"NONE       ", 0x10) == "NONE"


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (Symlink(path="l", target="x"), "'l': it is a symlink"),
        (Node(path="n", kind=NodeKind.FIFO), "'n': it is a node"),
        (File(path="a:b", content=Bytes(b"")), "':' in the name 'a:b'"),
        (File(path="a\nb", content=Bytes(b"")), r"'\\n' in the name"),
        (File(path="a.", content=Bytes(b"")), "it ends in '.'"),
        (Directory(path="a "), "it ends in ' '"),
        (File(path="\udcff", content=Bytes(b"")), "it is no UTF-8"),
        (File(path="big", content=Pieces(1 << 32, lambda: iter([]))), "4 GiB or more"),
    ],
)
def test_what_fat_cannot_hold(entry: Entry, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        written(tree_of(entry))


def test_names_that_differ_by_case_alone() -> None:
    with pytest.raises(SpecError, match=r"both 'Config\.txt' and 'config\.txt' in one"):
        written(named({"Config.txt": b"", "config.txt": b""}))
    written(named({"a/config.txt": b"", "b/CONFIG.TXT": b""}))


def test_a_directory_with_too_many_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rdcompose.formats.fat.layout._MAX_LISTING", 5 * 32)
    written(named({"d/A": b"", "d/B": b"", "d/C": b""}))
    with pytest.raises(SpecError, match="the directory 'd': it has too many names"):
        written(named({"d/A": b"", "d/B": b"", "d/c": b""}))


@pytest.mark.parametrize("label", ["a" * 12, "a.b", "é", " a", "a\n"])
def test_labels_that_cannot_be(label: str) -> None:
    with pytest.raises(SpecError, match="is no label of a FAT filesystem"):
        written(Tree(), label=label)


def test_sizes_that_cannot_be() -> None:
    with pytest.raises(SpecError, match=r"cannot have 1048576 bytes: \d+ are the least"):
        written(Tree(), MIB)
    with pytest.raises(SpecError, match=f"{MAX_SIZE} are the most"):
        write_fat32(io.BytesIO(), Tree(), size=MAX_SIZE + 1, mtime=0, volume_id=0)


@pytest.mark.parametrize(
    ("size", "cluster"),
    [(1 << 30, 4096), (8 << 30, 4096), (16 << 30, 8192), (32 << 30, 16384), (1 << 40, 32768)],
)
def test_clusters_of_large_volumes(size: int, cluster: int) -> None:
    result = write_fat32(io.BytesIO(), files(a=b"1"), size=size, mtime=0, volume_id=0)
    assert result.cluster_size == cluster


@pytest.mark.parametrize("count", [0, 1, 90, 500, 3000])
def test_the_smallest_volume(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    # Small files need more room in the larger clusters of a larger volume.
    monkeypatch.setattr("rdcompose.formats.fat.writer._SAFE_CLUSTERS", 100)
    tree = named({f"{n % 7}/{n:X}": b"1" * 600 for n in range(count)})
    size = minimum_size(tree)
    data, result = written(tree, size)
    assert read(data) == dump(tree)
    if count >= 500:
        assert result.free < 10 * result.cluster_size
        with pytest.raises(SpecError, match=r"the files need \d+ bytes as FAT32, and there are"):
            written(tree, size - 20 * result.cluster_size)


def test_what_does_not_fit() -> None:
    tree = tree_of(File(path="big", content=Pieces(40 * MIB, lambda: iter([]))))
    with pytest.raises(SpecError, match=r"the files need 42.* and there are 35651584"):
        written(tree)


@pytest.mark.parametrize("pieces", [[b"12"], [b"1234"], []])
def test_a_content_of_another_length(pieces: list[bytes]) -> None:
    tree = tree_of(File(path="x", content=Pieces(3, lambda: iter(pieces))))
    with pytest.raises(FormatError, match="content of 'x' is not as long as its size"):
        written(tree)


@pytest.mark.parametrize("name", OLD)
def test_volumes_of_mtools(name: str) -> None:
    assert dict(sorted(read(OLD[name]).items())) == dict(sorted(EXPECTED.items()))
    geometry = FatImage(io.BytesIO(OLD[name])).geometry
    bits, label = {"fat12": (12, "TWELVE"), "fat16": (16, "SIXTEEN")}[name]
    assert (geometry.bits, geometry.label, geometry.volume_id) == (bits, label, 0x1A2BC3D4)


@pytest.mark.parametrize("name", OLD)
def test_each_directory_comes_before_what_is_in_it(name: str) -> None:
    seen = {""}
    for entry in FatImage(io.BytesIO(OLD[name])).entries():
        assert entry.path.rpartition("/")[0] in seen
        if isinstance(entry, Directory):
            seen.add(entry.path)


def test_contents_in_pieces() -> None:
    entry = read_fat(io.BytesIO(OLD["fat12"])).get("kernel_2712.img")
    assert isinstance(entry, File)
    pieces = list(entry.content.chunks(1000))
    assert b"".join(pieces) == KERNEL
    assert {len(piece) for piece in pieces[:-1]} == {1000}


def patched(data: bytes, offset: int, value: bytes) -> bytes:
    return data[:offset] + value + data[offset + len(value) :]


@pytest.mark.parametrize(
    ("offset", "value"),
    [
        (11, b"\0\0"),  # sectors of no bytes
        (11, b"\x01\x02"),
        (13, b"\3"),
        (13, b"\0"),
        (14, b"\0\0"),  # no reserved sector
        (16, b"\0"),  # no FAT
        (21, b"\x11"),
        (510, b"\0"),
    ],
)
def test_what_is_none(offset: int, value: bytes) -> None:
    data = patched(OLD["fat16"], offset, value)
    assert not is_fat(data[:512])
    with pytest.raises(FormatError, match="no FAT filesystem"):
        FatImage(io.BytesIO(data))


@pytest.mark.parametrize(
    ("offset", "value"),
    [
        (19, b"\1\0"),  # one sector
        (22, b"\1\0"),  # a FAT of one sector
        (13, b"\x80"),  # clusters of 64 KiB make it FAT12: that is none of these errors
    ],
)
def test_sizes_that_contradict_themselves(offset: int, value: bytes) -> None:
    data = patched(OLD["fat16"], offset, value)
    if offset == 13:
        assert read_boot_sector(data).bits == 12
        return
    with pytest.raises(FormatError, match="sizes that cannot be"):
        read_boot_sector(data)


def test_a_boot_sector_without_a_label() -> None:
    geometry = read_boot_sector(patched(OLD["fat16"], 38, b"\0")[:512])
    assert (geometry.label, geometry.volume_id) == ("", 0)


def test_the_fat_that_counts() -> None:
    data, _ = written(files(a=b"1" * 9000))
    (fat_sectors,) = struct.unpack_from("<I", data, 36)
    # The first one is damaged, and the flags say that only the second is kept.
    broken = patched(patched(data, 32 * 512 + 8, bytes(64)), 40, b"\x81\0")
    assert read(broken) == read(data)
    assert FatImage(io.BytesIO(broken)).geometry.fat_start == (32 + fat_sectors) * 512
    with pytest.raises(FormatError, match="names a FAT that it does not have"):
        read(patched(data, 40, b"\x82\0"))


def fat32_places(data: bytes) -> tuple[int, int]:
    """Offsets of the first FAT and of the root directory."""
    (fat_sectors,) = struct.unpack_from("<I", data, 36)
    return 32 * 512, (32 + 2 * fat_sectors) * 512


SIMPLE: Final = named({"D/A": b"1" * 1200, "B": b"2"})


@pytest.mark.parametrize(
    ("cluster", "value", "message"),
    [
        (2, 0, "'/' of the FAT filesystem has the cluster 0, which is none"),
        (2, 2, "the directory '' of the FAT filesystem is too long"),
        (3, 0x0FFFFFF7, "'D' of the FAT filesystem has the cluster 268435447"),
        (3, 3, "the directory 'D' of the FAT filesystem is too long"),
        (5, 0x0FFFFFFF, "the clusters of 'D/A' end before the file does"),
        (5, 1, "'D/A' of the FAT filesystem has the cluster 1, which is none"),
    ],
)
def test_chains_that_are_damaged(cluster: int, value: int, message: str) -> None:
    data, _ = written(SIMPLE)
    fat, _ = fat32_places(data)
    with pytest.raises(FormatError, match=message):
        read(patched(data, fat + cluster * 4, struct.pack("<I", value)))


def test_directories_that_are_damaged() -> None:
    data, _ = written(SIMPLE)
    _, root = fat32_places(data)
    # B, then D, whose cluster is the third.
    second = root + 32
    for offset, value, message in (
        (26, b"\2\0", "the directory 'D/D/D.*' of the FAT filesystem|is a circle"),
        (26, b"\0\0", "the cluster 0, which is none"),
        (0, b"A/", "the FAT filesystem has the name 'A/'"),
        (0, b"A\0", "hostile name in the FAT filesystem"),
        (0, b"B ", "'B' is in the FAT filesystem twice"),
    ):
        with pytest.raises(FormatError, match=message):
            read(patched(data, second + offset, value))
    with pytest.raises(FormatError, match="'B', and what comes before it, is larger than"):
        read(patched(data, root + 28, b"\xff\xff\xff\xff"))
    hidden = read(patched(data, root, b"\xe5"))
    assert "B" not in hidden
    assert "D/A" in hidden


def test_files_that_share_their_clusters() -> None:
    data, _ = written(named({"A": b"1" * (20 * MIB), "B": b"2"}), 34 * MIB)
    _, root = fat32_places(data)
    # B claims the clusters of A.
    second = patched(data, root + 32 + 20, data[root + 20 : root + 32])
    with pytest.raises(FormatError, match="'B', and what comes before it, is larger than"):
        read(second)
    assert "A" in read(data)


def test_a_volume_says_that_it_is_larger_than_its_file() -> None:
    out = io.BytesIO()
    write_fat32(out, files(A=b"1"), size=1 << 30, mtime=0, volume_id=0)
    data = out.getvalue()
    _, root = fat32_places(data)
    with pytest.raises(FormatError, match="is cut: it has no room for 'A'"):
        read(patched(data, root + 28, struct.pack("<I", 100 * MIB)))


def test_a_long_name_of_another_entry_does_not_count() -> None:
    data, _ = written(named({"a-long-name": b""}))
    _, root = fat32_places(data)
    assert read(patched(data, root + 13, b"\0")) == {"A-LONG~1": "file 0644 empty"}


def test_too_many_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rdcompose.formats.fat.reader.MAX_NAMES", 9)
    with pytest.raises(FormatError, match="more than 9 names"):
        read(OLD["fat12"])


def test_too_long_directories(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rdcompose.formats.fat.reader._MAX_LISTED", 8000)
    with pytest.raises(FormatError, match="directories of the FAT filesystem are too long"):
        read(OLD["fat12"])


@pytest.mark.parametrize("size", [511, 600, 20_000, 60_000])
def test_a_cut_volume(size: int) -> None:
    with pytest.raises(FormatError, match=r"is cut|no FAT filesystem"):
        read(OLD["fat12"][:size])
