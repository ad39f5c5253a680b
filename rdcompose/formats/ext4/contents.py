"""What a filesystem is to hold, and how much room that takes, before anything has a place."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final, assert_never, cast

from rdcompose.errors import SpecError, UnsupportedError
from rdcompose.formats.ext4.folders import Folder, Name, make_folder
from rdcompose.formats.ext4.geometry import BLOCK
from rdcompose.formats.ext4.header import FIRST_INODE
from rdcompose.formats.ext4.inodes import (
    ATTRIBUTE_ROOM,
    DIRECTORY,
    FOLDER_KINDS,
    MAX_LINKS,
    REGULAR,
    SYMLINK,
)
from rdcompose.formats.ext4.xattrs import Stored, in_inode, stored_attributes
from rdcompose.tree import (
    MAX_PATH,
    NODE_TYPES,
    Directory,
    Entry,
    File,
    Node,
    Symlink,
    Tree,
    encode_name,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

ROOT: Final = 2
_LOST: Final = "lost+found"
# As mke2fs: room for what e2fsck finds, which must not have to look for blocks then.
_LOST_BLOCKS: Final = 4
_FAST_LINK: Final = 60
_MAX_OWNER: Final = 0xFFFF_FFFF


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """The files of a root: a tree, and what a tree does not tell; keys are paths.

    ``root`` is the root directory itself, whose path is empty. ``times`` are in seconds since
    1970, and 0 for paths that are not there. ``links`` leads from further names of files to the
    path in the tree. ``xattrs`` are as listxattr(2) and getxattr(2) give them.
    """

    tree: Tree
    root: Directory = dataclasses.field(default_factory=lambda: Directory(path=""))
    times: Mapping[str, int] = dataclasses.field(default_factory=dict)
    links: Mapping[str, str] = dataclasses.field(default_factory=dict)
    xattrs: Mapping[str, Sequence[tuple[str, bytes]]] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One inode: ``blocks`` is what its content takes.

    ``inline`` are attributes that stand in the inode; ``attributes`` have a block of their own.
    """

    number: int
    entry: Entry
    kind: int
    mtime: int
    links: int
    blocks: int
    folder: Folder | None
    inline: bytes
    attributes: tuple[Stored, ...]


class Contents:
    """The inodes of a filesystem, the root first; their numbers follow each other from 11 on."""

    def __init__(self, files: Files, hash_seed: Sequence[int], *, mtime: int) -> None:
        """Give everything a number; what is not in the files has the time ``mtime``.

        :raises SpecError: a link leads to no file, or an owner has no valid number.
        :raises UnsupportedError: ext4 cannot hold something.
        """
        self._files = files
        self._mtime = mtime
        entries: list[Entry] = list(files.tree)
        if _LOST not in files.tree and _LOST not in files.links:
            entries.insert(0, Directory(path=_LOST, mode=0o700))
        self._numbers = {entry.path: FIRST_INODE + at for at, entry in enumerate(entries)}
        self._numbers[""] = ROOT
        self._entries = {entry.path: entry for entry in (files.root, *entries)}
        self._kinds = {path: _kind(entry) for path, entry in self._entries.items()}
        self._names, self._links = self._collect()
        self._seed = hash_seed
        self.records = tuple(self._records())

    @property
    def blocks(self) -> int:
        """Blocks that contents, directories and attributes take."""
        return sum(record.blocks + bool(record.attributes) for record in self.records)

    def _collect(self) -> tuple[dict[str, list[Name]], dict[str, int]]:
        """Return the names in each directory, and how many names each inode has."""
        names: dict[str, list[Name]] = {}
        links = {path: 2 if kind == DIRECTORY else 0 for path, kind in self._kinds.items()}
        own = ((path, path) for path in self._entries if path)
        for path, target in (*own, *self._files.links.items()):
            kind = self._kinds.get(target)
            if kind is None or (kind == DIRECTORY and path != target):
                raise SpecError(f"{path!r} is a hard link to {target!r}, which is no file")
            parent, _, name = path.rpartition("/")
            if self._kinds.get(parent) != DIRECTORY or (path != target and path in self._kinds):
                raise SpecError(f"the hard link {path!r} has no place in the tree")
            row = Name(encode_name(name), self._numbers[target], FOLDER_KINDS[kind])
            names.setdefault(parent, []).append(row)
            if kind == DIRECTORY:
                links[parent] += 1
            else:
                links[target] += 1
        return names, links

    def _records(self) -> Iterator[Record]:
        for path, entry in self._entries.items():
            try:
                yield self._record(path, entry)
            except UnsupportedError as error:
                raise UnsupportedError(f"{path!r}: {error.message}", hint=error.hint) from error

    def _record(self, path: str, entry: Entry) -> Record:
        kind = self._kinds[path]
        links = self._links[path]
        if not (0 <= entry.uid <= _MAX_OWNER and 0 <= entry.gid <= _MAX_OWNER):
            raise SpecError(f"{path!r} has the owner {entry.uid}:{entry.gid}")
        if kind != DIRECTORY and links > MAX_LINKS:
            raise UnsupportedError(f"it has {links} names, more than ext4 can hold")
        if isinstance(entry, Symlink):
            _check_target(entry)
        folder = self._folder(path) if kind == DIRECTORY else None
        attributes = stored_attributes(self._files.xattrs.get(path, ()))
        inline = in_inode(attributes, ATTRIBUTE_ROOM) if attributes else b""
        return Record(
            number=self._numbers[path],
            entry=entry,
            kind=kind,
            mtime=self._files.times.get(path, self._mtime),
            links=links,
            blocks=_blocks(entry) if folder is None else len(folder.blocks),
            folder=folder,
            inline=inline or b"",
            attributes=attributes if inline is None else (),
        )

    def _folder(self, path: str) -> Folder:
        parent = path.rpartition("/")[0]
        own = path == _LOST and path not in self._files.tree
        return make_folder(
            self._numbers[path],
            self._numbers[parent],
            self._names.get(path, ()),
            self._seed,
            least=_LOST_BLOCKS if own else 1,
        )


def _kind(entry: Entry) -> int:
    known = cast("File | Directory | Symlink | Node", entry)
    match known:
        case File():
            return REGULAR
        case Directory():
            return DIRECTORY
        case Symlink():
            return SYMLINK
        case Node(kind=kind):
            return NODE_TYPES[kind]
        case _:
            assert_never(known)


def _check_target(link: Symlink) -> None:
    if not 0 < len(encode_name(link.target)) <= MAX_PATH or "\0" in link.target:
        raise SpecError(f"the symlink {link.path!r} has no target that ext4 can hold")


def _blocks(entry: Entry) -> int:
    match entry:
        case File():
            return -(-entry.content.size // BLOCK)
        case Symlink():
            return int(len(encode_name(entry.target)) >= _FAST_LINK)
        case _:
            return 0
