"""What ``rdcompose diff`` tells, for text and Markdown alike: sections, and rows in them."""

from __future__ import annotations

import dataclasses
from collections import Counter
from itertools import zip_longest
from typing import TYPE_CHECKING, Final

from rdcompose.cli.diff_files import file_rows
from rdcompose.cli.diff_modules import module_rows, modules_title
from rdcompose.cli.diff_row import Row, sizes_text
from rdcompose.cli.terminal import size_text
from rdcompose.inspect.artifact import Kind
from rdcompose.inspect.compare.changes import Changed
from rdcompose.inspect.findings import count
from rdcompose.kernel.release import package_version_of_banner

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from rdcompose.inspect.compare.facts import FileFacts
    from rdcompose.inspect.compare.results import FileDifference, GroupDifference
    from rdcompose.inspect.walks import Part
    from rdcompose.release.changes import Difference

# What a name of a section begins with.
_SECTION: Final = "."


@dataclasses.dataclass(frozen=True, slots=True)
class Section:
    """Rows on one subject; ``key`` is what ``--only`` calls it."""

    key: str
    title: str
    rows: tuple[Row, ...]


def sections(
    group: GroupDifference, manifests: Difference | None, only: Iterable[str], *, whole: bool
) -> Iterator[Section]:
    """Yield the sections of a group that have something to tell.

    ``whole``: with a row for each module.
    """
    wanted = {*only}
    for section in _sections(group, manifests, whole=whole):
        if section.rows and (not wanted or section.key in wanted):
            yield section


def _sections(
    group: GroupDifference, manifests: Difference | None, *, whole: bool
) -> Iterator[Section]:
    yield Section("sizes", "sizes", tuple(_size_rows(group)))
    if manifests is not None:
        yield Section("packages", "packages", tuple(_changed_rows(manifests.versions)))
        yield Section("packages", "options of the build", tuple(_changed_rows(manifests.options)))
        if not group.files:
            yield from _by_manifests(manifests)
    rows = module_rows(group.modules, whole=whole, places=len(group.files) > 1)
    yield Section("modules", modules_title(group.modules), tuple(rows))
    kinds = Counter(file.facts.kind for file in group.files)
    for file in group.files:
        name = _name(file, several=kinds[file.facts.kind] > 1)
        yield Section("files", f"files in {name}", tuple(file_rows(file.entries, whole=whole)))
    title = f"configuration: {count(len(group.options), 'option')}"
    yield Section("config", title, tuple(_changed_rows(group.options)))
    yield Section("programs", "programs", tuple(_changed_rows(group.programs)))


def _name(file: FileDifference, *, several: bool) -> str:
    kind = file.facts.kind
    if kind is not Kind.UNKNOWN and not several:
        return str(kind.value)
    names = [side.name for side in (file.before, file.now) if side is not None]
    return " → ".join(dict.fromkeys(names))


def _by_manifests(difference: Difference) -> Iterator[Section]:
    """Yield what manifests tell where there are no files to look into."""
    for (new, gone), where in (
        (difference.initramfs, "initramfs"),
        (difference.kernel, "kernel"),
    ):
        rows = [*(Row("+", name) for name in new), *(Row("-", name) for name in gone)]
        yield Section("modules", f"modules in the {where}", tuple(rows))
    rows = [Row("~", row.name, sizes_text(row.before, row.now)) for row in difference.sizes]
    yield Section("sizes", "sizes", tuple(rows))


def _changed_rows(changes: Iterable[Changed]) -> Iterator[Row]:
    for row in changes:
        if not row.before:
            yield Row("+", row.what, row.now)
        elif not row.now:
            yield Row("-", row.what, row.before)
        else:
            yield Row("~", row.what, f"{row.before} → {row.now}")


def _size_rows(group: GroupDifference) -> Iterator[Row]:
    before, now = group.releases
    if before != now and (before or now):
        yield Row("~", "release", f"{', '.join(before) or '?'} → {', '.join(now) or '?'}")
    numbers = Counter(file.facts.kind for file in group.files)
    for file in group.files:
        name = _name(file, several=numbers[file.facts.kind] > 1)
        if file.before is None or file.now is None:
            sign = "+" if file.before is None else "-"
            yield Row(sign, name, size_text(file.facts.size))
        elif file.packed_differently or file.before.kind is not file.now.kind:
            yield from _of_file(file, file.before, file.now, name)


def _of_file(file: FileDifference, before: FileFacts, now: FileFacts, name: str) -> Iterator[Row]:
    if before.kind is not now.kind:
        name = f"{before.kind.value} → {now.kind.value}"
    said = [sizes_text(before.size, now.size)] if before.sha256 and now.sha256 else []
    if before.unpacked is not None and now.unpacked is not None:
        said.append(f"unpacked {sizes_text(before.unpacked, now.unpacked)}")
    yield Row("~", name, "; ".join(said))
    for old, new in _pairs(before.parts, now.parts):
        if (part := _of_part(old, new)) is not None:
            yield part
    for row in map(_shortened, file.texts):
        yield Row("~", f"  {row.what}", f"{row.before or 'none'} → {row.now or 'none'}")
    if (symbols := file.symbols) is not None:
        numbers = {"new": symbols.new, "gone": symbols.gone, "changed": symbols.changed}
        told = ", ".join(f"{number} {what}" for what, number in numbers.items() if number)
        yield Row("~", "  symbols for modules", told)


def _shortened(row: Changed) -> Changed:
    """Return the package's version instead of the line that ends with it."""
    before, now = map(package_version_of_banner, (row.before, row.now))
    told = before is not None and now is not None and before != now
    return Changed("package", before or "", now or "") if told else row


def _pairs(
    before: Sequence[Part], now: Sequence[Part]
) -> Iterator[tuple[Part | None, Part | None]]:
    """Yield the parts that belong together: sections by name, segments from the last one on.

    What some put in front of an initramfs, microcode, is no reason to compare all others with
    their neighbours.
    """
    if any(part.label.startswith(_SECTION) for part in (*before, *now)):
        old, new = ({part.label: part for part in parts} for parts in (before, now))
        yield from ((old.get(label), new.get(label)) for label in {**new, **old})
    else:
        pairs = [*zip_longest(reversed(before), reversed(now))]
        yield from reversed(pairs)


def _of_part(before: Part | None, now: Part | None) -> Row | None:
    """Tell of a part that is new, gone, or packed with something else."""
    if before is None or now is None:
        part = now or before
        assert part is not None
        return Row("+" if before is None else "-", f"  {part.label}", part.compression)
    if before.compression == now.compression:
        return None
    return Row("~", f"  {now.label}", f"{before.compression} → {now.compression}")
