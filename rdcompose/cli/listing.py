"""Entries of an image as lines for people, as ``ls -l`` has them, and as rows for programs."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Any, Final

from rdcompose.tree import Directory, File, Node, NodeKind, Symlink, encode_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rdcompose.inspect.walks import Located
    from rdcompose.tree import Entry

_LETTERS: Final = {
    NodeKind.CHARACTER: "c",
    NodeKind.BLOCK: "b",
    NodeKind.FIFO: "p",
    NodeKind.SOCKET: "s",
}
_TYPES: Final = {
    "-": "file",
    "d": "directory",
    "l": "symlink",
    "c": "character device",
    "b": "block device",
    "p": "fifo",
    "s": "socket",
}
_NO_TIME: Final = "-" * 16
_ESCAPES: Final = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\\": "\\\\"}


def shown_name(name: str) -> str:
    r"""Return a name for a terminal, as ``ls -b`` has it: control characters as ``\n``, ``\033``.

    Bytes that are no UTF-8 are three octal digits, too; a backslash is doubled.
    """
    if name.isprintable() and "\\" not in name:
        return name
    return "".join(
        character
        if character.isprintable() and character != "\\"
        else _ESCAPES.get(character) or "".join(f"\\{byte:03o}" for byte in encode_name(character))
        for character in name
    )


def mode_text(entry: Entry) -> str:
    """Return type and mode of an entry as ``ls -l`` does: ``-rwsr-xr-x``."""
    bits = "".join(
        letter if entry.mode >> (8 - at) & 1 else "-" for at, letter in enumerate("rwxrwxrwx")
    )
    text = [*_letter(entry), *bits]
    for bit, at, letter in ((0o4000, 3, "s"), (0o2000, 6, "s"), (0o1000, 9, "t")):
        if entry.mode & bit:
            text[at] = letter if text[at] == "x" else letter.upper()
    return "".join(text)


def _letter(entry: Entry) -> str:
    if isinstance(entry, Node):
        return _LETTERS[entry.kind]
    return "d" if isinstance(entry, Directory) else "l" if isinstance(entry, Symlink) else "-"


def entry_line(located: Located) -> str:
    """Return an entry as a line: mode, names, owner, group, size, time in UTC, path, target."""
    entry = located.entry
    size: object = 0
    if isinstance(entry, File):
        size = entry.content.size
    elif isinstance(entry, Symlink):
        size = len(encode_name(entry.target))
    elif isinstance(entry, Node) and _letter(entry) in "cb":
        size = f"{entry.major}, {entry.minor}"
    return (
        f"{mode_text(entry)} {located.links:>2} {entry.uid:>4} {entry.gid:>4} {size:>10} "
        f"{_time(located.mtime)} {shown_name(entry.path)}{_arrow(entry)}"
    )


def _arrow(entry: Entry) -> str:
    return f" -> {shown_name(entry.target)}" if isinstance(entry, Symlink) else ""


def _time(seconds: int | None) -> str:
    if seconds is None:
        return _NO_TIME
    moment = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
    return f"{moment:%Y-%m-%d %H:%M}"


def entry_row(located: Located) -> dict[str, Any]:
    """Return an entry for JSON."""
    entry = located.entry
    row: dict[str, Any] = {
        "path": entry.path,
        "type": _TYPES[_letter(entry)],
        "mode": f"{entry.mode:04o}",
        "uid": entry.uid,
        "gid": entry.gid,
        "mtime": located.mtime,
        "links": located.links,
        "part": located.part,
    }
    if isinstance(entry, File):
        row["size"] = entry.content.size
    elif isinstance(entry, Symlink):
        row["target"] = entry.target
    elif isinstance(entry, Node):
        row |= {"major": entry.major, "minor": entry.minor}
    return row


def tree_lines(entries: Mapping[str, Entry], sizes: Mapping[str, int]) -> Iterator[str]:
    """Yield entries, of which every directory is there, as a tree, in the order of names.

    Files have their size behind them, if it is among ``sizes``.
    """
    inside: dict[str, list[str]] = {}
    for path in entries:
        inside.setdefault(path.rpartition("/")[0], []).append(path)
    # What is still to be drawn, the next one last, each with what stands in front of it.
    waiting = [(path, "", last) for path, last in _ends(inside.get("", []))]
    while waiting:
        path, front, last = waiting.pop()
        entry = entries[path]
        size = f"  [{sizes[path]}]" if isinstance(entry, File) and path in sizes else ""
        slash = "/" if isinstance(entry, Directory) else ""
        name = shown_name(path.rpartition("/")[2])
        yield f"{front}{'└── ' if last else '├── '}{name}{slash}{_arrow(entry)}{size}"
        deeper = front + ("    " if last else "│   ")
        waiting += [(below, deeper, end) for below, end in _ends(inside.get(path, []))]


def _ends(paths: list[str]) -> list[tuple[str, bool]]:
    """Return paths in reverse order, and whether each is the last one."""
    rows = sorted(paths, key=encode_name, reverse=True)
    return [(path, at == 0) for at, path in enumerate(rows)]
