from __future__ import annotations

import dataclasses
import io
import os
import struct
from typing import TYPE_CHECKING, Any, Final

import pytest

from rdcompose.errors import SpecError
from rdcompose.formats import qcow2
from rdcompose.formats.qcow2 import DATA_OFFSET, Qcow2Result, Qcow2Writer
from rdcompose.formats.squashfs.writer import write_squashfs
from rdcompose.tree import Bytes, File

if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO

CLUSTER: Final = 65536
COPIED: Final = 1 << 63
MIB: Final = 1 << 20


@dataclasses.dataclass(frozen=True)
class Disk:
    """What a strict reader finds in an image: every cluster is used exactly once."""

    virtual_size: int
    l1: tuple[int, ...]
    clusters: tuple[int, ...]
    refcount_blocks: int


def table(stream: BinaryIO, offset: int, count: int) -> tuple[int, ...]:
    stream.seek(offset)
    return struct.unpack(f">{count}Q", stream.read(8 * count))


def read_disk(stream: BinaryIO) -> Disk:
    stream.seek(0)
    header = stream.read(CLUSTER)
    fields = struct.unpack_from(">4sIQ2IQ2I2Q2I4Q2I", header)
    assert fields[:5] == (b"QFI\xfb", 3, 0, 0, 16)
    virtual_size, encryption, l1_count, l1_offset, refcount_offset, refcount_clusters = fields[5:11]
    assert encryption == 0
    assert fields[11:] == (0, 0, 0, 0, 0, 4, 104)
    assert not any(header[104:])
    size = stream.seek(0, os.SEEK_END)
    used = [0, *range(refcount_offset, refcount_offset + refcount_clusters * CLUSTER, CLUSTER)]
    used += range(l1_offset, l1_offset + -(-l1_count // 8192) * CLUSTER, CLUSTER)
    l1 = table(stream, l1_offset, l1_count)
    clusters: list[int] = []
    for entry in l1:
        assert entry & COPIED
        used.append(entry ^ COPIED)
        clusters += table(stream, entry ^ COPIED, 8192)
    count = -(-virtual_size // CLUSTER)
    assert not any(clusters[count:])
    assert all(entry & COPIED for entry in clusters[:count])
    data = tuple(entry ^ COPIED for entry in clusters[:count])
    used += data
    blocks = [b for b in table(stream, refcount_offset, refcount_clusters * 8192) if b]
    used += blocks
    assert sorted(used) == list(range(0, size, CLUSTER))
    counts = b"".join(_cluster(stream, block) for block in blocks)
    assert counts == (b"\0\1" * len(used)).ljust(len(blocks) * CLUSTER, b"\0")
    return Disk(virtual_size, l1, data, len(blocks))


def _cluster(stream: BinaryIO, offset: int) -> bytes:
    stream.seek(offset)
    return stream.read(CLUSTER)


def make(payload: bytes) -> tuple[io.BytesIO, Qcow2Result]:
    out = io.BytesIO()
    writer = Qcow2Writer(out)
    assert writer.write(payload) == len(payload)
    return out, writer.finish()


@pytest.mark.parametrize(
    "size", [1, 511, 512, 513, CLUSTER - 1, CLUSTER, CLUSTER + 1, MIB, 3 * MIB + 70_000]
)
def test_payload(size: int) -> None:
    payload = (b"payload " * (size // 8 + 1))[:size]
    out, result = make(payload)
    disk = read_disk(out)
    assert disk.virtual_size == -(-size // 512) * 512
    # Contiguous, so that the payload can be mounted by its offset.
    assert disk.clusters == tuple(CLUSTER * n for n in range(1, -(-size // CLUSTER) + 1))
    data = out.getvalue()
    assert data[DATA_OFFSET : DATA_OFFSET + size] == payload
    assert not any(data[DATA_OFFSET + size : CLUSTER * (1 + len(disk.clusters))])
    assert result == Qcow2Result(size=len(data), virtual_size=disk.virtual_size, payload_size=size)
    assert make(payload)[0].getvalue() == data


@pytest.mark.parametrize(
    ("size", "l2_tables", "refcount_blocks"),
    [
        pytest.param(512 * MIB, 1, 1, id="full L2 table"),
        pytest.param(512 * MIB + 70_000, 2, 1, id="two L2 tables"),
        # 32768 clusters with the header and seven of tables.
        pytest.param((2 << 30) - 8 * CLUSTER, 4, 1, id="full refcount block"),
        pytest.param((2 << 30) - 8 * CLUSTER + 1, 4, 2, id="two refcount blocks"),
        pytest.param((4 << 30) + 1, 9, 3, id="three refcount blocks"),
    ],
)
def test_large_payload(tmp_path: Path, size: int, l2_tables: int, refcount_blocks: int) -> None:
    # In a sparse file: what is skipped takes neither time nor room.
    with (tmp_path / "image").open("w+b") as out:
        writer = Qcow2Writer(out)
        writer.seek(size - 1)
        writer.write(b"x")
        result = writer.finish()
        disk = read_disk(out)
        assert (len(disk.l1), disk.refcount_blocks) == (l2_tables, refcount_blocks)
        assert out.seek(0, os.SEEK_END) == result.size
        out.seek(DATA_OFFSET + size - 1)
        assert out.read(1) == b"x"
        assert os.fstat(out.fileno()).st_blocks * 512 < 8 * MIB


def test_refcounts_that_need_a_second_table_cluster() -> None:
    # 16 TiB and a cluster: 8192 refcount blocks fill one cluster of their table. Only the
    # tables are looked at; writing them all would take gigabytes.
    layout = qcow2._Layout.of((16 << 40) + CLUSTER)
    assert layout.refcount_table == 2
    assert layout.clusters <= layout.refcount_blocks * 32768 < layout.clusters + 32768
    assert layout.l1 == -(-layout.l2 // 8192) == 5


class TestWindow:
    def test_seek_and_tell(self) -> None:
        out = io.BytesIO()
        writer = Qcow2Writer(out)
        assert writer.tell() == 0
        writer.write(b"0123456789")
        assert writer.tell() == 10
        assert writer.seek(2) == 2
        writer.write(b"xx")
        assert writer.tell() == 4
        assert writer.seek(-1, os.SEEK_CUR) == 3
        assert writer.seek(2, os.SEEK_END) == 12
        writer.write(b"end")
        assert writer.seek(0) == 0
        result = writer.finish()
        assert result.payload_size == 15
        assert out.tell() == result.size
        assert out.getvalue()[DATA_OFFSET : DATA_OFFSET + 16] == b"01xx456789\0\0end\0"
        assert not out.closed

    def test_seek_before_the_start(self) -> None:
        with pytest.raises(ValueError, match="negative offset -1"):
            Qcow2Writer(io.BytesIO()).seek(-1)

    def test_seek_from_nowhere(self) -> None:
        with pytest.raises(ValueError, match="whence"):
            Qcow2Writer(io.BytesIO()).seek(0, 5)

    def test_seeking_alone_is_no_payload(self) -> None:
        writer = Qcow2Writer(io.BytesIO())
        writer.seek(100)
        with pytest.raises(SpecError, match="payload of at least one byte"):
            writer.finish()

    def test_no_payload(self) -> None:
        out = io.BytesIO()
        with pytest.raises(SpecError, match="payload of at least one byte"):
            Qcow2Writer(out).finish()
        assert out.getvalue() == b""

    def test_nothing_after_the_end(self) -> None:
        writer = Qcow2Writer(io.BytesIO())
        writer.write(b"x")
        writer.finish()
        for action in (lambda: writer.write(b"y"), lambda: writer.seek(0), writer.finish):
            with pytest.raises(ValueError, match="is finished"):
                action()

    def test_not_an_image_before_it_is_finished(self) -> None:
        class Full(io.BytesIO):
            def write(self, data: Any, /) -> int:
                if self.tell() + len(data) > 3 * CLUSTER:
                    raise OSError(28, "No space left on device")
                return super().write(data)

        out = Full()
        writer = Qcow2Writer(out)
        writer.write(b"x" * CLUSTER)
        with pytest.raises(OSError, match="No space left"):
            writer.finish()
        assert out.getvalue()[:CLUSTER] == bytes(CLUSTER)


def test_squashfs_writes_into_it() -> None:
    plain, inside = io.BytesIO(), io.BytesIO()
    entries = [File(path="f", content=Bytes(b"content" * 30_000))]
    size = write_squashfs(plain, entries, mtime=1).size
    window = Qcow2Writer(inside)
    assert write_squashfs(window, entries, mtime=1).size == size
    assert window.finish().payload_size == size
    assert inside.getvalue()[DATA_OFFSET : DATA_OFFSET + size] == plain.getvalue()
    assert read_disk(inside).virtual_size == size
