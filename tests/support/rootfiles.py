"""Files of a small root with everything that a filesystem can hold."""

from __future__ import annotations

import random
import struct
from typing import Final

from rdcompose.formats.ext4.contents import Files
from rdcompose.tree import Bytes, Directory, Entry, File, Node, NodeKind, Symlink, Tree

TIME: Final = 1_700_000_000
UUID: Final = bytes(range(16))
# VFS_CAP_REVISION_2 with CAP_NET_RAW, as ping has it.
CAPABILITY: Final = struct.pack("<5I", 0x0200_0001, 1 << 13, 0, 0, 0)
_NOBODY: Final = 0xFFFF_FFFF
# user::rw-, user:1000:r--, group::r--, mask::r--, other::r--
ACL: Final = struct.pack("<I", 2) + b"".join(
    struct.pack("<2HI", *row)
    for row in ((1, 6, _NOBODY), (2, 4, 1000), (4, 4, _NOBODY), (16, 4, _NOBODY), (32, 4, _NOBODY))
)


def root_files(*, names: int = 300, entries: tuple[Entry, ...] = ()) -> Files:
    """Return files of all kinds; ``names`` is how many are in a large directory."""
    noise = random.Random(1)
    tree = Tree()
    for entry in (
        Directory(path="etc", mode=0o750, gid=42),
        File(path="etc/hostname", content=Bytes(b"pi\n"), mode=0o600, uid=70_000, gid=80_000),
        File(path="etc/empty", content=Bytes(b"")),
        File(path="usr/bin/ping", content=Bytes(noise.randbytes(5000)), mode=0o4755),
        File(path="noise", content=Bytes(noise.randbytes(3_000_001))),
        File(path="zeros", content=Bytes(bytes(1 << 20))),
        File(path="ü\udcff", content=Bytes(b"name")),
        Symlink(path="bin", target="usr/bin"),
        Symlink(path="links/59", target="x" * 59),
        Symlink(path="links/60", target="x" * 60),
        Symlink(path="links/4095", target="x/" * 2047 + "y"),
        Node(path="dev/null", kind=NodeKind.CHARACTER, major=1, minor=3, mode=0o666),
        Node(path="dev/nvme", kind=NodeKind.BLOCK, major=259, minor=70_000),
        Node(path="run/fifo", kind=NodeKind.FIFO),
        Node(path="run/socket", kind=NodeKind.SOCKET, mode=0o755),
        *(File(path=f"many/näme-{n:05}", content=Bytes(b"%d" % n)) for n in range(names)),
        *entries,
    ):
        tree.add(entry)
    return Files(
        tree=tree,
        root=Directory(path="", mode=0o711, uid=3, gid=4),
        times={"": 1, "etc": 5_000_000_000, "etc/hostname": -1, "bin": TIME + 1},
        links={"usr/bin/ping6": "usr/bin/ping", "null": "dev/null"},
        xattrs={
            "usr/bin/ping": (("security.capability", CAPABILITY), ("user.note", b"odd")),
            "etc": (("system.posix_acl_access", ACL), ("system.posix_acl_default", ACL)),
            "noise": (("user.large", bytes(range(250)) * 12), ("user.none", b"")),
            "links/60": (("trusted.link", b"1"),),
        },
    )
