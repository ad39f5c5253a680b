"""What a person sees while a command runs: progress on a terminal, silence in a pipe.

Progress goes to standard error and only if that is a terminal; results go to standard
output. ``rich`` is imported only when a bar is drawn.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence

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
