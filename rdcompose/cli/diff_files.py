"""What ``rdcompose diff`` tells of files that are no modules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rdcompose.cli.diff_row import MANY, Row, listed, sizes_text, together
from rdcompose.cli.terminal import size_text
from rdcompose.inspect.compare.files import unmerged
from rdcompose.inspect.contents import module_place
from rdcompose.inspect.findings import count

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rdcompose.inspect.compare.files import EntryFacts, FileChange, FilesDifference

_INDEX: Final = "modules."


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
        elif _is_index(change.now.path) and not _moved(change):
            indexes.append(change)
        elif change.what == ("path",) and not _moved(change):
            merged.append(change)
        else:
            others.append(change)
    rows = map(_changed, others)
    yield from rows if whole else together(rows, "entries")
    if indexes:
        directory = indexes[0].now.path.rpartition("/")[0]
        remark = f"{count(len(indexes), 'index', 'indexes')} of modules changed"
        yield Row("~", f"/{directory}", remark)
    if merged:
        before, now = merged[0].before.path, merged[0].now.path
        remark = f"{count(len(merged), 'entry', 'entries')} as before"
        yield Row(">", f"/{_top(before)} → /{_top(now)}", remark)


def _moved(change: FileChange) -> bool:
    """Whether it lies elsewhere, and not only below ``/usr`` or no more."""
    return unmerged(change.before.path) != unmerged(change.now.path) and "path" in change.what


def _changed(change: FileChange) -> Row:
    remark = "; ".join(_said(change))
    if _moved(change):
        return Row(">", f"{change.before.shown} → {change.now.shown}", remark)
    return Row("~", change.now.shown, remark or f"was {change.before.shown}")


def _is_index(path: str) -> bool:
    place = module_place(path, disk=True)
    return place is not None and place[1].startswith(_INDEX)


def _top(path: str) -> str:
    return "/".join(path.split("/")[: 2 if path.startswith("usr/") else 1])


def _one_sided(sign: str, entries: Sequence[EntryFacts], *, whole: bool) -> Iterator[Row]:
    """Yield rows for entries that are on one side only."""
    if whole:
        yield from (Row(sign, row.shown, _what(row)) for row in entries)
        return
    left = []
    for top, rows in _by_directory(entries).items():
        files = [row for row in rows if row.kind != "directory"]
        if len(files) == 1:
            left += files
        elif files:
            # Names of one file, as initramfs-tools has busybox's, are there once.
            size = size_text(sum({row.sha256: row.size for row in files}.values()))
            yield Row(sign, f"/{top}/", f"{len(files)} files, {size}")
        elif module_place(f"{top}/x", disk=True) is None:
            # Those of modules come and go with them.
            yield Row(sign, f"/{top}/")
    yield from _alike(sign, left)


def _by_directory(entries: Sequence[EntryFacts]) -> dict[str, list[EntryFacts]]:
    """Return entries by the outermost directory among them that they are in, itself first.

    What is in none of these is by itself.
    """
    directories = {row.path for row in entries if row.kind == "directory"}
    inside: dict[str, list[EntryFacts]] = {}
    for row in entries:
        parts = row.path.split("/")
        outer = ("/".join(parts[:end]) for end in range(1, len(parts) + 1))
        top = next((path for path in outer if path in directories), row.path)
        inside.setdefault(top, []).append(row)
    return inside


def _alike(sign: str, entries: Sequence[EntryFacts]) -> Iterator[Row]:
    """Yield rows for entries; one for many of a directory that are names of the same."""
    groups: dict[tuple[str, str], list[EntryFacts]] = {}
    for row in entries:
        groups.setdefault((row.path.rpartition("/")[0], _sameness(row)), []).append(row)
    for (directory, _), rows in groups.items():
        if len(rows) < MANY:
            yield from (Row(sign, row.shown, _what(row)) for row in rows)
        else:
            names = listed([row.path.rpartition("/")[2] for row in rows])
            remark = f"{len(rows)} {_same_as(rows[0])}: {names}"
            yield Row(sign, f"/{directory}/" if directory else "/", remark)


def _sameness(row: EntryFacts) -> str:
    """Return what entries of a directory have in common that are told together."""
    if _is_index(row.path):
        return _INDEX
    return row.target.rpartition("/")[2] or (row.sha256 if row.size else "") or f"/{row.path}"


def _same_as(row: EntryFacts) -> str:
    if _is_index(row.path):
        return "indexes of modules"
    return f"links to {row.target}" if row.target else f"names of a file of {size_text(row.size)}"


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
