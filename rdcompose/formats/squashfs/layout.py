"""The shape of the image's tree: directories, their members, and inode numbers.

Everything that squashfs or the kernel cannot hold is refused here, before any content is
read.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final

from rdcompose.errors import SpecError
from rdcompose.formats.squashfs.inodes import MAX_MAJOR, MAX_MINOR
from rdcompose.tree import Directory, File, Node, Symlink, checked_path, encode_name

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rdcompose.tree import Entry

_MAX_MODE: Final = 0o7777
# The kernel takes no target that fills a page with its NUL.
_MAX_TARGET: Final = 4095
ROOT_NUMBER: Final = 1


@dataclasses.dataclass(frozen=True, slots=True)
class Member:
    """A name in a directory."""

    name: bytes
    entry: Entry
    number: int


@dataclasses.dataclass(frozen=True, slots=True)
class Folder:
    """A directory; ``path`` of the root is empty, its ``parent`` the number after the last."""

    path: str
    number: int
    parent: int
    members: tuple[Member, ...]

    @property
    def subdirectories(self) -> int:
        """Number of members that are directories."""
        return sum(isinstance(member.entry, Directory) for member in self.members)


def arrange(entries: Iterable[Entry]) -> tuple[Folder, ...]:
    """Return the directories, parents first; the members of one have consecutive numbers.

    So the numbers in a listing lie close together, as its 16-bit differences need it.

    :raises SpecError: an entry is out of order, without a directory above it, or of a kind
        or with a value that a squashfs image cannot hold.
    """
    members: dict[str, list[Entry]] = {"": []}
    last = b""
    count = 1
    for entry in entries:
        key = encode_name(checked_path(entry.path)).replace(b"/", b"\0")
        if key <= last:
            raise SpecError(f"{entry.path!r} is out of order or there twice")
        last = key
        _check(entry)
        parent = entry.path.rpartition("/")[0]
        if parent not in members:
            raise SpecError(f"{entry.path!r} has no directory above it")
        members[parent].append(entry)
        if isinstance(entry, Directory):
            members[entry.path] = []
        count += 1
    return _number(members, count)


def _number(members: dict[str, list[Entry]], count: int) -> tuple[Folder, ...]:
    folders: list[Folder] = []
    numbers = {"": (ROOT_NUMBER, count + 1)}
    following = ROOT_NUMBER + 1
    for path, entries in members.items():
        number, parent = numbers.pop(path)
        named: list[Member] = []
        for entry in entries:
            name = encode_name(entry.path.rpartition("/")[2])
            named.append(Member(name, entry, following))
            if isinstance(entry, Directory):
                numbers[entry.path] = (following, number)
            following += 1
        folders.append(Folder(path, number, parent, tuple(named)))
    return tuple(folders)


def _check(entry: Entry) -> None:
    if not 0 <= entry.mode <= _MAX_MODE:
        raise SpecError(f"{entry.path!r} has the mode {entry.mode:#o}")
    match entry:
        case File() | Directory():
            pass
        case Symlink():
            target = encode_name(entry.target)
            if not 0 < len(target) <= _MAX_TARGET or b"\0" in target:
                raise SpecError(
                    f"the target of the link {entry.path!r} is empty, over {_MAX_TARGET}"
                    " bytes long or holds a NUL"
                )
        case Node():
            if not (0 <= entry.major <= MAX_MAJOR and 0 <= entry.minor <= MAX_MINOR):
                raise SpecError(f"{entry.path!r} has the device number {entry.major}:{entry.minor}")
        case _:
            raise SpecError(f"{entry.path!r} is of an unknown kind: {type(entry).__name__}")
