"""Inode table, directory table and export table of a whole tree.

A listing names the places of its members' inodes, and the inode of a directory names the
place of its listing. So the deepest directories are written first, and the root last.
"""

from __future__ import annotations

import dataclasses
import struct
from typing import TYPE_CHECKING, Final

from rdcompose.formats.squashfs import inodes
from rdcompose.formats.squashfs.directories import Child, write_listing
from rdcompose.formats.squashfs.ids import IdTable
from rdcompose.formats.squashfs.inodes import Attributes
from rdcompose.formats.squashfs.metadata import MetadataWriter
from rdcompose.formats.squashfs.xattrs import XattrTable
from rdcompose.tree import Directory, File, Node, Symlink, encode_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rdcompose.formats.squashfs.compressors import Compress
    from rdcompose.formats.squashfs.directories import Listing
    from rdcompose.formats.squashfs.inodes import FileData
    from rdcompose.formats.squashfs.layout import Folder, Member
    from rdcompose.tree import Entry

MAX_TIME: Final = 0xFFFF_FFFF


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Details:
    """What a tree does not tell; keys are paths, that of the root is empty.

    ``root`` is the root directory itself. ``times``, in seconds since 1970, are those of entries
    that do not have the time of the image. ``xattrs`` are as listxattr(2) and getxattr(2)
    give them.
    """

    root: Directory = dataclasses.field(default_factory=lambda: Directory(path=""))
    times: Mapping[str, int] = dataclasses.field(default_factory=dict)
    xattrs: Mapping[str, Sequence[tuple[str, bytes]]] = dataclasses.field(default_factory=dict)


class TreeTables:
    """Writes the tables of a tree whose contents are stored already."""

    def __init__(
        self, compress: Compress, data: Mapping[str, FileData], details: Details, *, mtime: int
    ) -> None:
        self.ids = IdTable()
        self.xattrs = XattrTable(compress)
        self._details = details
        self._data = data
        self._mtime = mtime
        self._inodes = MetadataWriter(compress)
        self._listings = MetadataWriter(compress)
        self._references: dict[int, int] = {}
        # Folder and listing of each directory whose inode is still to come.
        self._open: dict[str, tuple[Folder, Listing]] = {}

    def write(self, folders: Sequence[Folder]) -> int:
        """Write everything; return the reference of the root's inode."""
        for folder in reversed(folders):
            children = [self._child(member) for member in folder.members]
            self._open[folder.path] = folder, write_listing(self._listings, children)
        self._write_inode(self._details.root, folders[0].number)
        return self._references[folders[0].number]

    def finish(self) -> tuple[bytes, bytes]:
        """Return the inode table and the directory table as stored."""
        return self._inodes.finish(), self._listings.finish()

    @property
    def count(self) -> int:
        """Number of inodes written."""
        return len(self._references)

    def exports(self) -> bytes:
        """Return the records of the export table: references by inode number."""
        references = [self._references[number] for number in range(1, self.count + 1)]
        return struct.pack(f"<{len(references)}Q", *references)

    def _child(self, member: Member) -> Child:
        block, offset = self._inodes.position
        kind = self._write_inode(member.entry, member.number)
        return Child(name=member.name, kind=kind, number=member.number, block=block, offset=offset)

    def _write_inode(self, entry: Entry, number: int) -> int:
        """Write an inode; return the basic type."""
        block, offset = self._inodes.position
        self._references[number] = block << 16 | offset
        attributes = Attributes(
            mode=entry.mode,
            uid=self.ids.index(entry.uid),
            gid=self.ids.index(entry.gid),
            mtime=min(max(self._details.times.get(entry.path, self._mtime), 0), MAX_TIME),
            number=number,
            xattrs=self.xattrs.index(self._details.xattrs.get(entry.path, ())),
        )
        kind, record = self._record(entry, attributes)
        self._inodes.write(record)
        return kind

    def _record(self, entry: Entry, attributes: Attributes) -> tuple[int, bytes]:
        match entry:
            case File():
                return inodes.FILE, inodes.file_inode(attributes, self._data[entry.path])
            case Symlink():
                return inodes.SYMLINK, inodes.symlink_inode(attributes, encode_name(entry.target))
            case Node():
                record = inodes.node_inode(attributes, entry.kind, entry.major, entry.minor)
                return inodes.NODE_TYPES[entry.kind], record
            case _:  # a directory: the layout lets nothing else pass
                folder, listing = self._open.pop(entry.path)
                record = inodes.directory_inode(
                    attributes,
                    listing,
                    subdirectories=folder.subdirectories,
                    parent=folder.parent,
                )
                return inodes.DIRECTORY, record
