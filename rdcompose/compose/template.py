"""The template of an initramfs: a directory with init and what else is not a module.

A template is an ordinary directory. Its files, directories, symlinks, device nodes,
fifos and sockets come into the image as they are, with their modes, owned by root; hard
links become files of their own. A user's directory that has an ``init`` at its top takes
the place of the built-in template, any other is laid over it (:func:`overlay`). What a
directory in git or in a wheel cannot hold stands in a file ``template.list`` at its top,
in the syntax of the kernel's ``usr/gen_init_cpio.c``::

    file <name> <location> <mode> <uid> <gid> [<more names>]
    dir <name> <mode> <uid> <gid>
    nod <name> <mode> <uid> <gid> <c|b> <major> <minor>
    slink <name> <target> <mode> <uid> <gid>
    pipe <name> <mode> <uid> <gid>
    sock <name> <mode> <uid> <gid>

Its lines are applied after the directory has been read, in their order. A location is
relative to the template. As in gen_init_cpio, names hold no white space unless they stand between
``"``, as :mod:`rdcompose.formats.cpiolist` writes them; unlike there, a location with a ``$`` is
refused, because the environment shall not change an image.
"""

from __future__ import annotations

import io
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rdcompose.errors import SpecError
from rdcompose.formats.cpiolist import Quoted, list_words
from rdcompose.tree import (
    NODE_KINDS,
    Bytes,
    Directory,
    Entry,
    File,
    Node,
    NodeKind,
    Symlink,
    Tree,
    decode_name,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

LIST_NAME: Final = "template.list"
# Left out wherever they are: git's own files, and its usual way to keep a directory.
IGNORED: Final = frozenset({".git", ".gitattributes", ".gitignore", ".gitkeep"})

_MAX_ID: Final = 0xFFFFFFFF
# dev_t of the kernel: 12 bits of major and 20 bits of minor number.
_MAX_MAJOR: Final = 0xFFF
_MAX_MINOR: Final = 0xFFFFF
_MAX_LIST: Final = 1 << 20


def builtin_template() -> Tree:
    """Read the built-in template, the same bytes from a checkout and from a wheel.

    Its optional features are left out.
    """
    tree = read_template(builtin_template_path(), exact=False)
    tree.remove("features")
    return tree


def builtin_template_path() -> Path:
    """Where the built-in template is: in the installed package or in the checkout."""
    package = Path(__file__).resolve().parent.parent
    for path in (package / "data" / "ramdisk-template", package.parent / "ramdisk-template"):
        if path.is_dir():
            return path
    raise SpecError(
        f"the built-in template is missing below {package}",
        hint="install rdcompose again, or give a template with --template",
    )


def read_template(path: Path, *, exact: bool = True) -> Tree:
    """Read a template directory, its list included, into a tree owned by root.

    The order in which the file system lists names, the locale and the reader's
    identity change nothing. ``exact`` keeps the modes as they are; otherwise they
    become 0755 for directories and for what its owner may execute, and 0644, so that
    the umask of whoever unpacked the directory changes nothing either.

    :raises SpecError: it is no directory, something in it cannot be read, or its list
        is wrong.
    """
    root = os.fsencode(path)
    if not os.path.isdir(root):  # noqa: PTH112
        raise SpecError(f"the template {path} is not a directory")
    tree = Tree()
    _walk(tree, root, "", exact=exact)
    if isinstance(found := tree.get(LIST_NAME), File):
        tree.remove(LIST_NAME)
        _apply_list(tree, path, b"".join(found.content.chunks(_MAX_LIST)))
    return tree


def overlay(base: Tree, other: Tree) -> Tree:
    """Return a new tree with the entries of both, those of ``other`` winning.

    :raises SpecError: a directory of ``base`` that holds something would become
        something else, or something of ``other`` would lie below what is no directory.
    """
    merged = Tree()
    for tree in (base, other):
        for entry in tree:
            merged.add(entry)
    return merged


def tree_bytes(tree: Tree) -> bytes:
    """Return what a digest of a tree is made of."""
    from rdcompose.formats.cpio import write_newc

    segment = io.BytesIO()
    write_newc(segment, tree, mtime=0)
    return segment.getvalue()


def _walk(tree: Tree, directory: bytes, prefix: str, *, exact: bool) -> None:
    try:
        with os.scandir(directory) as found:
            names = sorted(item.name for item in found)
    except OSError as error:
        raise _unreadable(directory, error) from error
    for name in names:
        text = decode_name(name)
        if text in IGNORED:
            continue
        path = os.path.join(directory, name)  # noqa: PTH118
        try:
            status = os.lstat(path)
            tree.add(_entry(path, prefix + text, status, exact=exact))
        except OSError as error:
            raise _unreadable(path, error) from error
        if stat.S_ISDIR(status.st_mode):
            _walk(tree, path, f"{prefix}{text}/", exact=exact)


def _entry(source: bytes, path: str, status: os.stat_result, *, exact: bool) -> Entry:
    mode = stat.S_IMODE(status.st_mode)
    if stat.S_ISLNK(status.st_mode):
        return Symlink(path=path, target=decode_name(os.readlink(source)))  # noqa: PTH115
    if stat.S_ISDIR(status.st_mode):
        return Directory(path=path, mode=mode if exact else 0o755)
    if stat.S_ISREG(status.st_mode):
        content = Bytes(Path(os.fsdecode(source)).read_bytes())
        plain = 0o755 if mode & stat.S_IXUSR else 0o644
        return File(path=path, mode=mode if exact else plain, content=content)
    kind = NODE_KINDS[stat.S_IFMT(status.st_mode)]
    major, minor = 0, 0
    if kind in {NodeKind.BLOCK, NodeKind.CHARACTER}:
        major, minor = os.major(status.st_rdev), os.minor(status.st_rdev)
    return Node(path=path, mode=mode, kind=kind, major=major, minor=minor)


def _unreadable(path: bytes, error: OSError) -> SpecError:
    reason = error.strerror or type(error).__name__
    return SpecError(f"cannot read {os.fsdecode(path)} of the template: {reason}")


def _apply_list(tree: Tree, root: Path, data: bytes) -> None:
    """Add what the lines of a template.list describe."""
    for number, raw in enumerate(data.split(b"\n"), 1):
        words = list_words(raw)
        if not words or words[0].startswith("#"):
            continue
        try:
            for entry in _list_entries(words, root):
                tree.add(entry)
        except SpecError as error:
            where = f"{root / LIST_NAME}, line {number}"
            raise SpecError(f"{where}: {error.message}", hint=error.hint) from error


def _list_entries(words: list[str], root: Path) -> list[Entry]:
    maker = _LINES.get(words[0])
    if maker is None:
        known = ", ".join(_LINES)
        raise SpecError(f"{words[0]!r} is no kind of entry", hint=f"there are {known}")
    return maker(words[1:], root)


def _list_file(words: list[str], root: Path) -> list[Entry]:
    name, location, mode, uid, gid, *more = _fields("file", words, 5, more=True)
    if "$" in location and not isinstance(location, Quoted):
        raise SpecError(f"the location {location!r} holds a variable")
    source = root / location
    try:
        content = Bytes(source.read_bytes())
    except OSError as error:
        raise _unreadable(os.fsencode(source), error) from error
    owner = _owner(mode, uid, gid)
    return [File(path=_path(each), content=content, **owner) for each in (name, *more)]


def _list_dir(words: list[str], _root: Path) -> list[Entry]:
    name, mode, uid, gid = _fields("dir", words, 4)
    return [Directory(path=_path(name), **_owner(mode, uid, gid))]


def _list_nod(words: list[str], _root: Path) -> list[Entry]:
    name, mode, uid, gid, letter, major, minor = _fields("nod", words, 7)
    if letter not in _DEVICE_LETTERS:
        raise SpecError(f"the device type {letter!r} is neither c nor b")
    node = Node(
        path=_path(name),
        kind=_DEVICE_LETTERS[letter],
        major=_number("major number", major, _MAX_MAJOR),
        minor=_number("minor number", minor, _MAX_MINOR),
        **_owner(mode, uid, gid),
    )
    return [node]


def _list_slink(words: list[str], _root: Path) -> list[Entry]:
    name, target, mode, uid, gid = _fields("slink", words, 5)
    return [Symlink(path=_path(name), target=target, **_owner(mode, uid, gid))]


def _list_pipe(words: list[str], _root: Path) -> list[Entry]:
    name, mode, uid, gid = _fields("pipe", words, 4)
    return [Node(path=_path(name), kind=NodeKind.FIFO, **_owner(mode, uid, gid))]


def _list_sock(words: list[str], _root: Path) -> list[Entry]:
    name, mode, uid, gid = _fields("sock", words, 4)
    return [Node(path=_path(name), kind=NodeKind.SOCKET, **_owner(mode, uid, gid))]


_DEVICE_LETTERS: Final = {"b": NodeKind.BLOCK, "c": NodeKind.CHARACTER}
_LINES: Final[Mapping[str, Callable[[list[str], Path], list[Entry]]]] = {
    "dir": _list_dir,
    "file": _list_file,
    "nod": _list_nod,
    "pipe": _list_pipe,
    "slink": _list_slink,
    "sock": _list_sock,
}


def _fields(kind: str, words: list[str], count: int, *, more: bool = False) -> list[str]:
    if len(words) < count or (len(words) > count and not more):
        wanted = f"{count}{' or more' if more else ''}"
        raise SpecError(f"{kind} takes {wanted} words after it, not {len(words)}")
    return words


def _path(name: str) -> str:
    # gen_init_cpio's lists write absolute names; an archive has relative ones.
    return name.removeprefix("/")


def _owner(mode: str, uid: str, gid: str) -> dict[str, int]:
    return {
        "mode": _number("mode", mode, 0o7777, base=8),
        "uid": _number("user number", uid, _MAX_ID),
        "gid": _number("group number", gid, _MAX_ID),
    }


def _number(what: str, text: str, limit: int, *, base: int = 10) -> int:
    digits = "01234567" if base == 8 else "0123456789"
    # int() alone would also take signs, spaces, underscores and other scripts' digits.
    if not text or text.strip(digits) or len(text) > 12 or int(text, base) > limit:
        raise SpecError(f"{text!r} is no {what}")
    return int(text, base)
