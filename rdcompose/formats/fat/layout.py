"""The shape of a volume's tree: directories, the names in them, and how long their listings are.

Everything that FAT cannot hold is refused here, before any content is read.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final

from rdcompose.errors import SpecError
from rdcompose.formats.fat.entries import SIZE
from rdcompose.formats.fat.names import ShortNames, check_name, folded, is_short, long_records
from rdcompose.tree import Directory, File, checked_path

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rdcompose.tree import Entry

_MAX_FILE: Final = 0xFFFF_FFFF
_MAX_LISTING: Final = 65536 * SIZE
# Itself and the directory above; in the root, the label may take one of the two.
_ALWAYS: Final = 2


@dataclasses.dataclass(frozen=True, slots=True)
class Member:
    """A name in a directory: its short form, and the records of its long one, if it needs them."""

    entry: File | Directory
    short: bytes
    long: bytes


@dataclasses.dataclass(frozen=True, slots=True)
class Folder:
    """A directory; ``path`` and ``parent`` of the root are empty."""

    path: str
    members: tuple[Member, ...]

    @property
    def parent(self) -> str:
        """The path of the directory above."""
        return self.path.rpartition("/")[0]

    @property
    def size(self) -> int:
        """Length of the listing in bytes, at most."""
        return _ALWAYS * SIZE + sum(len(member.long) + SIZE for member in self.members)


def arrange(tree: Iterable[Entry]) -> tuple[Folder, ...]:
    """Return the directories, each before those in it.

    :raises SpecError: an entry is of a kind, or has a name or size, that FAT cannot hold, or two
        names in a directory differ by case alone.
    """
    inside: dict[str, list[File | Directory]] = {"": []}
    for entry in tree:
        parent = checked_path(entry.path).rpartition("/")[0]
        if not isinstance(entry, File | Directory):
            what = type(entry).__name__.lower()
            raise SpecError(f"FAT cannot hold {entry.path!r}: it is a {what}")
        if isinstance(entry, File) and entry.content.size > _MAX_FILE:
            raise SpecError(f"FAT cannot hold {entry.path!r}: it has 4 GiB or more")
        if isinstance(entry, Directory):
            inside[entry.path] = []
        inside[parent].append(entry)
    return tuple(_folder(path, entries) for path, entries in inside.items())


def _folder(path: str, entries: Iterable[File | Directory]) -> Folder:
    names = ShortNames()
    found: dict[str, str] = {}
    members = []
    for entry in entries:
        name = entry.path.rpartition("/")[2]
        check_name(name)
        other = found.setdefault(folded(name), name)
        if other != name:
            raise SpecError(f"FAT cannot hold both {other!r} and {name!r} in one directory")
        short = names.take(name)
        members.append(
            Member(entry, short, b"" if is_short(name, short) else long_records(name, short))
        )
    folder = Folder(path, tuple(members))
    if folder.size > _MAX_LISTING:
        raise SpecError(f"FAT cannot hold the directory {path or '/'!r}: it has too many names")
    return folder
