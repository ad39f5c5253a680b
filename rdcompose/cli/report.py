"""``rdcompose build --report``: where the bytes of what was written are."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rdcompose.cli.named_file import write_named
from rdcompose.cli.terminal import size_text
from rdcompose.formats.qcow2_reader import is_qcow2, open_qcow2
from rdcompose.inspect.contents import module_place
from rdcompose.inspect.weight import Weight, weigh_disk, weigh_initramfs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rdcompose.compose.plan import Plan
    from rdcompose.inspect.weight import Part

STANDARD_OUTPUT: Final = "-"
# Of files and subsystems; the data for programs has all.
_SHOWN: Final = 12
_START: Final = 512


def write_report(plans: Sequence[Plan], directory: Path, target: str, *, threads: int) -> None:
    """Take apart what was written to a directory, and tell it on standard output or in a file.

    :raises OutputError: the file cannot be written.
    """
    found = {plan.release: _weights(plan, directory, threads) for plan in plans}
    if target == STANDARD_OUTPUT:
        print(as_text(found), end="")
        return
    path = Path(target)
    text = as_json(found) if path.suffix == ".json" else as_text(found)
    write_named(path, text.encode())


def _weights(plan: Plan, directory: Path, threads: int) -> dict[str, Weight]:
    """Return the weights of a composition's files, by their names."""
    name = f"initramfs-{plan.release}"
    data = (directory / name).read_bytes()
    level = plan.compression.level
    found = {name: weigh_initramfs(data, level=level, threads=threads)}
    if plan.disk is not None:
        name = f"modules-{plan.release}.{plan.disk.format.value}"
        with (directory / name).open("rb") as source:
            start = source.read(_START)
            found[name] = weigh_disk(open_qcow2(source) if is_qcow2(start) else source)
    return found


def as_json(found: dict[str, dict[str, Weight]]) -> str:
    """Return all that was found as JSON: by release and file."""
    data: dict[str, Any] = {
        release: {name: dataclasses.asdict(weight) for name, weight in weights.items()}
        for release, weights in found.items()
    }
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"


def as_text(found: dict[str, dict[str, Weight]]) -> str:
    """Return tables of what there is most of."""
    weights = [row for files in found.values() for row in files.items()]
    return "\n".join(_text(name, weight) for name, weight in weights)


def _text(name: str, weight: Weight) -> str:
    title = (
        f"{name}: {size_text(weight.size)}, {weight.compression}, "
        f"{size_text(weight.plain)} unpacked"
    )
    shown = weight.parts[:_SHOWN]
    rest = weight.parts[_SHOWN:]
    lines = [title, "", _table(weight.kinds, weight.size), "", _table(shown, weight.size)]
    if rest:
        share = size_text(sum(part.share for part in rest))
        lines.append(f"and {len(rest)} more, {share} together")
    return "\n".join(lines) + "\n"


def _table(parts: Sequence[Part], whole: int) -> str:
    measured = any(part.saves is not None for part in parts)
    head = ("", "share", "", "unpacked", "files", *(("without it",) if measured else ()))
    rows = [
        (
            _name(part),
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
    lines = []
    for name, *numbers in zip(*columns, strict=True):
        cells = [cell.rjust(width) for cell, width in zip(numbers, widths[1:], strict=True)]
        lines.append("  ".join([name.ljust(widths[0]), *cells]).rstrip())
    return "\n".join(lines)


def _name(part: Part) -> str:
    """Return a path without the module directory, which all modules have in common."""
    place = module_place(part.name, disk=False)
    return part.name if place is None else place[1]


def _less(saves: int | None) -> str:
    if saves is None:
        return ""
    return f"{size_text(saves)} less" if saves >= 0 else f"{size_text(-saves)} more"
