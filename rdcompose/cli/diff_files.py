"""What ``rdcompose diff`` tells of files that are no modules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rdcompose.cli.diff_row import Row, sizes_text
from rdcompose.cli.terminal import size_text
from rdcompose.inspect.compare.files import unmerged
from rdcompose.inspect.contents import module_place
from rdcompose.inspect.findings import count

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rdcompose.inspect.compare.files import EntryFacts, FileChange, FilesDifference

_INDEX: Final = "modules."
# So many names of the same get one line, which tells as many of them.
_MANY: Final = 4
_LISTED: Final = 8


def file_rows(entries: FilesDifference, *, whole: bool) -> Iterator[Row]:
    """Yield a row for each entry; what follows from others is told together.

    So is what many have in common, unless the ``whole`` is asked for.
    """
    yield from _one_sided("+", entries.new, whole=whole)
    yield from _one_sided("-", entries.gone, whole=whole)
    indexes, merged, others = [], [], []
    for change in entries.changed:
        if whole:
            others.append(change)
        elif change.what == ("content",) and _is_index(change.now.path):
            indexes.append(change)
        elif change.what == ("path",) and unmerged(change.before.path) == unmerged(change.now.path):
            merged.append(change)
        else:
            others.append(change)
    for change in others:
        moved = "path" in change.what
        name = f"/{change.before.path} → /{change.now.path}" if moved else f"/{change.now.path}"
        yield Row(">" if moved else "~", name, "; ".join(_said(change)))
    if indexes:
        directory = indexes[0].now.path.rpartition("/")[0]
        remark = f"{count(len(indexes), 'index', 'indexes')} of modules changed"
        yield Row("~", f"/{directory}", remark)
    if merged:
        before, now = merged[0].before.path, merged[0].now.path
        remark = f"{count(len(merged), 'entry', 'entries')} as before"
        yield Row(">", f"/{_top(before)} → /{_top(now)}", remark)


def _is_index(path: str) -> bool:
    place = module_place(path, disk=True)
    return place is not None and place[1].startswith(_INDEX)


def _top(path: str) -> str:
    return "/".join(path.split("/")[: 2 if path.startswith("usr/") else 1])


def _one_sided(sign: str, entries: Sequence[EntryFacts], *, whole: bool) -> Iterator[Row]:
    """Yield rows for entries that are on one side only."""
    if whole:
        yield from (Row(sign, f"/{row.path}", _what(row)) for row in entries)
        return
    left = []
    for top, rows in _by_directory(entries).items():
        if rows[0].path != top:
            left.append(rows[0])
            continue
        files = [row for row in rows if row.kind != "directory"]
        # Directories of modules come and go with them.
        if files or module_place(f"{top}/", disk=True) is None:
            size = size_text(sum(row.size for row in files))
            yield Row(sign, f"/{top}/", f"{count(len(files), 'file')}, {size}" if files else "")
    yield from _alike(sign, left)


def _by_directory(entries: Sequence[EntryFacts]) -> dict[str, list[EntryFacts]]:
    """Return entries by the outermost directory among them that they are in, itself first.

    What is in none of these is by itself, under a name that is no path.
    """
    directories = {row.path for row in entries if row.kind == "directory"}
    inside: dict[str, list[EntryFacts]] = {}
    for row in entries:
        parts = row.path.split("/")
        outer = ("/".join(parts[:end]) for end in range(1, len(parts) + 1))
        top = next((path for path in outer if path in directories), f"/{row.path}")
        inside.setdefault(top, []).append(row)
    return inside


def _alike(sign: str, entries: Sequence[EntryFacts]) -> Iterator[Row]:
    """Yield rows for entries; one for many of a directory that are names of the same."""
    groups: dict[tuple[str, str], list[EntryFacts]] = {}
    for row in entries:
        directory = row.path.rpartition("/")[0]
        same = row.target.rpartition("/")[2] or (row.sha256 if row.size else "") or f"/{row.path}"
        groups.setdefault((directory, same), []).append(row)
    for (directory, _), rows in groups.items():
        if len(rows) < _MANY:
            yield from (Row(sign, f"/{row.path}", _what(row)) for row in rows)
        else:
            what = "links" if rows[0].target else "names of a file"
            names = ", ".join(row.path.rpartition("/")[2] for row in rows[:_LISTED])
            more = f" and {len(rows) - _LISTED} others" if len(rows) > _LISTED else ""
            remark = f"{len(rows)} {what}, {_what(rows[0])}: {names}{more}"
            yield Row(sign, f"/{directory}/" if directory else "/", remark)


def _what(row: EntryFacts) -> str:
    if row.kind == "file":
        return size_text(row.size)
    return f"{row.kind} {row.target or row.device}".rstrip()


def _said(change: FileChange) -> Iterator[str]:
    before, now = change.before, change.now
    texts = {
        "kind": (before.kind, now.kind),
        "target": (before.target, now.target),
        "device": (before.device, now.device),
        "mode": (f"{before.mode:04o}", f"{now.mode:04o}"),
        "owner": (f"{before.uid}:{before.gid}", f"{now.uid}:{now.gid}"),
    }
    for what in change.what:
        if what == "content":
            yield f"content, {sizes_text(before.size, now.size)}"
        elif what != "path":
            yield f"{what} {' → '.join(texts[what])}"
