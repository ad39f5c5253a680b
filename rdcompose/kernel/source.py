"""Where the files of a kernel come from, as one stream of members whatever it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO, Protocol

from rdcompose.formats.deb import Deb

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rdcompose.formats.deb import Control, Member


class Source(Protocol):
    """Something with files of a kernel: a package or a tree of directories."""

    @property
    def name(self) -> str:
        """What messages call it."""

    @property
    def control(self) -> Control | None:
        """The control stanza of a package; ``None`` of what is none."""

    @property
    def size(self) -> int:
        """Bytes there are to read."""

    @property
    def position(self) -> int:
        """Bytes read so far."""

    def members(self, wanted: Callable[[str], bool]) -> Iterator[Member]:
        """Yield files and directories, with the content of the files that are wanted."""


class DebSource:
    """A package, read once from a seekable stream that stays open meanwhile."""

    def __init__(self, stream: BinaryIO, *, threads: int = 2) -> None:
        """Read the control stanza.

        :raises FormatError: this is no package, or it is damaged or cut.
        :raises UnsupportedError: of another format version or compression.
        """
        self._stream = stream
        self.size = stream.seek(0, 2)
        stream.seek(0)
        self._deb = Deb.open(stream, threads=threads)

    @property
    def control(self) -> Control:
        """The control stanza."""
        return self._deb.control

    @property
    def name(self) -> str:
        """The name of the package."""
        return self.control.package

    @property
    def position(self) -> int:
        """Bytes read so far."""
        return self._stream.tell()

    def members(self, wanted: Callable[[str], bool]) -> Iterator[Member]:
        """Yield the members of the package in its order.

        :raises FormatError: it is damaged or cut.
        :raises UnsupportedError: a wanted file exceeds 1 GiB.
        """
        return self._deb.members(wanted=wanted)
