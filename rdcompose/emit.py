"""The initramfs in other forms: for kernels that embed theirs, and to compare by.

``CONFIG_INITRAMFS_SOURCE`` takes an archive, a list for gen_init_cpio, or directories and lists.
The forms and how a kernel is built with them are described in ``docs/embedding.md``.
"""

from __future__ import annotations

import hashlib
import os
import stat
from typing import TYPE_CHECKING, Final, cast

from rdcompose.compose.spec import EmitForm
from rdcompose.errors import OutputError
from rdcompose.formats.cpio import write_newc
from rdcompose.formats.cpiolist import write_list
from rdcompose.publish import give_mode
from rdcompose.tree import NODE_TYPES, Directory, File, Node, Symlink, encode_name

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Mapping
    from pathlib import Path
    from typing import BinaryIO

    from rdcompose.tree import Entry, Tree

# Every suffix of a file that there can be. Names do not begin as those of an initramfs, which
# other commands and tools would take them for.
SUFFIXES: Final = (".cpio", ".list", ".nodes", ".tree")
_DIRECTORY: Final = ".d"
_CHUNK: Final = 1 << 20
_ESCAPES: Final = {"\\": "\\\\", "\n": "\\n"}


def directory_name(release: str, forms: Container[EmitForm]) -> str | None:
    """Return the name of the directory that these forms need, if any does."""
    wanted = EmitForm.DIRECTORY in forms or EmitForm.CPIO_LIST in forms
    return f"embed-{release}{_DIRECTORY}" if wanted else None


def emitted_files(
    release: str, tree: Tree, forms: Container[EmitForm], *, mtime: int
) -> Mapping[str, Callable[[BinaryIO], object]]:
    """Return what writes each file of these forms, by name.

    :raises SpecError: a name cannot stand in a list.
    """
    base = f"embed-{release}"
    files: dict[str, Callable[[BinaryIO], object]] = {}
    if EmitForm.CPIO in forms:
        files[f"{base}.cpio"] = lambda out: write_newc(out, tree, mtime=mtime)
    directory = f"{base}{_DIRECTORY}"
    if EmitForm.CPIO_LIST in forms:
        whole = write_list(tree, directory)
        files[f"{base}.list"] = lambda out: out.write(whole)
    special = [entry for entry in tree if _is_special(entry)]
    if EmitForm.DIRECTORY in forms and special:
        rest = write_list(special, directory)
        files[f"{base}.nodes"] = lambda out: out.write(rest)
    if EmitForm.TREE in forms:
        files[f"{base}.tree"] = lambda out: out.write(listing(tree))
    return files


def _is_special(entry: Entry) -> bool:
    """Whether a directory of an ordinary user's cannot hold an entry as it is."""
    return isinstance(entry, Node) or (entry.uid, entry.gid) != (0, 0)


def write_directory(path: Path, tree: Tree, *, mtime: int) -> None:
    """Fill an empty directory with what of a tree it can hold, all of the one time.

    :raises OutputError: the file system refuses.
    """
    directories: list[tuple[Path, int]] = []
    try:
        for entry in tree:
            place = path / entry.path
            if isinstance(entry, Directory):
                place.mkdir()
                directories.append((place, entry.mode))
            elif isinstance(entry, Symlink):
                place.symlink_to(entry.target)
                os.utime(place, (mtime, mtime), follow_symlinks=False)
            elif isinstance(entry, File):
                _write_file(place, entry, mtime)
        # At last, and from the deepest: a mode may forbid to write into the directory.
        for place, mode in reversed(directories):
            give_mode(place, mode)
            os.utime(place, (mtime, mtime))
        os.utime(path, (mtime, mtime))
    except OSError as error:
        raise OutputError(f"cannot write {error.filename or path}: {error.strerror}") from error


def _write_file(place: Path, entry: File, mtime: int) -> None:
    with place.open("xb") as out:
        for chunk in entry.content.chunks(_CHUNK):
            out.write(chunk)
        out.flush()
        give_mode(out.fileno(), entry.mode)
        os.utime(out.fileno(), (mtime, mtime))
        os.fsync(out.fileno())


def listing(tree: Tree) -> bytes:
    """Return a line for each entry: mode, owner, size or device, SHA-256, path and target."""
    return b"".join(encode_name(_line(entry)) + b"\n" for entry in tree)


def _line(entry: Entry) -> str:
    known = cast("File | Directory | Symlink | Node", entry)
    kind, size, digest, target = 0, "0", "-", ""
    match known:
        case File():
            kind = stat.S_IFREG
            size = str(known.content.size)
            sha256 = hashlib.sha256()
            for chunk in known.content.chunks(_CHUNK):
                sha256.update(chunk)
            digest = sha256.hexdigest()
        case Directory():
            kind = stat.S_IFDIR
        case Symlink():
            kind = stat.S_IFLNK
            target = f" -> {known.target}"
        case Node():
            kind = NODE_TYPES[known.kind]
            size = f"{known.major},{known.minor}"
    mode = stat.filemode(kind | known.mode)
    text = f"{mode} {known.uid}:{known.gid} {size:>9} {digest} /{known.path}{target}"
    return "".join(_ESCAPES.get(char, char) for char in text)
