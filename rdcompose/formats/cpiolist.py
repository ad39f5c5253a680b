r"""The lists that the kernel's build makes an embedded initramfs of, and templates read.

Reference: ``usage()`` and the parsers of ``usr/gen_init_cpio.c``, and ``usr/gen_initramfs.sh``, of
Linux; ``CONFIG_INITRAMFS_SOURCE`` names such a list::

    dir <name> <mode> <uid> <gid>
    file <name> <location> <mode> <uid> <gid>
    slink <name> <target> <mode> <uid> <gid>
    nod <name> <mode> <uid> <gid> <c|b> <major> <minor>
    pipe <name> <mode> <uid> <gid>
    sock <name> <mode> <uid> <gid>

Words there have no quotes and no escapes: a name with white space in it cannot be written. Lists
for templates have an addition: a word between ``"``, in which ``\\`` and three octal digits
stand for any byte.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, assert_never, cast

from rdcompose.errors import SpecError
from rdcompose.tree import (
    Directory,
    File,
    Node,
    NodeKind,
    Symlink,
    decode_name,
    encode_name,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from rdcompose.tree import Entry

# LINE_SIZE of gen_init_cpio, with room for the words that are not names.
_MAX_LINE: Final = 2 * 4096
_SPACES: Final = b" \t\n\v\f\r"
_SYMLINK_MODE: Final = 0o777
_LETTERS: Final = {NodeKind.CHARACTER: "c", NodeKind.BLOCK: "b"}
# What keeps a word from standing in a template's list as it is, and what from standing in quotes.
_SPECIAL: Final = re.compile(rb'[\0- "$\x7f]')
_ESCAPED: Final = re.compile(rb'[\0-\x1f"$\\\x7f]')
_WORD: Final = re.compile(rb'[ \t\n\v\f\r]*(?:"([^"]*)"(?![^ \t\n\v\f\r])|([^ \t\n\v\f\r]+))')
_OCTAL: Final = re.compile(rb"\\([0-3][0-7]{2})")
_PLAIN_NODES: Final = {NodeKind.FIFO: "pipe", NodeKind.SOCKET: "sock"}


class Quoted(str):
    """A word of a list that stood between quotes, without them."""

    __slots__ = ()


def write_list(entries: Iterable[Entry], directory: str) -> bytes:
    """Return the lines for entries, in their order; files have their content in ``directory``.

    :raises SpecError: a name cannot stand in a list.
    """
    return _lines(entries, directory, _word)


def write_template_list(entries: Iterable[Entry]) -> bytes:
    """Return lines for entries whose files lie in a template beside the list.

    Names of all kinds can stand in them: see the addition of quotes.
    """
    return _lines(entries, ".", _quoted)


def list_words(line: bytes) -> list[str]:
    """Return the words of a line of a template's list; those between quotes as :class:`Quoted`."""
    words: list[str] = []
    for quoted, plain in _WORD.findall(line):
        if plain:
            words.append(decode_name(plain))
        else:
            raw = _OCTAL.sub(lambda found: bytes([int(found[1], 8)]), quoted)
            words.append(Quoted(decode_name(raw)))
    return words


def _lines(entries: Iterable[Entry], directory: str, word: Callable[[str], str]) -> bytes:
    return b"".join(encode_name(_line(entry, directory, word)) + b"\n" for entry in entries)


def _line(entry: Entry, directory: str, word: Callable[[str], str]) -> str:
    known = cast("File | Directory | Symlink | Node", entry)
    name = word(f"/{entry.path}")
    owner = f"{entry.uid} {entry.gid}"
    match known:
        case Directory():
            return f"dir {name} {known.mode:o} {owner}"
        case File():
            location = word(f"{directory}/{entry.path}")
            # gen_init_cpio puts in the environment's variables.
            if word is _word and "${" in location:
                raise _impossible(entry.path)
            return f"file {name} {location} {known.mode:o} {owner}"
        case Symlink():
            return f"slink {name} {word(known.target)} {_SYMLINK_MODE:o} {owner}"
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


def _quoted(text: str) -> str:
    raw = encode_name(text)
    if _SPECIAL.search(raw) is None:
        return text
    return decode_name(b'"%b"' % _ESCAPED.sub(lambda found: b"\\%03o" % found[0][0], raw))


def _impossible(name: str) -> SpecError:
    return SpecError(
        f"{name!r} cannot stand in a list for gen_init_cpio: it is empty, too long, or has white "
        "space or ${ in it",
        hint="the kernel's build takes an archive, too: --emit cpio",
    )
