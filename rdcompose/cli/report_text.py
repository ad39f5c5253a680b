"""The report as tables of what there is most of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rdcompose.cli.terminal import size_text, table
from rdcompose.inspect.artifact import Kind
from rdcompose.inspect.contents import module_place
from rdcompose.inspect.findings import printable
from rdcompose.inspect.verify import check_lines

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rdcompose.inspect.overview import Group, Image, Other
    from rdcompose.inspect.weight import Part, Weight

# Of files and subsystems; the data for programs has all.
_SHOWN: Final = 12
# What has so many files that subsystems tell more.
_BY_GROUPS: Final = frozenset({Kind.DISK, Kind.PACKAGE})
_PLAIN: Final = "none"


def as_text(groups: Sequence[Group]) -> str:
    """Return the report as text."""
    blocks = [block for group in groups for block in _blocks(group)]
    return "\n".join(blocks)


def packing_text(weight: Weight) -> str:
    """Return how an image is packed, and to what it unpacks."""
    if weight.compression == _PLAIN:
        return "not compressed"
    return f"{weight.compression}, {size_text(weight.plain)} unpacked"


def _blocks(group: Group) -> Iterator[str]:
    """Yield what is said of images, other files and checks, each ending with its line."""
    for image in group.images:
        yield "\n".join(map(printable, _lines(image))) + "\n"
    if group.others:
        rows = [
            (printable(row.name), size_text(row.size), printable(_about(row)))
            for row in group.others
        ]
        yield table(rows) + "\n"
    failed = [check for check in group.checks if check.contradictions]
    if failed:
        yield (
            "What does not fit:\n\n"
            + "\n".join(map(printable, check_lines(failed, verbose=False)))
            + "\n"
        )


def _about(other: Other) -> str:
    what = other.kind.value
    return what if other.problem is None else f"{what}: {other.problem}"


def _lines(image: Image) -> Iterator[str]:
    weight = image.weight
    if weight is None:
        yield f"{image.name}: {size_text(image.size)}, {image.problem or 'not weighed'}"
        return
    yield f"{image.name}: {size_text(weight.size)}, {packing_text(weight)}"
    if image.problem is not None:
        yield f"not all of it could be read: {image.problem}"
    yield from (f"could not be read: {lost.path}: {lost.why}" for lost in weight.unread[:_SHOWN])
    yield from _largest(weight.kinds, weight)
    parts = weight.groups if image.kind in _BY_GROUPS else weight.parts
    yield from _largest(parts, weight)


def _largest(parts: Sequence[Part], weight: Weight) -> Iterator[str]:
    if not parts:
        return
    yield ""
    yield from _table(parts[:_SHOWN], weight.size)
    if rest := parts[_SHOWN:]:
        share = size_text(sum(part.share for part in rest))
        yield f"and {len(rest)} more, {share} together"


def _table(parts: Sequence[Part], whole: int) -> Iterator[str]:
    measured = any(part.saves is not None for part in parts)
    head = ("", "share", "", "unpacked", "files", *(("without it",) if measured else ()))
    rows = [
        (
            printable(_name(part)),
            size_text(part.share),
            f"{100 * part.share / max(1, whole):.0f} %",
            size_text(part.size),
            str(part.files),
            *((_less(part.saves),) if measured else ()),
        )
        for part in parts
    ]
    columns = list(zip(head, *rows, strict=True))
    widths = [max(map(len, column)) for column in columns]
    for name, *numbers in zip(*columns, strict=True):
        cells = [cell.rjust(width) for cell, width in zip(numbers, widths[1:], strict=True)]
        yield "  ".join([name.ljust(widths[0]), *cells]).rstrip()


def _name(part: Part) -> str:
    """Return a path without the module directory, which all modules have in common."""
    place = module_place(part.name, disk=False)
    return part.name if place is None else place[1]


def _less(saves: int | None) -> str:
    if saves is None:
        return ""
    return f"{size_text(saves)} less" if saves >= 0 else f"{size_text(-saves)} more"
