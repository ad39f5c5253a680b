"""A tree as a dictionary of short strings, so that a test compares it in one go."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, assert_never, cast

from rdcompose.tree import Directory, Entry, File, Node, NodeKind, Symlink, read_all

if TYPE_CHECKING:
    from collections.abc import Iterable

_LETTERS = {
    NodeKind.CHARACTER: "char",
    NodeKind.BLOCK: "block",
    NodeKind.FIFO: "fifo",
    NodeKind.SOCKET: "socket",
}


def dump(entries: Iterable[Entry]) -> dict[str, str]:
    """Return ``{"init": "file 0755 6bc26dff", "bin/sh": "symlink busybox", …}``.

    The order is that of the entries; a file's content is the start of its SHA-256;
    an owner other than root is named at the end. A path that comes twice fails.
    """
    out: dict[str, str] = {}
    for entry in entries:
        assert entry.path not in out, f"{entry.path} comes twice"
        out[entry.path] = describe(entry)
    return out


def describe(entry: Entry) -> str:
    """Return one entry as a short string."""
    owner = "" if entry.uid == entry.gid == 0 else f" {entry.uid}:{entry.gid}"
    known = cast("File | Directory | Symlink | Node", entry)
    match known:
        case File():
            return f"file {known.mode:04o} {digest(read_all(known.content))}{owner}"
        case Directory():
            return f"dir {known.mode:04o}{owner}"
        case Symlink():
            return f"symlink {known.target}{owner}"
        case Node(kind=kind):
            numbers = f" {known.major}:{known.minor}"
            if kind in {NodeKind.FIFO, NodeKind.SOCKET}:
                numbers = ""
            return f"{_LETTERS[kind]} {known.mode:04o}{numbers}{owner}"
        case _:
            assert_never(known)


def digest(data: bytes) -> str:
    """Return the eight characters that stand for content in a dump."""
    return hashlib.sha256(data).hexdigest()[:8] if data else "empty"
