"""Trees and contents that squashfs tests share."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from rdcompose.tree import Bytes, Directory, File, Node, NodeKind, Symlink, Tree, decode_name

if TYPE_CHECKING:
    from rdcompose.tree import Entry


def noise(size: int, seed: int = 0) -> bytes:
    """Bytes that no compressor shortens, the same ones every time."""
    return random.Random(seed).randbytes(size)


def text(size: int, seed: int = 0) -> bytes:
    """Bytes that compress."""
    words = [f"{seed}:{number % 977}\n".encode() for number in range(size // 4 + 1)]
    return b"".join(words)[:size]


def file(path: str, data: bytes, **fields: Any) -> File:
    """A file with content from memory."""
    return File(path=path, content=Bytes(data), **fields)


def everything() -> Tree:
    """Every kind of entry, and for every field a value that is easily lost."""
    entries: list[Entry] = [
        file("a-file", text(1000), mode=0o4755, uid=1000, gid=100),
        file("big", text(700_000)),
        file("copy-of-big", text(700_000), mode=0o600),
        file("empty", b""),
        file("holes", bytes(2_000_000) + b"x" + bytes(100)),
        file("noise", noise(300_000)),
        Directory(path="dir", mode=0o1777, uid=7),
        Directory(path="dir/empty", mode=0o700),
        file("dir/in/deep/er/file", b"x"),
        file("dir-2", b"sorts behind what is in dir"),
        Symlink(path="link", target="dir/in/nowhere"),
        Symlink(path="long-link", target="t" * 3000),
        Node(path="dev/null", kind=NodeKind.CHARACTER, mode=0o666, major=1, minor=3),
        Node(path="dev/big", kind=NodeKind.BLOCK, major=0xFFF, minor=0xF_FFFF),
        Node(path="dev/loop", kind=NodeKind.BLOCK, major=7, minor=256, gid=6),
        Node(path="fifo", kind=NodeKind.FIFO),
        Node(path="socket", kind=NodeKind.SOCKET, mode=0o777),
        file(decode_name(b"name \xff\xfe"), b"not UTF-8"),
        file("n" * 255, b"longest name"),
    ]
    # Enough names for a listing with an index.
    entries += [file(f"many/{number:04}", b"%d" % number) for number in range(1000)]
    tree = Tree()
    for entry in entries:
        tree.add(entry)
    return tree
