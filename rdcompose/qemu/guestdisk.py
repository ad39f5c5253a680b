"""The small disk that rdcompose makes for a machine: a root, or a check beside a root.

A squashfs, because rdcompose writes no other filesystem. Its programs are those of the
initramfs, so nothing has to be fetched and they are of the right architecture.
"""

from __future__ import annotations

import dataclasses
import importlib.resources
import io
import re
from typing import TYPE_CHECKING, BinaryIO, Final, cast

from rdcompose.errors import FormatError, SpecError
from rdcompose.formats.mbr import SECTOR, Mbr, Partition, PartitionType
from rdcompose.formats.segments import read_segments
from rdcompose.formats.squashfs.writer import write_squashfs
from rdcompose.formats.window import Window
from rdcompose.kernel.module import modname
from rdcompose.tree import Bytes, Directory, Entry, File, Symlink, Tree, read_all

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# An initramfs of more is none that anybody boots.
_LIMIT: Final = 1 << 30
# What an initramfs has and a root does not: all else of it is taken over.
_LEFT_OUT: Final = re.compile(r"(init|dev|proc|sys|run|etc|tmp|(usr/)?lib/modules)(/|$)")
_MODULE: Final = re.compile(r"^(usr/)?lib/modules/.*\.ko(\.\w+)?$")
_BUILT_IN: Final = re.compile(r"^(usr/)?lib/modules/[^/]+/modules\.builtin$")
_MOUNT_POINTS: Final = ("dev", "mnt", "proc", "run", "sys", "tmp")
_BUSYBOX: Final = "bin/busybox"
_SIGNATURE: Final = 0x7264636F
# How a kernel command line names the one partition of a disk that has one.
PARTITION: Final = f"PARTUUID={_SIGNATURE:08x}-01"
_START: Final = 1 << 20
_LARGEST: Final = 1 << 32


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Initramfs:
    """What is known of an initramfs: its files, and what it loads first.

    ``autoload`` are modules by their names in ``/sys/module``; those that are built into the
    kernel are left out. ``squashfs``: it can mount one.
    """

    tree: Tree
    autoload: tuple[str, ...]
    squashfs: bool


def read_initramfs(data: bytes) -> Initramfs:
    """Read an initramfs as the kernel unpacks it.

    :raises FormatError: it is damaged or none.
    :raises SpecError: it is none that the kernel would unpack.
    """
    tree = Tree()
    for segment in read_segments(io.BytesIO(data), len(data), limit=_LIMIT):
        for entry in segment.entries():
            tree.add(entry)
    # Of whatever release: that it is the right one is what a boot is to show.
    held = {modname(entry.path) for entry in tree if _MODULE.search(entry.path)}
    built_in = {
        modname(line)
        for entry in tree
        if _BUILT_IN.search(entry.path)
        for line in _text(tree, entry.path).splitlines()
    }
    named = [line.split()[0] for line in _lines(_text(tree, "etc/modules.autoload"))]
    return Initramfs(
        tree=tree,
        autoload=tuple(name for n in named if (name := modname(n)) not in built_in),
        squashfs="squashfs" in held | built_in,
    )


def _lines(text: str) -> Iterator[str]:
    for line in text.splitlines():
        if (kept := line.partition("#")[0].strip()) != "":
            yield kept


def _text(tree: Tree, path: str) -> str:
    entry = tree.get(path)
    return read_all(entry.content).decode("utf-8", "replace") if isinstance(entry, File) else ""


def guest_tree(initramfs: Initramfs, release: str, script: str, facts: Iterable[str]) -> Tree:
    """Return the tree of a disk whose ``/sbin/init`` is a script of ``guest/``.

    ``facts`` are the lines that the script reads.

    :raises SpecError: the initramfs holds no busybox.
    """
    tree = Tree()
    for entry in initramfs.tree:
        if not _LEFT_OUT.match(entry.path) and isinstance(entry, Directory | File | Symlink):
            tree.add(entry)
    if not _has_busybox(tree):
        raise SpecError(
            "the initramfs has no /bin/busybox that a small root could be made with",
            hint="give a root filesystem with --root",
        )
    for path in (*_MOUNT_POINTS, f"lib/modules/{release}"):
        _add(tree, Directory(path=path))
    source = importlib.resources.files("rdcompose.qemu") / "guest" / script
    _add(tree, File(path="sbin/init", mode=0o755, content=Bytes(source.read_bytes())))
    text = "".join(f"{line}\n" for line in facts)
    _add(tree, File(path="etc/check", mode=0o644, content=Bytes(text.encode())))
    return tree


def _has_busybox(tree: Tree) -> bool:
    entry = tree.get(tree.resolved(_BUSYBOX))
    return isinstance(entry, File) and bool(entry.mode & 0o111)


def _add(tree: Tree, entry: Entry) -> None:
    # /lib or /sbin may be a link into /usr.
    tree.add(dataclasses.replace(entry, path=tree.resolved(entry.path)))


def write_guest_disk(out: BinaryIO, tree: Tree, *, partition: bool = False) -> None:
    """Write the disk; zlib is the compressor that every kernel with squashfs can read.

    ``partition``: in one, by which it is found whatever the disk is called.

    :raises FormatError: the tree holds what no squashfs can.
    """
    place = Window(out, _START, _LARGEST) if partition else out
    try:
        write_squashfs(cast("BinaryIO", place), tree, mtime=0, compressor="gzip", level=1)
    except SpecError as error:
        raise FormatError(f"the initramfs holds what no root can: {error.message}") from error
    if not partition:
        return
    sectors = -(-place.tell() // SECTOR)
    root = Partition(
        number=1, type=PartitionType.LINUX, start=_START // SECTOR, sectors=sectors, active=False
    )
    out.truncate(_START + sectors * SECTOR)
    out.seek(0)
    out.write(Mbr(signature=_SIGNATURE, partitions=(root,)).pack())
