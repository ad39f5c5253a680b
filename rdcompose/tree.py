"""Entries of a file tree, and the tree: what every archive and image is made from.

Both sit below the formats on purpose: newc and squashfs are two writers of one
thing, and neither is the other's common currency.

Paths are relative to the root of the tree, with ``/`` between components and no
leading, trailing or doubled slash; the root itself is not an entry. Names that are
no UTF-8 are carried with surrogate escapes (:func:`encode_name`). Owners are 0
unless an entry says otherwise; the time of every entry is the writer's argument,
because one composition has one time.
"""

from __future__ import annotations

import dataclasses
import enum
from typing import TYPE_CHECKING, Final, Protocol, runtime_checkable

from rdcompose.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MAX_DEPTH: Final = 64
MAX_NAME: Final = 255
MAX_PATH: Final = 4095
# As the kernel: more links than these on the way to a file are a circle (MAXSYMLINKS).
MAX_LINKS: Final = 40
# Of what known_digest returns, in bytes.
DIGEST_SIZE: Final = 16


class Content(Protocol):
    """The bytes of a file, which need not be in memory as such.

    Implementations give the same bytes every time they are asked, from any thread.
    """

    @property
    def size(self) -> int:
        """Length in bytes."""
        ...

    def chunks(self, size: int) -> Iterator[bytes]:
        """Yield the content in order; every piece but the last is ``size`` bytes.

        An empty file yields nothing.
        """
        ...


@runtime_checkable
class Digested(Protocol):
    """A content that knows a digest of its bytes, so that equal ones are found unread."""

    @property
    def digest(self) -> bytes:
        """The first 16 bytes of the content's SHA-256."""
        ...


@dataclasses.dataclass(frozen=True, slots=True)
class Bytes:
    """Content that is in memory."""

    data: bytes

    @property
    def size(self) -> int:
        """Length in bytes."""
        return len(self.data)

    def chunks(self, size: int) -> Iterator[bytes]:
        """Yield the data in pieces of ``size`` bytes."""
        if len(self.data) <= size:
            if self.data:
                yield self.data
            return
        for start in range(0, len(self.data), size):
            yield self.data[start : start + size]


class Pieces:
    """Content that is made when it is asked for, in pieces of whatever size.

    ``make`` gives the same pieces every time, from any thread.
    """

    __slots__ = ("_make", "_size")

    def __init__(self, size: int, make: Callable[[], Iterator[bytes]]) -> None:
        self._size = size
        self._make = make

    @property
    def size(self) -> int:
        """Length in bytes, as it was stated."""
        return self._size

    def chunks(self, size: int) -> Iterator[bytes]:
        """Yield the content in pieces of ``size`` bytes."""
        pending = bytearray()
        for piece in self._make():
            # As most come; joining and cutting them again would copy large files twice.
            if len(piece) == size and not pending:
                yield piece
                continue
            pending += piece
            start = 0
            while len(pending) - start >= size:
                yield bytes(pending[start : start + size])
                start += size
            del pending[:start]
        if pending:
            yield bytes(pending)


def read_all(content: Content) -> bytes:
    """All bytes of a content."""
    if isinstance(content, Bytes):
        return content.data
    return b"".join(content.chunks(max(content.size, 1)))


def known_digest(content: Content) -> bytes | None:
    """Return the digest of a :class:`Digested` content, ``None`` of any other."""
    # Thousands are asked, and isinstance() takes long to find out about protocols.
    digest: bytes | None = getattr(content, "digest", None)
    return digest


class NodeKind(enum.Enum):
    """The special files of inode(7)."""

    CHARACTER = "character device"
    BLOCK = "block device"
    FIFO = "fifo"
    SOCKET = "socket"


