"""What changed between two releases: builds that belong together, compared by their manifests."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final, NamedTuple

from rdcompose.inspect.compare.changes import changed, new_and_gone, pair
from rdcompose.kernel.release import flavour_of_release

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rdcompose.inspect.compare.changes import Changed
    from rdcompose.release.records import BuildRecord, FileRecord

_KERNEL: Final = "kernel"


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
    pairs = pair(now, before, _KEYS)
    differences = tuple(
        Difference(now=row, before=None) if index not in pairs else compared(row, pairs[index])
        for index, row in enumerate(now)
    )
    kept = {id(row) for row in pairs.values()}
    return differences, tuple(row for row in before if id(row) not in kept)


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


def compared(now: BuildRecord, before: BuildRecord) -> Difference:
    """Return what changed in a build since an earlier one."""
    whole = new_and_gone({*before.modules, *before.disk_modules}, {*now.modules, *now.disk_modules})
    # Without a disk it is not known what else the kernel has.
    known = bool(before.disk_modules) and bool(now.disk_modules)
    return Difference(
        now=now,
        before=before,
        versions=tuple(changed(_versions(before), _versions(now))),
        options=tuple(changed(before.lock.options, now.lock.options)),
        initramfs=new_and_gone(before.modules, now.modules),
        kernel=whole if known else ((), ()),
        sizes=tuple(_sizes(before, now)),
    )


def _versions(row: BuildRecord) -> dict[str, str]:
    """Return the versions of a build's packages: of the kernel with its release."""
    kernel = dict.fromkeys(item.version for item in row.lock.of_role(_KERNEL) if item.version)
    found = {_KERNEL: ", ".join((row.lock.release, *kernel))}
    for item in row.lock.inputs:
        if item.package and item.role != _KERNEL:
            found[item.package] = item.version
    return found


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
