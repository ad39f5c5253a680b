"""A root as a tar archive: what mmdebstrap, debootstrap and ``docker export`` make.

``tarfile`` of the standard library tells where in the archive a content is, so nothing is
unpacked. It stops without a word at the first header that it cannot read: whether the archive
really ends there is looked at here.

Formats: ustar, GNU with sparse files, and pax with the extended attributes of GNU tar and star
(``SCHILY.xattr.``).
"""

from __future__ import annotations

import dataclasses
import tarfile
from typing import TYPE_CHECKING, Any, Final, cast

from rdcompose.boards.rootfiles import Part, part_content
from rdcompose.errors import FormatError, SpecError, UnsupportedError
from rdcompose.formats.ext4.contents import Files
from rdcompose.formats.tarstream import BLOCK, plain_path
from rdcompose.tree import Directory, Entry, File, Node, NodeKind, Symlink, Tree

if TYPE_CHECKING:
    from typing import BinaryIO

MAGIC: Final = b"ustar"
MAGIC_AT: Final = 257
_XATTR: Final = "SCHILY.xattr."
_MAX_OWNER: Final = 0xFFFF_FFFE
_NODES: Final = {
    tarfile.CHRTYPE: NodeKind.CHARACTER,
    tarfile.BLKTYPE: NodeKind.BLOCK,
    tarfile.FIFOTYPE: NodeKind.FIFO,
}


def tar_files(source: BinaryIO) -> Files:
    """Read an archive that is not compressed; contents are read when they are written.

    The file must stay open for as long as that.

    :raises FormatError: it is damaged, cut short, or has hostile names.
    :raises UnsupportedError: it has an entry of a kind that no filesystem can hold.
    """
    reader = _Reader(source)
    # tarfile begins wherever the file stands.
    source.seek(0)
    try:
        # The names are bytes, whatever the locale.
        with tarfile.open(
            fileobj=source, mode="r:", encoding="utf-8", errors="surrogateescape"
        ) as archive:
            while (member := archive.next()) is not None:
                reader.add(member)
                # Otherwise it keeps all of them; the attribute is documented nowhere but public.
                cast("Any", archive).members.clear()
            end = archive.offset
    except (tarfile.TarError, ValueError, OverflowError, EOFError) as error:
        raise FormatError(f"the tar archive is damaged: {error}") from error
    except SpecError as error:
        raise FormatError(f"the tar archive cannot be unpacked: {error.message}") from error
    source.seek(end)
    if source.read(BLOCK) != bytes(BLOCK):
        raise FormatError(f"the tar archive is damaged or cut short at offset {end}")
    return Files(
        tree=reader.tree,
        root=reader.top,
        times=reader.times,
        links=reader.links,
        xattrs=reader.xattrs,
    )


class _Reader:
    """Puts members into a tree, later ones over earlier ones of the same name."""

    def __init__(self, source: BinaryIO) -> None:
        self._descriptor = source.fileno()
        self.tree = Tree()
        self.top = Directory(path="")
        self.times: dict[str, int] = {}
        self.links: dict[str, str] = {}
        self.xattrs: dict[str, tuple[tuple[str, bytes], ...]] = {}

    def add(self, member: tarfile.TarInfo) -> None:
        """Put a member to its place.

        :raises FormatError: it has no place, or leads nowhere.
        :raises SpecError: the same, as a tree says it.
        """
        path = plain_path(member.name)
        if not path:
            if not member.isdir():
                raise FormatError("the tar archive has no directory for its root")
            self.top = Directory(path="", **_common(member))
        else:
            # Below a link to a directory, as with /bin of Debian, is in that directory.
            path = self.tree.resolved(path)
            if member.islnk():
                self._link(path, self.tree.resolved(plain_path(member.linkname)))
                return
            entry = self._entry(path, member)
            self._make_room(path)
            self.tree.add(entry)
        self.times[path] = int(member.mtime)
        self.xattrs.pop(path, None)
        if found := _xattrs(member):
            self.xattrs[path] = found

    def _link(self, path: str, target: str) -> None:
        first = self.links.get(target, target)
        if first == path:
            return
        if first not in self.tree or isinstance(self.tree.get(first), Directory):
            raise FormatError(f"the hard link {path!r} of the tar archive leads to {target!r}")
        if isinstance(self.tree.get(path), Directory):
            raise FormatError(f"{path!r} of the tar archive is a directory and a hard link")
        self._make_room(path)
        self.links[path] = first

    def _make_room(self, path: str) -> None:
        """Take away what has a path so far, as unpacking does: its other names keep it."""
        self.links.pop(path, None)
        old = self.tree.get(path)
        if old is None or isinstance(old, Directory):
            return
        self.tree.remove(path)
        others = [name for name, first in self.links.items() if first == path]
        if others:
            heir = others.pop(0)
            del self.links[heir]
            self.links |= dict.fromkeys(others, heir)
            self.tree.add(dataclasses.replace(old, path=heir))
            self.times[heir] = self.times.pop(path)
            if (kept := self.xattrs.pop(path, None)) is not None:
                self.xattrs[heir] = kept

    def _entry(self, path: str, member: tarfile.TarInfo) -> Entry:
        common = {"path": path, **_common(member)}
        if member.isreg():
            return File(**common, content=part_content(self._descriptor, *_parts(member)))
        if member.isdir():
            return Directory(**common)
        if member.issym():
            return Symlink(**common, target=member.linkname)
        kind = _NODES.get(member.type)
        if kind is None:
            raise UnsupportedError(
                f"{path!r} of the tar archive has the type {member.type!r}",
                hint="an incremental or split archive is no root: make a plain one",
            )
        major, minor = (0, 0) if member.isfifo() else (member.devmajor, member.devminor)
        return Node(**common, kind=kind, major=major, minor=minor)


def _common(member: tarfile.TarInfo) -> dict[str, Any]:
    if not (0 <= member.uid <= _MAX_OWNER and 0 <= member.gid <= _MAX_OWNER):
        raise FormatError(f"{member.name!r} has the owner {member.uid}:{member.gid}")
    return {"mode": member.mode & 0o7777, "uid": member.uid, "gid": member.gid}


def _parts(member: tarfile.TarInfo) -> tuple[int, list[Part]]:
    """Return the size of a file and where its bytes are in the archive."""
    if not member.issparse():
        return member.size, [Part(0, member.offset_data, member.size)]
    position = member.offset_data
    parts = []
    end = 0
    for start, size in cast("list[tuple[int, int]]", member.sparse):
        # Of the old form, what is left over in the header.
        if not size:
            continue
        if size < 0 or start < end or start + size > member.size:
            raise FormatError(f"the sparse file {member.name!r} of the tar archive is damaged")
        parts.append(Part(start, position, size))
        position += size
        end = start + size
    return member.size, parts


def _xattrs(member: tarfile.TarInfo) -> tuple[tuple[str, bytes], ...]:
    headers = member.pax_headers
    return tuple(
        (name.removeprefix(_XATTR), headers[name].encode("utf-8", "surrogateescape"))
        for name in sorted(headers)
        if name.startswith(_XATTR)
    )
