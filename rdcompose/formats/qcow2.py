"""Writer for qcow2 images, version 3.

The payload is contiguous in the file, from offset 65536 on: whoever writes it need not know
that it is inside a container, and ``mount -o loop,offset=65536`` works. Behind it come the
L2 tables, the L1 table, the refcount table and the refcount blocks; the header in front is
written last, so that an image is valid only when it is complete.

Every cluster of the payload is allocated, also one of zeros. Backing files, snapshots,
compressed clusters, encryption and the optional header extensions (feature names, bitmaps,
external data) are not supported.

References:
- QEMU, ``docs/interop/qcow2.rst``
"""

from __future__ import annotations

import dataclasses
import io
import struct
from typing import TYPE_CHECKING, Final

from rdcompose.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

MAGIC: Final = b"QFI\xfb"
VERSION: Final = 3
CLUSTER_BITS: Final = 16
CLUSTER: Final = 1 << CLUSTER_BITS
SECTOR: Final = 512
DATA_OFFSET: Final = CLUSTER
# Refcounts have 2 ** 4 bits, the only width that all programs know.
REFCOUNT_ORDER: Final = 4
_TABLE_ENTRIES: Final = CLUSTER // 8
_REFCOUNTS: Final = CLUSTER // 2
# "The refcount is exactly one": without it a writing QEMU would copy the cluster.
_COPIED: Final = 1 << 63
# magic, version, backing file offset and size, cluster bits, virtual size, encryption,
# L1 entries, L1 offset, refcount table offset and clusters, snapshot count and offset,
# incompatible, compatible and autoclear features, refcount order, header length
HEADER: Final = struct.Struct(">4sIQ2IQ2I2Q2I4Q2I")
_END_OF_EXTENSIONS: Final = bytes(8)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Qcow2Result:
    """What was written: length of the file, of the disk in it, and of the payload."""

    size: int
    virtual_size: int
    payload_size: int


class Qcow2Writer:
    """A window for the payload; its offset 0 is the first byte of the disk.

    It holds ``write``, ``seek`` and ``tell`` as a binary file does. What is skipped by
    seeking reads as zeros. ``out`` must be empty, and nobody else may move its position
    before :meth:`finish`; it is not closed.
    """

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._position = 0
        self._end = 0
        self._finished = False
        out.seek(DATA_OFFSET)

    def write(self, data: bytes, /) -> int:
        """Write all of the data at the current position; return its length."""
        self._check_open()
        self._out.write(data)
        self._position += len(data)
        if data:  # writing nothing behind the end does not move it
            self._end = max(self._end, self._position)
        return len(data)

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Move to an offset in the payload; return it."""
        self._check_open()
        bases = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._end}
        base = bases.get(whence)
        if base is None:
            raise ValueError(f"{whence} is no whence of a seek")
        if base + offset < 0:
            raise ValueError(f"negative offset {base + offset} in a qcow2 payload")
        self._position = base + offset
        self._out.seek(DATA_OFFSET + self._position)
        return self._position

    def tell(self) -> int:
        """Return the current offset in the payload."""
        return self._position

    def finish(self) -> Qcow2Result:
        """Write the tables and the header; the position is then the end of ``out``.

        The disk is as long as the payload, rounded up to a sector of 512 bytes.

        :raises SpecError: there is no payload.
        """
        self._check_open()
        if not self._end:
            raise SpecError("a qcow2 image needs a payload of at least one byte")
        self._finished = True
        layout = _Layout.of(self._end)
        self._out.seek(DATA_OFFSET + self._end)
        self._out.write(bytes(-self._end % CLUSTER))
        for table in layout.tables():
            self._out.write(table)
        self._out.seek(0)
        self._out.write(layout.header().ljust(CLUSTER, b"\0"))
        self._out.seek(layout.clusters * CLUSTER)
        return Qcow2Result(
            size=layout.clusters * CLUSTER,
            virtual_size=layout.virtual_size,
            payload_size=self._end,
        )

    def _check_open(self) -> None:
        if self._finished:
            raise ValueError("the qcow2 image is finished")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Layout:
    """Numbers of clusters, in the order in which they lie behind the header's."""

    virtual_size: int
    data: int
    l2: int
    l1: int
    refcount_table: int
    refcount_blocks: int

    @classmethod
    def of(cls, payload: int) -> _Layout:
        data = _divide(payload, CLUSTER)
        l2 = _divide(data, _TABLE_ENTRIES)
        l1 = _divide(l2, _TABLE_ENTRIES)
        # The refcounts count themselves: repeat until there is room for all.
        table = blocks = 1
        while True:
            needed = _divide(1 + data + l2 + l1 + table + blocks, _REFCOUNTS)
            if needed == blocks:
                break
            blocks = needed
            table = _divide(blocks, _TABLE_ENTRIES)
        return cls(
            virtual_size=_divide(payload, SECTOR) * SECTOR,
            data=data,
            l2=l2,
            l1=l1,
            refcount_table=table,
            refcount_blocks=blocks,
        )

    @property
    def l2_cluster(self) -> int:
        return 1 + self.data

    @property
    def l1_cluster(self) -> int:
        return self.l2_cluster + self.l2

    @property
    def refcount_cluster(self) -> int:
        return self.l1_cluster + self.l1

    @property
    def clusters(self) -> int:
        return self.refcount_cluster + self.refcount_table + self.refcount_blocks

    def header(self) -> bytes:
        header = HEADER.pack(
            MAGIC,
            VERSION,
            0,
            0,
            CLUSTER_BITS,
            self.virtual_size,
            0,
            self.l2,
            self.l1_cluster * CLUSTER,
            self.refcount_cluster * CLUSTER,
            self.refcount_table,
            0,
            0,
            0,
            0,
            0,
            REFCOUNT_ORDER,
            HEADER.size,
        )
        return header + _END_OF_EXTENSIONS

    def tables(self) -> Iterator[bytes]:
        """Yield everything behind the data, in pieces of whole clusters."""
        for first in range(1, self.l2_cluster, _TABLE_ENTRIES):
            end = min(first + _TABLE_ENTRIES, self.l2_cluster)
            yield _pointers(range(first, end), _COPIED)
        yield _pointers(range(self.l2_cluster, self.l1_cluster), _COPIED)
        blocks = range(self.refcount_cluster + self.refcount_table, self.clusters)
        yield _pointers(blocks, 0)
        for first in range(0, self.clusters, _REFCOUNTS):
            used = min(_REFCOUNTS, self.clusters - first)
            yield (b"\0\1" * used).ljust(CLUSTER, b"\0")


def _pointers(clusters: range, flag: int) -> bytes:
    """Return a table of cluster offsets, filled up to whole clusters."""
    entries = [number << CLUSTER_BITS | flag for number in clusters]
    table = struct.pack(f">{len(entries)}Q", *entries)
    return table.ljust(_divide(len(table), CLUSTER) * CLUSTER, b"\0")


def _divide(number: int, by: int) -> int:
    """Divide, rounding up."""
    return -(-number // by)
