"""What changed between two releases: builds that belong together, compared by their manifests."""

from __future__ import annotations

import dataclasses
from collections import Counter
from typing import TYPE_CHECKING, Final, NamedTuple

from rdcompose.kernel.release import flavour_of_release

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from rdcompose.release.records import BuildRecord, FileRecord

_KERNEL: Final = "kernel"


class Changed(NamedTuple):
    """Something before and now; empty where it was not or is no more."""

    what: str
    before: str
    now: str


class Resized(NamedTuple):
    """A file that is another, and its sizes in bytes; ``None`` where it was not or is no more."""

    name: str
    before: int | None
    now: int | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What changed in a build since ``before``; without one it is new.

    ``initramfs`` and ``kernel`` are the names of modules that are new and that are gone: in the
    initramfs, and altogether, which is known only where both builds have a disk.
    """

    now: BuildRecord
    before: BuildRecord | None
    versions: tuple[Changed, ...] = ()
    options: tuple[Changed, ...] = ()
    initramfs: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())
    kernel: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())
    sizes: tuple[Resized, ...] = ()


def compare(
    now: Sequence[BuildRecord], before: Sequence[BuildRecord]
) -> tuple[tuple[Difference, ...], tuple[BuildRecord, ...]]:
    """Compare two releases; returns a difference for each build, and the builds that are gone."""
    pairs = _pairs(now, before)
    differences = tuple(
        Difference(now=row, before=None) if index not in pairs else _compared(row, pairs[index])
        for index, row in enumerate(now)
    )
    kept = {id(row) for row in pairs.values()}
    return differences, tuple(row for row in before if id(row) not in kept)


def _pairs(now: Sequence[BuildRecord], before: Sequence[BuildRecord]) -> dict[int, BuildRecord]:
    """Return the earlier build that each belongs to, by its place; the best match first."""
    found: dict[int, BuildRecord] = {}
    left = list(before)
    for key in _KEYS:
        wanted = Counter(key(row) for index, row in enumerate(now) if index not in found)
        offered = Counter(key(row) for row in left)
        for index, row in enumerate(now):
            if index in found or (wanted[key(row)], offered[key(row)]) != (1, 1):
                continue
            found[index] = next(other for other in left if key(other) == key(row))
            left.remove(found[index])
    return found


def _label(row: BuildRecord) -> str:
    return row.name.removeprefix(row.lock.release)


def _place(row: BuildRecord) -> tuple[str, str]:
    return row.lock.architecture, flavour_of_release(row.lock.release) or ""


_KEYS: Final[Sequence[Callable[[BuildRecord], tuple[str, ...]]]] = (
    lambda row: (*_place(row), row.profile, _label(row)),
    lambda row: (*_place(row), row.profile),
    _place,
    lambda row: (row.lock.architecture, row.profile),
    lambda row: (row.lock.architecture,),
)


def _compared(now: BuildRecord, before: BuildRecord) -> Difference:
    whole = _new_and_gone(
        {*before.modules, *before.disk_modules}, {*now.modules, *now.disk_modules}
    )
    # Without a disk it is not known what else the kernel has.
    known = bool(before.disk_modules) and bool(now.disk_modules)
    return Difference(
        now=now,
        before=before,
        versions=tuple(_changed(_versions(before), _versions(now))),
        options=tuple(_changed(before.lock.options, now.lock.options)),
        initramfs=_new_and_gone(before.modules, now.modules),
        kernel=whole if known else ((), ()),
        sizes=tuple(_sizes(before, now)),
    )


def _changed(before: dict[str, str], now: dict[str, str]) -> Iterator[Changed]:
    for what in {**now, **before}:
        old, new = before.get(what, ""), now.get(what, "")
        if old != new:
            yield Changed(what, old, new)


def _versions(row: BuildRecord) -> dict[str, str]:
    """Return the versions of a build's packages: of the kernel with its release."""
    kernel = dict.fromkeys(item.version for item in row.lock.of_role(_KERNEL) if item.version)
    found = {_KERNEL: ", ".join((row.lock.release, *kernel))}
    for item in row.lock.inputs:
        if item.package and item.role != _KERNEL:
            found[item.package] = item.version
    return found


def _new_and_gone(
    before: Iterable[str], now: Iterable[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the names that are new, and those that are gone."""
    old, new = set(before), set(now)
    return tuple(sorted(new - old)), tuple(sorted(old - new))


def _sizes(before: BuildRecord, now: BuildRecord) -> Iterator[Resized]:
    """Yield the sizes of files that are not the same, also where both have the same size."""
    old, new = _by_kind(before), _by_kind(now)
    for kind in sorted({**old, **new}):
        was, is_now = old.get(kind), new.get(kind)
        if was is None or is_now is None or was.sha256 != is_now.sha256:
            yield Resized(kind, _size(was), _size(is_now))


def _size(file: FileRecord | None) -> int | None:
    return None if file is None else file.size


def _by_kind(row: BuildRecord) -> dict[str, FileRecord]:
    """Return the files of a build by their names without the kernel release."""
    release = row.lock.release
    return {
        file.name.replace(f"-{release}", "", 1).replace(release, "", 1).lstrip("."): file
        for file in row.outputs
    }
