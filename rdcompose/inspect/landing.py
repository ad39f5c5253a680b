"""Where entries come to lie when they are unpacked one after the other, without their contents.

As the kernel unpacks an initramfs (``init/initramfs.c`` of Linux): links on the way to an entry are
followed, none of them out of the root, and later entries replace earlier ones. Unlike there,
directories that are missing are made, because nothing else that unpacks archives drops
what should lie in them.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from typing import TYPE_CHECKING, Final

from rdcompose.errors import FormatError, SpecError
from rdcompose.inspect.paths import resolve
from rdcompose.tree import Bytes, Directory, File, Symlink, checked_path, encode_name

if TYPE_CHECKING:
    from rdcompose.tree import Entry

# What names and targets of links may take together, in bytes; a distribution has 20 MB of them.
_MAX_NAMES: Final = 256 << 20
_NOTHING: Final = Bytes(b"")


class NoPlaceError(Exception):
    """An entry cannot come to lie anywhere: why, as a sentence goes on behind its path."""


class Landing:
    """What lies where so far: ``entries`` by their paths, files without their contents."""

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}
        self._inside: Counter[str] = Counter()
        self._names = 0

    def land(self, entry: Entry) -> str:
        """Put an entry where it belongs, and return the path, in which no link is left.

        :raises NoPlaceError: there is no such place; nothing has changed but that directories
            may have been made.
        :raises FormatError: all names together are more than anyone has.
        """
        parent, _, name = entry.path.rpartition("/")
        real = resolve(self.entries, parent)
        if real is None:
            raise NoPlaceError("the links on the way to it lead in a circle, or too far")
        path = f"{real}/{name}" if real else name
        try:
            checked_path(path)
        except SpecError as error:
            raise NoPlaceError(f"{error.message}, as which links lead to it") from error
        self._make_parents(real)
        if self._inside[path] and not isinstance(entry, Directory):
            raise NoPlaceError("a directory that is not empty is in its place")
        self._put(path, entry)
        return path

    def _make_parents(self, path: str) -> None:
        if not path or isinstance(self.entries.get(path), Directory):
            return
        self._make_parents(path.rpartition("/")[0])
        if path in self.entries:
            raise NoPlaceError(f"{path!r}, in which it is to lie, is no directory")
        self._put(path, Directory(path=path))

    def _put(self, path: str, entry: Entry) -> None:
        if path not in self.entries:
            self._inside[path.rpartition("/")[0]] += 1
        self._names += len(encode_name(path))
        if isinstance(entry, Symlink):
            self._names += len(encode_name(entry.target))
        if self._names > _MAX_NAMES:
            raise FormatError(f"names and targets of links take more than {_MAX_NAMES >> 20} MiB")
        if isinstance(entry, File):
            self.entries[path] = dataclasses.replace(entry, path=path, content=_NOTHING)
        else:
            self.entries[path] = dataclasses.replace(entry, path=path)
