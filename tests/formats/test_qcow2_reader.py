from __future__ import annotations

import io
import random
import struct
import zlib
from typing import Final

import pytest
import zstandard

from rdcompose.errors import FormatError, UnsupportedError
from rdcompose.formats.qcow2 import HEADER, Qcow2Writer
from rdcompose.formats.qcow2_reader import is_qcow2, open_qcow2, read_header

CLUSTER: Final = 65536
COMPRESSED: Final = 1 << 62


def written(payload: bytes) -> bytearray:
    out = io.BytesIO()
    writer = Qcow2Writer(out)
    writer.write(payload)
    writer.finish()
    return bytearray(out.getvalue())


def handmade(
    entries: list[int],
    data: bytes = b"",
    *,
    version: int = 3,
    bits: int = 9,
    size: int | None = None,
    incompatible: int = 0,
    compression: int = 0,
) -> bytes:
    """An image with header, L1 and L2 table in clusters 0 to 2, and data from cluster 3 on."""
    cluster = 1 << bits
    size = len(entries) * cluster if size is None else size
    header = HEADER.pack(
        b"QFI\xfb", version, 0, 0, bits, size, 0, 1, cluster, 0, 0, 0, 0, incompatible, 0, 0, 4, 112
    ) + bytes([compression])
    if version == 2:
        header = header[:72]
    l2 = struct.pack(f">{len(entries)}Q", *entries)
    return (
        b"".join(
            part.ljust(cluster, b"\0") for part in (header, struct.pack(">Q", 2 * cluster), l2)
        )
        + data
    )


def compressed(offset: int, packed: bytes, bits: int = 9) -> int:
    sectors = (offset % 512 + len(packed) - 1) // 512
    return COMPRESSED | sectors << 62 - (bits - 8) | offset


def deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(6, zlib.DEFLATED, -12)
    return packer.compress(data) + packer.flush()


def test_what_the_writer_wrote_at_any_place() -> None:
    payload = random.Random(1).randbytes(3 * CLUSTER + 1000)
    guest = open_qcow2(io.BytesIO(written(payload)))
    assert guest.read() == payload.ljust(3 * CLUSTER + 1024, b"\0")
    assert guest.read(1) == b""
    for start, size in ((0, 0), (CLUSTER - 3, 7), (2 * CLUSTER, CLUSTER), (3 * CLUSTER + 900, 999)):
        assert guest.seek(start) == start
        assert guest.read(size) == payload.ljust(3 * CLUSTER + 1024, b"\0")[start : start + size]
    assert guest.seek(-24, io.SEEK_END) == 3 * CLUSTER + 1000
    assert guest.read() == bytes(24)
    assert guest.seek(0) == 0
    assert guest.seek(5, io.SEEK_CUR) == guest.tell() == 5


def test_header() -> None:
    header = read_header(io.BytesIO(written(b"x" * 513)))
    assert (header.version, header.virtual_size, header.cluster_size) == (3, 1024, CLUSTER)
    assert header.compression == "deflate"
    assert is_qcow2(b"QFI\xfb...")
    assert not is_qcow2(b"hsqs")


@pytest.mark.parametrize("version", [2, 3])
def test_holes_and_compressed_clusters(version: int) -> None:
    text = b"compressed " * 46 + b"123456"
    packed = deflate(text)
    # Not at a sector, and with another one's data behind it.
    data = b"-" * 7 + packed + b"+" * 300
    image = handmade(
        [0, compressed(3 * 512 + 7, packed), 5 * 512],
        data.ljust(1024, b"!") + b"p" * 512,
        version=version,
    )
    assert open_qcow2(io.BytesIO(image)).read() == bytes(512) + text[:512] + b"p" * 512


def test_zstd_clusters() -> None:
    text = b"z" * 512
    packed = zstandard.ZstdCompressor().compress(text)
    entries = [compressed(3 * 512, packed)]
    image = handmade(entries, packed + b"rest", incompatible=8, compression=1)
    assert read_header(io.BytesIO(image)).compression == "zstd"
    assert open_qcow2(io.BytesIO(image)).read() == text


def test_a_cluster_that_reads_as_zeros_though_it_has_data() -> None:
    image = handmade([3 * 512 | 1], b"x" * 512)
    assert open_qcow2(io.BytesIO(image)).read() == bytes(512)
    with pytest.raises(FormatError, match=r"cluster 0 .* bit of version 3"):
        open_qcow2(io.BytesIO(handmade([3 * 512 | 1], b"x" * 512, version=2))).read()


def test_a_table_that_is_not_there_is_a_hole() -> None:
    image = bytearray(handmade([3 * 512], b"x" * 512))
    image[512:520] = bytes(8)
    assert open_qcow2(io.BytesIO(image)).read() == bytes(512)


