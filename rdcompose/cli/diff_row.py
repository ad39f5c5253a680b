"""A line of what ``rdcompose diff`` tells."""

from __future__ import annotations

from typing import NamedTuple

from rdcompose.cli.terminal import size_text


class Row(NamedTuple):
    """What it is about: ``+`` is new, ``-`` gone, ``~`` changed and ``>`` elsewhere."""

    sign: str
    name: str
    remark: str = ""


def sizes_text(before: int | None, now: int | None) -> str:
    """Return two sizes in bytes as people read them; ``None`` where there is none."""
    if before is None or now is None:
        known = now if before is None else before
        return f"{'new' if before is None else 'no more'}, {size_text(known or 0)}"
    if before == now:
        return f"still {size_text(now)}"
    step = now - before
    return (
        f"{size_text(before)} → {size_text(now)} ({'+' if step > 0 else '-'}{size_text(abs(step))})"
    )
