"""The architecture that an image is for, by the first program or module in it that tells."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Final

from rdcompose.errors import FormatError, UnsupportedError
from rdcompose.formats.compression import detect
from rdcompose.formats.first_stream import FirstStream
from rdcompose.kernel.moduletree import plain_module_path
from rdcompose.kernel.release import architectures_of_elf
from rdcompose.tree import File, read_all

if TYPE_CHECKING:
    from rdcompose.formats.image import ByteOrder
    from rdcompose.kernel.release import Architecture
    from rdcompose.tree import Content, Entry

_HEADER: Final = 20
_MAGIC: Final = b"\x7fELF"
_ORDERS: Final[dict[int, ByteOrder]] = {1: "little", 2: "big"}
_BITS: Final = {1: 32, 2: 64}
_EXECUTABLE: Final = 0o111
# What is larger is not read for this.
_MAX_SIZE: Final = 64 << 20


class Machine:
    """What the entries that were looked at tell; ``found`` is empty until one does.

    Of architectures whose programs look the same there are several.
    """

    def __init__(self) -> None:
        self.found: tuple[Architecture, ...] = ()

    def look(self, entry: Entry) -> None:
        """Look at an entry, if it is still open what the machine is.

        :raises FormatError: its content cannot be read.
        """
        if self.found or not isinstance(entry, File):
            return
        module = plain_module_path(entry.path) is not None
        if (module or entry.mode & _EXECUTABLE) and _HEADER <= entry.content.size <= _MAX_SIZE:
            header = _start(entry.content)
            if header.startswith(_MAGIC) and header[4] in _BITS and header[5] in _ORDERS:
                order = _ORDERS[header[5]]
                number = int.from_bytes(header[18:20], order)
                self.found = architectures_of_elf(number, _BITS[header[4]], order)


def _start(content: Content) -> bytes:
    """Return the header of a file, of what is packed in it if it is packed."""
    start = next(iter(content.chunks(content.size)))
    row = detect(start)
    if row is None or row.name == "none":
        return start[:_HEADER]
    data = read_all(content)
    try:
        return next(iter(FirstStream(row.name, io.BytesIO(data), 0, len(data))), b"")[:_HEADER]
    except (FormatError, UnsupportedError):
        return b""
