"""What a person sees while a command runs: progress on a terminal, silence in a pipe.

Progress goes to standard error and only if that is a terminal; results go to standard
output. ``rich`` is imported only when a bar is drawn.
"""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

Advance = Callable[[int, int], None]


@contextlib.contextmanager
def progress(title: str, *, shown: bool) -> Iterator[Advance]:
    """Show a bar while the body runs; it is advanced with (bytes done, bytes in all).

    Without a call to advance it shows that something is going on.
    """
    if not (shown and sys.stderr.isatty()):
        yield lambda _done, _total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def size_text(size: int) -> str:
    """Return a size as people write it: ``14.2 MB``, with 1 MB = 1 000 000 bytes."""
    if size < 1000:
        return f"{size} B"
    scaled, unit = (size / 1e3, "kB") if size < 999_500 else (size / 1e6, "MB")
    return f"{scaled:.1f} {unit}" if scaled < 100 else f"{scaled:.0f} {unit}"


def table(rows: Sequence[Sequence[str]]) -> str:
    """Return rows as aligned columns; the second is aligned to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [
            cell.rjust(width) if column == 1 else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


@contextlib.contextmanager
def transfers(*, shown: bool) -> Iterator[Callable[[str], Advance]]:
    """Show downloads while the body runs: asked with a file's name, returns what advances it.

    Each has a line of its own with size, rate and time left. Nothing is drawn before the
    first byte arrives.
    """
    if not (shown and sys.stderr.isatty()):
        yield lambda _name: lambda _done, _total: None
        return
    board = _Transfers()
    try:
        yield board.watch
    finally:
        board.close()


class _Transfers:
    """Bars that appear with the first download; used from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._progress: Progress | None = None

    def watch(self, name: str) -> Advance:
        task: TaskID | None = None

        def advance(done: int, total: int) -> None:
            nonlocal task
            with self._lock:
                if self._progress is None:
                    self._progress = _download_bars()
                    self._progress.start()
                if task is None:
                    # What an earlier run left is no part of the rate.
                    task = self._progress.add_task(name, total=total, completed=done)
            self._progress.update(task, completed=done, total=total)

        return advance

    def close(self) -> None:
        if self._progress is not None:
            self._progress.stop()


def _download_bars() -> Progress:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
