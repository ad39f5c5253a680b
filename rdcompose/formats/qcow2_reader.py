"""Reader for qcow2 images, versions 2 and 3: the guest's disk as a file.

Compressed clusters (deflate and zstd) are read; what makes an image depend on something
outside of it or hides its content is refused by name: backing files, external data,
encryption, subclusters. An image that a running machine left open ("dirty") can be read,
because only its refcounts are then behind, and those are not looked at.

References:
- QEMU, ``docs/interop/qcow2.rst``
"""

from __future__ import annotations

import collections
import dataclasses
import io
import struct
import zlib
from typing import TYPE_CHECKING, Final, cast

from rdcompose.errors import FormatError, UnsupportedError
from rdcompose.formats.qcow2 import HEADER, MAGIC
from rdcompose.formats.zstd import MAX_WINDOW

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO

    from _typeshed import WriteableBuffer

_MIN_CLUSTER_BITS: Final = 9
_MAX_CLUSTER_BITS: Final = 21
# QEMU's own bound: 32 MiB of L1 table (QCOW_MAX_L1_SIZE).
_MAX_L1: Final = (32 << 20) // 8
# Version 2 ends before the feature bits.
_V2_LENGTH: Final = 72
_COMPRESSION_OFFSET: Final = 104
_OFFSET_MASK: Final = 0x00FF_FFFF_FFFF_FE00
_COMPRESSED: Final = 1 << 62
_ALL_ZEROS: Final = 1
_SECTOR: Final = 512
# Memory for tables and for unpacked clusters, each.
_CACHE_BYTES: Final = 4 << 20

_DIRTY: Final = 1 << 0
_CORRUPT: Final = 1 << 1
_EXTERNAL_DATA: Final = 1 << 2
_COMPRESSION_TYPE: Final = 1 << 3
_EXTENDED_L2: Final = 1 << 4
_KNOWN: Final = _DIRTY | _CORRUPT | _EXTERNAL_DATA | _COMPRESSION_TYPE | _EXTENDED_L2
_COMPRESSIONS: Final = ("deflate", "zstd")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Qcow2Header:
    """What the header tells; sizes are in bytes.

    ``compression`` is that of compressed clusters: ``deflate`` or ``zstd``.
    """

    version: int
    virtual_size: int
    cluster_bits: int
    l1_offset: int
    l1_entries: int
    compression: str

    @property
    def cluster_size(self) -> int:
        """Bytes of a cluster."""
        return 1 << self.cluster_bits


def is_qcow2(start: bytes) -> bool:
    """Whether an image that starts so is a qcow2."""
    return start.startswith(MAGIC)


def read_header(source: BinaryIO) -> Qcow2Header:
    """Read and judge the header of an image.

    :raises FormatError: it is no qcow2 image, or damaged.
    :raises UnsupportedError: it needs another file or a key, or a feature that is not handled.
    """
    source.seek(0)
    data = source.read(_COMPRESSION_OFFSET + 8)
    if not is_qcow2(data):
        raise FormatError("no qcow2 image: it starts with " + (data[:4].hex(" ") or "nothing"))
    if len(data) < _V2_LENGTH:
        raise FormatError("the qcow2 image is cut off in its header")
    fields = HEADER.unpack(data[: HEADER.size].ljust(HEADER.size, b"\0"))
    _, version, backing, _, bits, size, encryption, l1_entries, l1_offset = fields[:9]
    incompatible, length = fields[13], fields[17]
    if version not in {2, 3}:
        raise UnsupportedError(f"the qcow2 image has the version {version}, not 2 or 3")
    if version == 2:
        incompatible = length = 0
    elif length < HEADER.size:
        raise FormatError(f"the qcow2 header states its length as {length} bytes")
    _check_features(incompatible, backing, encryption)
    compression = data[_COMPRESSION_OFFSET] if length > _COMPRESSION_OFFSET < len(data) else 0
    header = Qcow2Header(
        version=version,
        virtual_size=size,
        cluster_bits=bits,
        l1_offset=l1_offset,
        l1_entries=l1_entries,
        compression=_compression(compression),
    )
    _check_sizes(header)
    return header


def _check_features(incompatible: int, backing: int, encryption: int) -> None:
    refused = (
        (backing, "has a backing file, without which it is not complete"),
        (encryption, "is encrypted"),
        (incompatible & _EXTERNAL_DATA, "keeps its data in another file"),
        (incompatible & _EXTENDED_L2, "has subclusters, which are not handled"),
        (incompatible & ~_KNOWN, "needs features that are not known here"),
    )
    for found, what in refused:
        if found:
            raise UnsupportedError(
                f"the qcow2 image {what}",
                hint="qemu-img convert -O qcow2 makes an image of its own from it",
            )
    if incompatible & _CORRUPT:
        raise FormatError(
            "the qcow2 image is marked as corrupt", hint="qemu-img check -r all may mend it"
        )


def _compression(number: int) -> str:
    if number >= len(_COMPRESSIONS):
        raise UnsupportedError(f"the qcow2 image has the compression type {number}")
    return _COMPRESSIONS[number]


