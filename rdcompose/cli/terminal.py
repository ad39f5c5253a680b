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
    from rich.progress import Progress, ProgressColumn, TaskID

Advance = Callable[[int, int], None]
Say = Callable[[str], None]


def warn(message: str) -> None:
    """Show a line on standard error."""
    print(message, file=sys.stderr)


@contextlib.contextmanager
def progress(title: str, *, shown: bool) -> Iterator[Advance]:
    """Show a bar while the body runs; it is advanced with (bytes done, bytes in all).

    Without a call to advance it shows that something is going on.
    """
    if not (shown and sys.stderr.isatty()):
        yield lambda _done, _total: None
        return
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn

    title_column = TextColumn("{task.description}", markup=False)
    bars = _bars(title_column, BarColumn(), TimeElapsedColumn())
    task = bars.add_task(title, total=None)
    try:
        _uninterrupted(bars.start)
        yield lambda done, total: bars.update(task, completed=done, total=total)
    finally:
        _uninterrupted(bars.stop)


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

    Each that is under way has a line with its size, rate and time left. Nothing is drawn
    before the first one is, nor after the body.
    """
    if not (shown and sys.stderr.isatty()):
        yield lambda _name: lambda _done, _total: None
        return
    board = _Transfers()
    try:
        yield board.watch
    finally:
        _uninterrupted(board.close)


class _Transfers:
    """Lines of downloads; used from several threads, some of which outlive it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._bars: Progress | None = None
        self._closed = False

    def watch(self, name: str) -> Advance:
        task: TaskID | None = None

        def advance(done: int, total: int) -> None:
            nonlocal task
            with self._lock:
                if self._closed:
                    return
                if done < total:
                    task = self._show(task, name, done, total)
                elif task is not None and self._bars is not None:
                    self._bars.remove_task(task)
                    task = None

        return advance

    def _show(self, task: TaskID | None, name: str, done: int, total: int) -> TaskID:
        if self._bars is None:
            self._bars = _download_bars()
            _uninterrupted(self._bars.start)
        if task is None:
            # What an earlier run left is no part of the rate.
            return self._bars.add_task(name, total=total, completed=done)
        self._bars.update(task, completed=done, total=total)
        return task

    def close(self) -> None:
        with self._lock:
            self._closed = True
            if self._bars is not None:
                self._bars.stop()


def _download_bars() -> Progress:
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )
    from rich.table import Column

    def numbers() -> Column:
        return Column(no_wrap=True, justify="right")

    # Numbers are shown in full; name and bar share what they leave of the width.
    name = Column(no_wrap=True, overflow="ellipsis", ratio=2)
    return _bars(
        TextColumn("{task.description}", markup=False, table_column=name),
        BarColumn(bar_width=None, table_column=Column(ratio=1)),
        DownloadColumn(table_column=numbers()),
        TransferSpeedColumn(table_column=numbers()),
        TimeRemainingColumn(table_column=numbers()),
        expand=True,
    )


def _bars(*columns: ProgressColumn, expand: bool = False) -> Progress:
    from rich.console import Console
    from rich.progress import Progress

    # What is printed meanwhile to standard error comes above the bars; standard output is not
    # the terminal's business.
    return Progress(
        *columns,
        console=Console(stderr=True),
        transient=True,
        redirect_stdout=False,
        expand=expand,
    )


def _uninterrupted(action: Callable[[], None]) -> None:
    """Run something to its end, and only then let an interrupt through.

    Cut short, starting or stopping a display leaves the terminal without a cursor. Interrupts
    reach the main thread only.
    """
    done = threading.Event()

    def act() -> None:
        try:
            action()
        finally:
            done.set()

    try:
        threading.Thread(target=act).start()
        done.wait()
    except KeyboardInterrupt:
        # Not Thread.join: it takes a thread for ended once it was interrupted itself.
        done.wait()
        raise
