"""Walks through files of each kind: what is common to them, and what they yield."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Protocol

from rdcompose.inspect.contents import module_place
from rdcompose.tree import Directory

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rdcompose.tree import Entry


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of a file: a segment of an initramfs, a filesystem, a section, an archive.

    ``offset`` and ``size`` are its place in the file, as stored; ``unpacked`` is its size without
    the ``compression``, which is the name of a compressor or ``none``. ``size`` and ``unpacked``
    are ``None`` where they are not known. A part without files of its own, as a section with a
    kernel, has ``entries`` 0. ``refused`` says why the kernel would not unpack it, ``None`` if it
    would.
    """

    label: str
    offset: int = 0
    size: int | None = None
    compression: str = "none"
    unpacked: int | None = None
    entries: int = 0
    refused: str | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Located:
    """An entry, the index of the part that it lies in, and what a tree does not carry.

    ``mtime`` is in seconds since 1970, ``None`` where it is not stored; ``links`` is the number of
    names that the file is said to have.
    """

    part: int
    entry: Entry
    mtime: int | None = None
    links: int = 1


class Measured(Protocol):
    """Something of which it shows during a walk how large it is."""

    @property
    def size(self) -> int:
        """How many bytes it takes in the file."""
        ...

    @property
    def unpacked(self) -> int:
        """How many bytes it has when it is unpacked."""
        ...


class Walk:
    """A way through a file; what is known of it is complete once :meth:`run` has ended.

    ``container`` and ``filesystem`` are set for disks; ``lasting`` says that contents can be read
    as long as the file is open. ``releases`` are those of module directories; ``told`` is what the
    file says of its release in another way, ``architectures`` what it says of these. ``last`` is
    the path of the last entry whose content was there, ``place`` the offset in the file up to which
    it was read without an error, and, within what is compressed, the offset in what it unpacks to.
    """

    def __init__(
        self, *, container: str = "", filesystem: str = "", told: str | None = None
    ) -> None:
        self.container = container
        self.filesystem = filesystem
        self.lasting = True
        self.told = told
        self.architectures: tuple[str, ...] = ()
        self.releases: set[str] = set()
        self.last: str | None = None
        self.place: tuple[int, int | None] = (0, None)
        self._parts: list[Part] = []
        self._entries: list[int] = []

    @property
    def parts(self) -> tuple[Part, ...]:
        """The parts as far as the walk has come."""
        rows = zip(self._parts, self._entries, strict=True)
        return tuple(dataclasses.replace(part, entries=count) for part, count in rows)

    def run(self) -> Iterator[Located]:
        """Yield the entries, from the start.

        :raises FormatError: it is damaged from here on.
        :raises UnsupportedError: what follows is of a kind that is not read.
        """
        self._parts, self._entries = [], []
        self.releases = set()
        self.last, self.place = None, (0, None)
        for located in self._walk():
            entry = located.entry
            if isinstance(entry, Directory):
                place = module_place(f"{entry.path}/.", disk=bool(self.filesystem))
                if place is not None and place[1] == "." and place[0] is not None:
                    self.releases.add(place[0])
            self._entries[located.part] += 1
            self.last = entry.path
            yield located

    def _walk(self) -> Iterator[Located]:
        raise NotImplementedError

    def _begin(self, part: Part) -> int:
        """Add a part; return its index."""
        self._parts.append(part)
        self._entries.append(0)
        return len(self._parts) - 1

    def _measure(self, index: int, measured: Measured) -> None:
        self._parts[index] = dataclasses.replace(
            self._parts[index], size=measured.size, unpacked=measured.unpacked
        )
