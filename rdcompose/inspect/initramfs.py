"""An initramfs of any maker: its segments, and what the kernel makes of them.

Reference: ``init/initramfs.c`` and ``lib/decompress*.c`` of Linux, and
Documentation/driver-api/early-userspace/buffer-format.rst.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Final

from rdcompose.errors import FormatError, UnsupportedError
from rdcompose.formats import segments
from rdcompose.inspect.artifact import Initramfs, SegmentFacts
from rdcompose.inspect.contents import examine

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rdcompose.tree import Entry

# An initramfs of more is none that anybody boots.
MAX_UNPACKED: Final = 1 << 30
MAX_ENTRIES: Final = 1 << 20


def is_initramfs(data: bytes) -> bool:
    """Whether an archive starts the data, in the open or as the first thing that is packed.

    :raises FormatError: it is packed, and damaged where it starts.
    :raises UnsupportedError: it is packed with what is not unpacked here.
    """
    return segments.is_initramfs(io.BytesIO(data), len(data))


def read_initramfs(data: bytes) -> tuple[Initramfs, str | None]:
    """Read an initramfs; returns what could be read, and why the rest could not.

    The message is ``None`` if all could be read.
    """
    reading = _Reading(data)
    contents = examine(reading.entries(), disk=False)
    return Initramfs(tuple(reading.segments), contents), reading.problem


def initramfs_entries(data: bytes) -> Iterator[Entry]:
    """Yield what all segments hold, in the order in which it is stored.

    :raises FormatError: it is damaged.
    :raises UnsupportedError: it is packed with what is not unpacked here.
    """
    for segment in segments.read_segments(io.BytesIO(data), len(data), limit=MAX_UNPACKED):
        yield from segment.entries()


class _Reading:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self.segments: list[SegmentFacts] = []
        self.problem: str | None = None
        self._count = 0

    def entries(self) -> Iterator[Entry]:
        source = io.BytesIO(self._data)
        try:
            for segment in segments.read_segments(source, len(self._data), limit=MAX_UNPACKED):
                yield from self._counted(segment.entries())
                facts = SegmentFacts(
                    segment.offset,
                    segment.size,
                    segment.compression,
                    segment.unpacked,
                    segment.refused,
                )
                self.segments.append(facts)
        except (FormatError, UnsupportedError) as error:
            self.problem = error.message

    def _counted(self, entries: Iterable[Entry]) -> Iterator[Entry]:
        for entry in entries:
            self._count += 1
            if self._count > MAX_ENTRIES:
                raise FormatError(f"it has more than {MAX_ENTRIES} entries")
            yield entry
