"""Entries of two trees compared: content, kind, mode, owner, target and place.

Releases in paths stand for each other, and so do ``/lib`` and ``/usr/lib``, ``/bin`` and
``/usr/bin``: of two trees one may have its directories merged below ``/usr`` and the other not.
"""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from typing import TYPE_CHECKING, Final

from rdcompose.tree import Directory, Entry, File, Node, Symlink

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Mapping

    _Key = Callable[["EntryFacts"], Hashable]

_MERGED: Final = re.compile(r"^usr/(?=(?:s?bin|lib(?:32|64|x32)?)/)")
# What is in a unified kernel image beside files.
SECTION: Final = "section"
# What a release is replaced by; no path of a tree holds it.
_RELEASE: Final = "\0"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class EntryFacts:
    """An entry of a tree; what its kind does not have is empty.

    ``size`` and ``sha256`` are those of a file's content, ``device`` a node's numbers as
    ``ls`` prints them: ``8, 1``.
    """

    path: str
    kind: str
    mode: int
    uid: int
    gid: int
    size: int = 0
    sha256: str = ""
    target: str = ""
    device: str = ""

    @property
    def shown(self) -> str:
        """What to call it: a path from the root, or the name of a section, which is no file."""
        return self.path if self.kind == SECTION else f"/{self.path}"


@dataclasses.dataclass(frozen=True, slots=True)
class FileChange:
    """An entry before and now; ``what`` is some of content, kind, mode, owner, target, path."""

    before: EntryFacts
    now: EntryFacts
    what: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FilesDifference:
    """The entries of two trees, sorted by path; ``same`` is the number of those that are equal."""

    new: tuple[EntryFacts, ...] = ()
    gone: tuple[EntryFacts, ...] = ()
    changed: tuple[FileChange, ...] = ()
    same: int = 0


def entry_facts(entry: Entry, sha256: str = "") -> EntryFacts:
    """Return the facts of an entry; ``sha256`` is that of a file's content."""
    kind, size, target, device = "directory", 0, "", ""
    if isinstance(entry, File):
        kind, size = "file", entry.content.size
    elif isinstance(entry, Symlink):
        kind, target = "link", entry.target
    elif isinstance(entry, Node):
        kind, device = entry.kind.value, f"{entry.major}, {entry.minor}"
    else:
        assert isinstance(entry, Directory)
    return EntryFacts(
        path=entry.path,
        kind=kind,
        # Nothing looks at the mode of a link.
        mode=0o777 if kind == "link" else entry.mode,
        uid=entry.uid,
        gid=entry.gid,
        size=size,
        sha256=sha256,
        target=target,
        device=device,
    )


def compare_files(
    before: Iterable[EntryFacts],
    now: Iterable[EntryFacts],
    releases: tuple[Mapping[str, str], Mapping[str, str]] = ({}, {}),
) -> FilesDifference:
    """Compare two trees; ``releases`` are what the releases of each side are called in common."""
    matching = _Matching(before, now)
    matching.match(*(_without(names) for names in releases))
    matching.match(*(_split(names) for names in releases))
    matching.match(_moved, _moved)
    changes = [_change(old, new, releases) for old, new in matching.pairs]
    found = [change for change in changes if change.what]
    return FilesDifference(
        new=tuple(sorted(matching.now, key=_by_path)),
        gone=tuple(sorted(matching.before, key=_by_path)),
        changed=tuple(sorted(found, key=lambda change: _by_path(change.now))),
        same=len(changes) - len(found),
    )


class _Matching:
    """Entries that belong together, and those that are left of each side."""

    def __init__(self, before: Iterable[EntryFacts], now: Iterable[EntryFacts]) -> None:
        self.before = [*before]
        self.now = [*now]
        self.pairs: list[tuple[EntryFacts, EntryFacts]] = []

    def match(self, of_before: _Key, of_now: _Key) -> None:
        """Pair what has the same key; a key of several entries of a side is none."""
        old, new = _unique(self.before, of_before), _unique(self.now, of_now)
        both = old.keys() & new.keys()
        self.pairs += [(row, new[key]) for key, row in old.items() if key in both]
        taken = {id(old[key]) for key in both} | {id(new[key]) for key in both}
        self.before = [row for row in self.before if id(row) not in taken]
        self.now = [row for row in self.now if id(row) not in taken]


def _unique(rows: Iterable[EntryFacts], key: _Key) -> dict[Hashable, EntryFacts]:
    listed = [(key(row), row) for row in rows]
    numbers = Counter(found for found, _ in listed)
    return {found: row for found, row in listed if found is not None and numbers[found] == 1}


def _without(names: Mapping[str, str]) -> Callable[[EntryFacts], str]:
    return lambda row: neutral(row.path, names)


def _split(names: Mapping[str, str]) -> Callable[[EntryFacts], str]:
    return lambda row: unmerged(neutral(row.path, names))


def neutral(path: str, names: Mapping[str, str]) -> str:
    """Return a path in which releases have the names that both sides know them by."""
    for release, name in names.items():
        if release in path:
            parts = path.split("/")
            for index, part in enumerate(parts):
                if part == release or part.endswith(f"-{release}"):
                    parts[index] = part[: len(part) - len(release)] + _RELEASE + name
            path = "/".join(parts)
    return path


def unmerged(path: str) -> str:
    """Return a path as it is where ``/lib`` and others are not merged with those below ``/usr``."""
    return _MERGED.sub("", path)


def _moved(row: EntryFacts) -> Hashable:
    """Return what tells that an entry is another's, at another place."""
    if row.kind != "file" or not row.size:
        return None
    return row.path.rpartition("/")[2], row.sha256


def _change(
    before: EntryFacts,
    now: EntryFacts,
    releases: tuple[Mapping[str, str], Mapping[str, str]],
) -> FileChange:
    old, new = (
        neutral(row.path, names) for row, names in zip((before, now), releases, strict=True)
    )
    what = {
        "path": old != new,
        "kind": before.kind != now.kind,
        "content": before.kind == now.kind and before.sha256 != now.sha256,
        "target": before.kind == now.kind and before.target != now.target,
        "device": before.kind == now.kind and before.device != now.device,
        "mode": before.mode != now.mode and before.kind == now.kind,
        "owner": (before.uid, before.gid) != (now.uid, now.gid),
    }
    return FileChange(before, now, tuple(name for name, differs in what.items() if differs))


def _by_path(row: EntryFacts) -> str:
    return row.path.replace("/", "\0")