def _check_sizes(header: Qcow2Header) -> None:
    if not _MIN_CLUSTER_BITS <= header.cluster_bits <= _MAX_CLUSTER_BITS:
        raise FormatError(f"the qcow2 image has clusters of 2^{header.cluster_bits} bytes")
    if header.l1_entries > _MAX_L1:
        raise FormatError(f"the qcow2 image has an L1 table of {header.l1_entries} entries")
    per_table = header.cluster_bits + header.cluster_bits - 3
    if header.l1_entries << per_table < header.virtual_size:
        raise FormatError(
            f"the tables of the qcow2 image are too small for its {header.virtual_size} bytes"
        )


def open_qcow2(source: BinaryIO) -> BinaryIO:
    """Return the guest's disk as a file to read and seek in; closing it leaves ``source`` open.

    Nobody else may move the position of ``source`` meanwhile. Reading raises
    :class:`FormatError` where the image is damaged.

    :raises FormatError: it is no qcow2 image, or its header is damaged.
    :raises UnsupportedError: it is of a kind that is not handled.
    """
    header = read_header(source)
    guest = io.BufferedReader(_Guest(source, header), buffer_size=header.cluster_size)
    return cast("BinaryIO", guest)


class _Guest(io.RawIOBase):
    """Reads at most to the end of a cluster at a time; buffering is for others."""

    def __init__(self, source: BinaryIO, header: Qcow2Header) -> None:
        super().__init__()
        self._source = source
        self._header = header
        self._end = source.seek(0, io.SEEK_END)
        self._position = 0
        size = header.cluster_size
        self._tables = _Cache(max(_CACHE_BYTES // size, 1), self._load_table)
        self._unpacked = _Cache(max(_CACHE_BYTES // size, 1), self._unpack)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        bases = {
            io.SEEK_SET: 0,
            io.SEEK_CUR: self._position,
            io.SEEK_END: self._header.virtual_size,
        }
        self._position = max(bases[whence] + offset, 0)
        return self._position

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        view = memoryview(buffer).cast("B")
        cluster, start = divmod(self._position, self._header.cluster_size)
        left = self._header.virtual_size - self._position
        wanted = min(len(view), self._header.cluster_size - start, max(left, 0))
        if wanted:
            view[:wanted] = self._piece(cluster, start, wanted)
        self._position += wanted
        return wanted

    def _piece(self, cluster: int, start: int, size: int) -> bytes:
        entry = self._entry(cluster)
        if entry & _COMPRESSED:
            return self._unpacked.get(entry & ~(3 << 62))[start : start + size]
        offset = entry & _OFFSET_MASK
        if entry & _ALL_ZEROS and self._header.version == 2:
            raise FormatError(f"cluster {cluster} of the qcow2 image has a bit of version 3")
        if not offset or entry & _ALL_ZEROS:
            return bytes(size)
        if offset % self._header.cluster_size or offset >= self._end:
            raise FormatError(f"cluster {cluster} of the qcow2 image lies at {offset:#x}")
        # The file may end within its last cluster: what is not there reads as zeros.
        return self._read(offset + start, size).ljust(size, b"\0")

    def _entry(self, cluster: int) -> int:
        table, index = divmod(cluster, self._header.cluster_size // 8)
        entry = self._read(self._header.l1_offset + 8 * table, 8)
        if len(entry) < 8:
            raise FormatError("the L1 table of the qcow2 image is cut off")
        offset = int.from_bytes(entry, "big") & _OFFSET_MASK
        if not offset:
            return 0
        found: int = struct.unpack_from(">Q", self._tables.get(offset), 8 * index)[0]
        return found

    def _load_table(self, offset: int) -> bytes:
        table = self._read(offset, self._header.cluster_size)
        if offset % self._header.cluster_size or len(table) < self._header.cluster_size:
            raise FormatError(f"an L2 table of the qcow2 image lies at {offset:#x}")
        return table

    def _unpack(self, entry: int) -> bytes:
        """Return a compressed cluster; ``entry`` is offset and number of sectors."""
        width = 62 - (self._header.cluster_bits - 8)
        offset, sectors = entry & ((1 << width) - 1), entry >> width
        packed = self._read(offset, (sectors + 1) * _SECTOR - offset % _SECTOR)
        unpack = _inflate if self._header.compression == "deflate" else _unzstd
        size = self._header.cluster_size
        data = unpack(packed, size)
        if len(data) < size:
            raise FormatError(f"the compressed cluster at {offset:#x} of the qcow2 image is cut")
        return data

    def _read(self, offset: int, size: int) -> bytes:
        if offset >= self._end:
            return b""
        self._source.seek(offset)
        return self._source.read(size)


class _Cache:
    """The values last asked for, by number."""

    def __init__(self, length: int, load: Callable[[int], bytes]) -> None:
        self._length = length
        self._load = load
        self._values: collections.OrderedDict[int, bytes] = collections.OrderedDict()

    def get(self, key: int) -> bytes:
        if key in self._values:
            self._values.move_to_end(key)
            return self._values[key]
        value = self._values[key] = self._load(key)
        if len(self._values) > self._length:
            self._values.popitem(last=False)
        return value


def _inflate(data: bytes, size: int) -> bytes:
    try:
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, size)
    except zlib.error as error:
        raise FormatError(f"a cluster of the qcow2 image is damaged: {error}") from error


def _unzstd(data: bytes, size: int) -> bytes:
    import zstandard

    context = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW)
    try:
        # What follows the frame fills the sector, and is never read.
        with context.stream_reader(data) as reader:
            return reader.read(size)
    except zstandard.ZstdError as error:
        raise FormatError(f"a cluster of the qcow2 image is damaged: {error}") from error
