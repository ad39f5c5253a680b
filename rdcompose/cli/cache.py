"""``rdcompose cache``: look at what was downloaded and what is kept of kernels; remove it."""

from __future__ import annotations

import datetime
import json
import os
import sys
from typing import TYPE_CHECKING, Any

from rdcompose.archive.cache import Cache
from rdcompose.cli.environment import cache_directory
from rdcompose.cli.terminal import size_text, table

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from rdcompose.archive.cache import Entry


def cache(arguments: argparse.Namespace) -> int:
    """Run the command; returns the exit status."""
    directory = cache_directory(arguments.cache).absolute()
    if arguments.action == "path":
        # As bytes: a path need not be text, and a script must get it as it is.
        sys.stdout.buffer.write(os.fsencode(directory) + b"\n")
    elif arguments.action == "clean":
        _clean(Cache(directory), arguments.unused_for)
    elif arguments.json:
        print(json.dumps(_as_json(Cache(directory)), indent=2))
    else:
        print(_as_table(Cache(directory)))
    return 0


def _clean(store: Cache, days: int | None) -> None:
    since = None
    if days is not None:
        since = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=days)
    files, size = store.clean(unused_since=since)
    print(f"{_files(files)} removed, {size_text(size)} freed")
    if days is None and (left := _left(store)):
        print(f"{_files(left)} left, in use by another command")


def _left(store: Cache) -> int:
    return sum(map(len, (store.entries(), store.partials(), store.prepared())))


def _as_table(store: Cache) -> str:
    entries = store.entries()
    rows = [(entry.name, size_text(entry.size), _moment(entry.used)) for entry in entries]
    total = list(entries)
    for name, others in (
        ("unfinished downloads", store.partials()),
        ("signed indexes and notes", store.documents()),
        ("prepared kernels and programs", store.prepared()),
    ):
        if others:
            used = max(entry.used for entry in others)
            rows.append((f"({name}: {len(others)})", size_text(_size(others)), _moment(used)))
            total += others
    rows.append(("total", size_text(_size(total)), _files(len(total))))
    return table(rows)


def _as_json(store: Cache) -> dict[str, Any]:
    parts = {
        "files": store.entries(),
        "partials": store.partials(),
        "documents": store.documents(),
        "prepared": store.prepared(),
    }
    return {
        "directory": str(store.directory),
        **{name: [_entry_json(entry) for entry in entries] for name, entries in parts.items()},
        "size": sum(_size(entries) for entries in parts.values()),
    }


def _entry_json(entry: Entry) -> dict[str, Any]:
    known = {"name": entry.name, "sha256": entry.sha256}
    return {
        **{name: text for name, text in known.items() if text},
        "size": entry.size,
        "used": entry.used.isoformat(timespec="seconds"),
    }


def _size(entries: Iterable[Entry]) -> int:
    return sum(entry.size for entry in entries)


def _files(count: int) -> str:
    return "1 file" if count == 1 else f"{count} files"


def _moment(used: datetime.datetime) -> str:
    """Return a time as the clock on the user's wall has it."""
    return used.astimezone().strftime("%Y-%m-%d %H:%M")
