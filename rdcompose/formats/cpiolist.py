"""Writer for the lists that the kernel's build makes an embedded initramfs of.

Reference: ``usage()`` and the parsers of ``usr/gen_init_cpio.c``, and ``usr/gen_initramfs.sh``, of
Linux; ``CONFIG_INITRAMFS_SOURCE`` names such a list::

    dir <name> <mode> <uid> <gid>
    file <name> <location> <mode> <uid> <gid>
    slink <name> <target> <mode> <uid> <gid>
    nod <name> <mode> <uid> <gid> <c|b> <major> <minor>
    pipe <name> <mode> <uid> <gid>
    sock <name> <mode> <uid> <gid>

Words have no quotes and no escapes: a name with white space in it cannot be written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, assert_never, cast

from rdcompose.errors import SpecError
from rdcompose.tree import Directory, File, Node, NodeKind, Symlink, encode_name

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rdcompose.tree import Entry

# LINE_SIZE of gen_init_cpio, with room for the words that are not names.
_MAX_LINE: Final = 2 * 4096
_SPACES: Final = b" \t\n\v\f\r"
_SYMLINK_MODE: Final = 0o777
_LETTERS: Final = {NodeKind.CHARACTER: "c", NodeKind.BLOCK: "b"}
_PLAIN_NODES: Final = {NodeKind.FIFO: "pipe", NodeKind.SOCKET: "sock"}


def write_list(entries: Iterable[Entry], directory: str) -> bytes:
    """Return the lines for entries, in their order; files have their content in ``directory``.

    :raises SpecError: a name cannot stand in a list.
    """
    return b"".join(encode_name(_line(entry, directory)) + b"\n" for entry in entries)


def _line(entry: Entry, directory: str) -> str:
    known = cast("File | Directory | Symlink | Node", entry)
    name = _word(f"/{entry.path}")
    owner = f"{entry.uid} {entry.gid}"
    match known:
        case Directory():
            return f"dir {name} {known.mode:o} {owner}"
        case File():
            location = _word(f"{directory}/{entry.path}")
            # gen_init_cpio puts in the environment's variables.
            if "${" in location:
                raise _impossible(entry.path)
            return f"file {name} {location} {known.mode:o} {owner}"
        case Symlink():
            return f"slink {name} {_word(known.target)} {_SYMLINK_MODE:o} {owner}"
        case Node(kind=NodeKind.FIFO | NodeKind.SOCKET):
            return f"{_PLAIN_NODES[known.kind]} {name} {known.mode:o} {owner}"
        case Node():
            letter = _LETTERS[known.kind]
            return f"nod {name} {known.mode:o} {owner} {letter} {known.major} {known.minor}"
    assert_never(known)


def _word(text: str) -> str:
    raw = encode_name(text)
    if not raw or len(raw) > _MAX_LINE // 2 or any(byte in _SPACES for byte in raw):
        raise _impossible(text)
    return text


def _impossible(name: str) -> SpecError:
    return SpecError(
        f"{name!r} cannot stand in a list for gen_init_cpio: it is empty, too long, or has white "
        "space or ${ in it",
        hint="the kernel's build takes an archive, too: --emit cpio",
    )