# The type of a node as it stands in a mode, in archives and filesystems, too (inode(7)).
NODE_TYPES: Final = {
    NodeKind.CHARACTER: 0o020000,
    NodeKind.BLOCK: 0o060000,
    NodeKind.FIFO: 0o010000,
    NodeKind.SOCKET: 0o140000,
}
NODE_KINDS: Final = {number: kind for kind, number in NODE_TYPES.items()}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What files, directories, symlinks and nodes share.

    ``mode`` holds the twelve permission bits only, never the type.
    """

    path: str
    mode: int
    uid: int = 0
    gid: int = 0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class File(Entry):
    """A regular file."""

    mode: int = 0o644
    content: Content


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Directory(Entry):
    """A directory; its contents are the entries below its path."""

    mode: int = 0o755


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Symlink(Entry):
    """A symbolic link; the target is stored as it is and may dangle."""

    mode: int = 0o777
    target: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Node(Entry):
    """A device node, fifo or socket; the numbers are 0 for the last two."""

    mode: int = 0o600
    kind: NodeKind
    major: int = 0
    minor: int = 0


def encode_name(name: str) -> bytes:
    """Bytes of a path or link target as stored in an archive."""
    return name.encode("utf-8", "surrogateescape")


def decode_name(raw: bytes) -> str:
    """Inverse of :func:`encode_name`."""
    return raw.decode("utf-8", "surrogateescape")


def checked_path(path: str) -> str:
    """Return the path if it is a plain relative one.

    :raises SpecError: it is empty, absolute, too long or deep, or holds a NUL, an
        empty component, ``.`` or ``..``.
    """
    shown = repr(path if len(path) < 200 else path[:200] + "…")
    if not path or path.startswith("/"):
        raise SpecError(f"{shown} is not a relative path")
    if "\0" in path:
        raise SpecError(f"the path {shown} holds a NUL")
    parts = path.split("/")
    if len(parts) > MAX_DEPTH or len(encode_name(path)) > MAX_PATH:
        raise SpecError(f"the path {shown} is too deep or too long")
    for part in parts:
        if part in {"", ".", ".."}:
            raise SpecError(f"the path {shown} holds the component {part!r}")
        if len(encode_name(part)) > MAX_NAME:
            raise SpecError(f"the path {shown} has a component of over {MAX_NAME} bytes")
    return path


class Tree:
    """Entries by path; every parent directory is present.

    Iteration is in byte order of the paths, component by component, so a directory
    always comes before what is in it, whatever the order of insertion.
    """

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}

    def add(self, entry: Entry) -> None:
        """Add an entry, or replace one; missing parents become 0755 directories.

        A directory over a directory takes the new mode and owner and keeps what is
        in it. Replacing a non-directory is allowed; changing a directory with
        contents into something else is not.

        :raises SpecError: the path is no plain relative one, a parent is not a
            directory, or a directory that holds entries would vanish.
        """
        path = checked_path(entry.path)
        parent = path.rpartition("/")[0]
        if parent and not isinstance(self._entries.get(parent), Directory):
            self._add_parents(parent)
        old = self._entries.get(path)
        if isinstance(old, Directory) and not isinstance(entry, Directory):
            prefix = path + "/"
            inside = next((p for p in self._entries if p.startswith(prefix)), None)
            if inside is not None:
                raise SpecError(f"{path!r} cannot replace a directory that holds {inside!r}")
        self._entries[path] = entry

    def _add_parents(self, parent: str) -> None:
        parts = parent.split("/")
        for end in range(1, len(parts) + 1):
            path = "/".join(parts[:end])
            found = self._entries.get(path)
            if found is None:
                self._entries[path] = Directory(path=path)
            elif not isinstance(found, Directory):
                raise SpecError(f"{path!r} is not a directory, so nothing can be put in it")

    def resolved(self, path: str) -> str:
        """Return where a path leads when the symlinks among its parents are followed.

        Links are taken as the booted system takes them: ``..`` does not leave the root, and
        an absolute target starts there. The last component is not followed, and nothing
        need be there.

        :raises SpecError: links lead in a circle.
        """
        left = checked_path(path).split("/")
        found: list[str] = []
        links = 0
        while left:
            part = left.pop(0)
            if part == "..":
                del found[-1:]
                continue
            if part in {"", "."}:
                continue
            entry = self._entries.get("/".join([*found, part]))
            if not (left and isinstance(entry, Symlink)):
                found.append(part)
                continue
            links += 1
            if links > MAX_LINKS:
                raise SpecError(f"the links on the way to {path!r} lead in a circle")
            if entry.target.startswith("/"):
                found.clear()
            left = entry.target.split("/") + left
        return "/".join(found)

    def remove(self, path: str) -> None:
        """Take out an entry and everything below it; a missing one is no error."""
        prefix = path + "/"
        for name in [p for p in self._entries if p == path or p.startswith(prefix)]:
            del self._entries[name]

    def get(self, path: str) -> Entry | None:
        """Return the entry at a path, or ``None``."""
        return self._entries.get(path)

    def __contains__(self, path: object) -> bool:
        return path in self._entries

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Entry]:
        for path in sorted(self._entries, key=_sort_key):
            yield self._entries[path]


def _sort_key(path: str) -> bytes:
    # "/" sorts below every other byte so that "a/b" comes before "a-b", right after "a".
    return encode_name(path).replace(b"/", b"\0")
