"""The sections of the page: checks, files, and what there is to know of each image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rdcompose.cli.page.chart import TONES, draw
from rdcompose.cli.page.markup import put
from rdcompose.cli.page.tables import Number, Path, Share, Size, Toned, add_table
from rdcompose.cli.report_text import packing_text
from rdcompose.cli.terminal import size_text
from rdcompose.inspect.findings import Severity, count

if TYPE_CHECKING:
    from collections.abc import Sequence
    from xml.etree.ElementTree import Element

    from rdcompose.cli.page.tables import Cell
    from rdcompose.inspect.findings import Check
    from rdcompose.inspect.moduleview import ModuleView
    from rdcompose.inspect.overview import Image, Other
    from rdcompose.inspect.placing import Damage
    from rdcompose.inspect.weight import Part, Weight

_CHECK_HEADS: Final = ("Check", "Result", "What was found")
_MODULE_HEADS: Final = (
    *("Module", "Stored", "Unpacked", "What it is", "Why it is there"),
    *("Needs", "Needed by", "Version", "Path"),
)
# Of all files, modules among them, the largest are listed.
_FILES: Final = 200
# Tables of more rows are folded up.
_OPEN: Final = 300
# Of what needs a module; crc32c is needed by dozens.
_NAMES: Final = 8


def add_checks(parent: Element, checks: Sequence[Check]) -> None:
    """Add what ``rdcompose verify`` finds."""
    rows: list[tuple[Cell, ...]] = []
    for check in checks:
        if not check.done and not check.findings:
            continue
        if not check.contradictions and check.summary:
            rows.append((check.name, Toned("passed", "good"), Path(check.summary)))
        for finding in check.findings:
            failed = finding.severity is Severity.CONTRADICTION
            mark = Toned("failed", "bad") if failed else Toned("remark", "note")
            rows.append((check.name, mark, Path(finding.message)))
    broken = sum(bool(check.contradictions) for check in checks)
    if not broken:
        details = put(parent, "details")
        put(details, "summary", "All checks passed", class_="good")
        add_table(details, "What was checked", _CHECK_HEADS, rows)
        return
    put(parent, "p", f"{count(broken, 'check')} failed.", class_="bad")
    add_table(parent, "What was checked", _CHECK_HEADS, rows)


def add_others(parent: Element, others: Sequence[Other]) -> None:
    """Add the files that nothing lies in."""
    put(parent, "h3", "Other files")
    rows = [
        (Path(other.name), other.kind.value, Size(other.size), Path(other.problem or ""))
        for other in others
    ]
    heads = ("File", "What it is", "Size", "Problem")
    add_table(parent, "Files without files in them", heads, rows)


def add_image(parent: Element, image: Image) -> None:
    """Add all that is known of an image."""
    put(parent, "h3", image.name)
    put(parent, "p", _sentence(image))
    if image.problem is not None:
        put(parent, "p", f"Not all of it could be read: {image.problem}", class_="bad")
    weight = image.weight
    if weight is not None:
        _add_charts(parent, weight, image.name)
        _add_kinds(parent, weight)
        _add_unread(parent, weight.unread)
    if image.pieces:
        _add_pieces(parent, image)
    if image.modules:
        _add_modules(parent, image)
    if image.programs:
        _add_programs(parent, image)
    if weight is not None:
        _add_groups(parent, weight)
        _add_files(parent, weight)


def _sentence(image: Image) -> str:
    """Return what an image is, in a sentence."""
    kind = image.kind.value
    said = [kind if image.release is None else f"{kind} of {image.release}", size_text(image.size)]
    if (weight := image.weight) is not None:
        said.append(packing_text(weight))
    text = ", ".join(said)
    return f"{text[0].upper()}{text[1:]}."


def _add_charts(parent: Element, weight: Weight, name: str) -> None:
    figure = put(parent, "figure")
    put(figure, "figcaption", "What the files take of it as it is stored")
    draw(figure, weight, f"Treemap of {name}: shares of its size as stored", unpacked=False)
    details = put(parent, "details")
    put(details, "summary", "The same by what the files take unpacked")
    draw(details, weight, f"Treemap of {name}: sizes unpacked", unpacked=True)


def _add_kinds(parent: Element, weight: Weight) -> None:
    _add_parts(parent, "What the bytes are for", "Kind", weight.kinds, weight)


def _add_parts(
    parent: Element, caption: str, head: str, parts: Sequence[Part], weight: Weight
) -> None:
    heads = (head, "Stored", "Share", "Unpacked", "Files", "Saved without")
    rows = [
        (
            Toned(part.name, TONES[part.kind]),
            Size(part.share),
            Share(part.share, weight.size),
            Size(part.size),
            Number(part.files),
            Size(part.saves),
        )
        for part in parts
    ]
    add_table(parent, caption, heads, rows)


def _add_pieces(parent: Element, image: Image) -> None:
    heads = ("Part", "Compressor", "Offset", "Stored", "Unpacked", "Entries", "Not for the kernel")
    rows = [
        (
            piece.label,
            piece.compression,
            Number(piece.offset),
            Size(piece.size),
            Size(piece.unpacked),
            Number(piece.entries),
            Path(piece.refused or ""),
        )
        for piece in image.pieces
    ]
    add_table(parent, "Parts and segments", heads, rows)


def _add_modules(parent: Element, image: Image) -> None:
    modules = image.modules
    put(parent, "h4", count(len(modules), "module"))
    place = parent
    if len(modules) > _OPEN:
        place = put(parent, "details")
        put(place, "summary", "Show all modules")
    rows = [_module(module) for module in modules]
    add_table(place, f"Modules in {image.name}", _MODULE_HEADS, rows)


def _module(module: ModuleView) -> tuple[Cell, ...]:
    return (
        module.name,
        Size(module.share),
        Size(module.size),
        Path(module.description),
        Path(module.why),
        Path(_names(module.needs)),
        Path(_names(module.needed_by)),
        Path(module.version),
        Path(module.path),
    )


def _names(names: Sequence[str]) -> str:
    more = len(names) - _NAMES
    return ", ".join(names[:_NAMES]) + (f" and {more} more" if more > 0 else "")


def _add_programs(parent: Element, image: Image) -> None:
    rows = [
        (
            Path(program.path),
            program.version,
            program.elf,
            Path(", ".join(program.needs) or "nothing: it is static"),
            Path(program.sha256),
        )
        for program in image.programs
    ]
    put(parent, "h4", count(len(rows), "program"))
    heads = ("Program", "Version", "For", "Needs", "SHA-256")
    add_table(parent, f"Programs and libraries in {image.name}", heads, rows)


def _add_groups(parent: Element, weight: Weight) -> None:
    groups = [part for part in weight.groups if part.group]
    if not groups:
        return
    details = put(parent, "details")
    put(details, "summary", "Subsystems of the kernel, and directories of firmware")
    _add_parts(details, "Subsystems and firmware", "Group", groups, weight)


def _add_files(parent: Element, weight: Weight) -> None:
    files = weight.parts[:_FILES]
    if not files:
        return
    details = put(parent, "details")
    put(details, "summary", "The largest files")
    _add_parts(details, "The largest files", "File", files, weight)


def _add_unread(parent: Element, unread: Sequence[Damage]) -> None:
    if unread:
        rows = [(Path(damage.path), Path(damage.why)) for damage in unread]
        add_table(parent, "Files that could not be read", ("File", "Why"), rows)
