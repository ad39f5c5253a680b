"""What changed, in the forms that all comparisons share."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import (
        Callable,
        Collection,
        Hashable,
        Iterable,
        Iterator,
        Mapping,
        Sequence,
    )

    Row = TypeVar("Row")


class Changed(NamedTuple):
    """Something before and now; empty where it was not or is no more."""

    what: str
    before: str
    now: str


class Shifted(NamedTuple):
    """Something that there is any number of: what is new of it, and what is gone, sorted."""

    what: str
    new: tuple[str, ...]
    gone: tuple[str, ...]


def changed(before: Mapping[str, str], now: Mapping[str, str]) -> Iterator[Changed]:
    """Yield the values that are not the same, in the order that they have now."""
    for what in {**now, **before}:
        old, new = before.get(what, ""), now.get(what, "")
        if old != new:
            yield Changed(what, old, new)


def shifted(
    before: Mapping[str, Collection[str]], now: Mapping[str, Collection[str]]
) -> Iterator[Shifted]:
    """Yield the collections that are not the same."""
    for what in {**now, **before}:
        old, new = before.get(what, ()), now.get(what, ())
        if old != new:
            yield Shifted(what, *new_and_gone(old, new))


def new_and_gone(
    before: Iterable[str], now: Iterable[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the names that are new, and those that are gone."""
    old, new = set(before), set(now)
    return tuple(sorted(new - old)), tuple(sorted(old - new))


def pair(
    now: Sequence[Row], before: Sequence[Row], keys: Iterable[Callable[[Row], Hashable]]
) -> dict[int, Row]:
    """Return the earlier row that each belongs to, by its place; the first key is the best match.

    Rows belong together if they are the only ones on both sides that have a key.
    """
    found: dict[int, Row] = {}
    left = list(before)
    for key in keys:
        wanted = Counter(key(row) for index, row in enumerate(now) if index not in found)
        offered = Counter(key(row) for row in left)
        for index, row in enumerate(now):
            if index in found or (wanted[key(row)], offered[key(row)]) != (1, 1):
                continue
            found[index] = next(other for other in left if key(other) == key(row))
            left.remove(found[index])
    return found