def test_the_file_may_end_in_its_last_cluster() -> None:
    assert open_qcow2(io.BytesIO(handmade([3 * 512], b"end"))).read() == b"end".ljust(512, b"\0")


def test_an_image_left_open_can_be_read() -> None:
    image = handmade([3 * 512], b"x" * 512, incompatible=1)
    assert open_qcow2(io.BytesIO(image)).read() == b"x" * 512


def patched(offset: int, value: bytes) -> io.BytesIO:
    image = written(b"payload")
    image[offset : offset + len(value)] = value
    return io.BytesIO(image)


@pytest.mark.parametrize(
    ("offset", "value", "message"),
    [
        (4, b"\0\0\0\4", "has the version 4"),
        (8, bytes(7) + b"\1", "backing file"),
        (32, b"\0\0\0\2", "is encrypted"),
        (79, b"\4", "in another file"),
        (79, b"\x10", "subclusters"),
        (79, b"\x20", "features that are not known"),
        (72, b"\x80", "features that are not known"),
    ],
)
def test_what_is_not_handled(offset: int, value: bytes, message: str) -> None:
    with pytest.raises(UnsupportedError, match=message):
        open_qcow2(patched(offset, value))


def test_unknown_compression() -> None:
    with pytest.raises(UnsupportedError, match="compression type 2"):
        open_qcow2(io.BytesIO(handmade([0], incompatible=8, compression=2)))


@pytest.mark.parametrize(
    ("offset", "value", "message"),
    [
        (0, b"QFI\0", "no qcow2 image: it starts with 51 46 49 00"),
        (79, b"\2", "marked as corrupt"),
        (20, b"\0\0\0\x08", "clusters of 2\\^8 bytes"),
        (20, b"\xff\xff\xff\xff", "clusters of 2\\^4294967295 bytes"),
        (24, b"\xff" * 8, "too small for its 18446744073709551615 bytes"),
        (36, b"\0\x50\0\0", "L1 table of 5242880 entries"),
        (100, b"\0\0\0\x10", "states its length as 16 bytes"),
    ],
)
def test_headers_that_cannot_be(offset: int, value: bytes, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        open_qcow2(patched(offset, value))


def test_nothing_and_a_cut_header() -> None:
    with pytest.raises(FormatError, match="starts with nothing"):
        open_qcow2(io.BytesIO())
    with pytest.raises(FormatError, match="cut off in its header"):
        open_qcow2(io.BytesIO(written(b"x")[:60]))


@pytest.mark.parametrize(
    ("entry", "data", "message"),
    [
        (3 * 512 + 8, b"x" * 512, None),  # reserved bits are none of the offset
        (9 * 512, b"x" * 512, "cluster 0 .* lies at 0x1200"),
        (compressed(3 * 512, b"x" * 99), b"x" * 99, "is damaged"),
        (compressed(3 * 512, b"x" * 99), deflate(b"x" * 511), "0x600 .* is cut"),
        (compressed(3 * 512, b"x" * 99), deflate(random.Random(0).randbytes(512))[:200], "is cut"),
        (compressed(77 * 512, b"x"), b"", "0x9a00 .* is cut"),
    ],
)
def test_clusters_that_cannot_be(entry: int, data: bytes, message: str | None) -> None:
    guest = open_qcow2(io.BytesIO(handmade([entry], data)))
    if message is None:
        assert guest.read() == data
        return
    with pytest.raises(FormatError, match=message):
        guest.read()


def test_a_damaged_zstd_cluster() -> None:
    image = handmade([compressed(3 * 512, b"x")], b"\x28\xb5\x2f\xfd" + b"\xff" * 90, compression=1)
    with pytest.raises(FormatError, match="cluster of the qcow2 image is damaged"):
        open_qcow2(io.BytesIO(image)).read()


def test_tables_outside_of_the_file() -> None:
    image = bytearray(handmade([3 * 512], b"x" * 512))
    image[512:520] = struct.pack(">Q", 9 * 512)
    with pytest.raises(FormatError, match=r"L2 table .* lies at 0x1200"):
        open_qcow2(io.BytesIO(image)).read()
    with pytest.raises(FormatError, match=r"L1 table .* cut off"):
        open_qcow2(io.BytesIO(handmade([3 * 512])[:512])).read()


def test_a_cluster_that_unpacks_to_gigabytes_gives_one_cluster() -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, -12)
    packed = packer.compress(bytes(1 << 20)) + packer.flush()
    image = handmade([compressed(3 * 512, packed)], packed)
    assert open_qcow2(io.BytesIO(image)).read() == bytes(512)
