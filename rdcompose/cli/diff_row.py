"""A line of what ``rdcompose diff`` tells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from rdcompose.cli.terminal import size_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

# What so many have in common gets one line for all, which names as many of them.
MANY: Final = 4
_LISTED: Final = 12
# Rows of one sign in a section, where not all is asked for.
SHOWN: Final = 24


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


def listed(names: Sequence[str]) -> str:
    """Return the first names, and how many others there are."""
    more = len(names) - _LISTED
    return ", ".join(names[:_LISTED]) + (f" and {more} others" if more > 0 else "")


def together(rows: Iterable[Row], noun: str) -> Iterator[Row]:
    """Yield rows, of those that changed in the same way one for all; ``noun`` is what they are.

    Where something lies now is told of each, as long as that can be read.
    """
    alike: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        alike.setdefault((row.sign, row.remark), []).append(row)
    for (sign, remark), group in alike.items():
        if not remark or len(group) < (SHOWN + 1 if sign == ">" else MANY):
            yield from group
        else:
            names = listed([row.name for row in group])
            yield Row(sign, f"{len(group)} {noun}", f"{remark}: {names}")
