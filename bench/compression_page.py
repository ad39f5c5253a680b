"""Tables and charts of what ``bench/compression`` has measured."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from bench.cases import TOP
from bench.pages import BUSY
from bench.results import replace
from bench.svg import Axis, Series, plot

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

PAGE: Final = TOP / "docs" / "compression.md"
# Between these lines the page is written by the program.
_BEGIN: Final = "<!-- {}: made by bench/compression -->"
_END: Final = "<!-- end -->"
# The size of blocks of which the charts are, in KiB.
_BLOCK: Final = 512
# Less is not measured: it would stand below all charts.
_LEAST: Final = 0.001
# The share of a chart's width within which a label would hide the one of its neighbour.
_NEAR: Final = 0.015


class Figure(NamedTuple):
    """A compressor: processor seconds to pack and unpack, bytes; ``block`` is in KiB or 0."""

    name: str
    level: int | None
    block: int
    pack: float
    unpack: float
    size: int

    @property
    def label(self) -> str:
        """As users write it."""
        return self.name if self.level is None else f"{self.name}:{self.level}"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """All figures of a run; ``about`` names kernel and machine.

    ``others``: how many processors other programs kept busy meanwhile.
    """

    about: str
    others: float
    initramfs: tuple[Figure, ...]
    disk: tuple[Figure, ...]

    @classmethod
    def read(cls, text: str) -> Measured:
        """Read what was kept as JSON."""
        data: dict[str, Any] = json.loads(text)
        return cls(
            about=data["about"],
            others=data["others"],
            initramfs=tuple(Figure(*row) for row in data["initramfs"]),
            disk=tuple(Figure(*row) for row in data["disk"]),
        )


def write(measured: Measured, directory: Path, page: Path = PAGE) -> None:
    """Write charts into a directory, and the tables into the page."""
    for name, text in charts(measured).items():
        replace(directory / name, text)
    old = page.read_text(encoding="utf-8")
    parts = {
        "about": [_about(measured)],
        "initramfs": initramfs_table(measured.initramfs),
        "disk": disk_table(measured.disk),
    }
    for name, lines in parts.items():
        old = replaced(old, name, lines)
    replace(page, old)


def _about(measured: Measured) -> str:
    if measured.others <= BUSY:
        return f"{measured.about}."
    return (
        f"{measured.about}. **Trial figures: others kept {measured.others:.1f} processors busy "
        "meanwhile;** times are too long."
    )


def replaced(text: str, name: str, lines: Sequence[str]) -> str:
    """Return a page with new lines in the part of a name."""
    begin = _BEGIN.format(name)
    before, found, after = text.partition(begin + "\n")
    if not found or _END not in after:
        raise SystemExit(f"the page has no part between {begin} and {_END}")
    return "\n".join([before + begin, *lines, _END]) + after.partition(_END)[2]


def initramfs_table(figures: Sequence[Figure]) -> list[str]:
    """Return a row for each compressor."""
    return [
        "| initramfs | pack, s | unpack, s | bytes |",
        "|---|---|---|---|",
        *(f"| {row.label} | {row.pack:.2f} | {row.unpack:.3f} | {row.size} |" for row in figures),
    ]


def disk_table(figures: Sequence[Figure]) -> list[str]:
    """Return a row for each compressor, a column for each size of blocks."""
    blocks = sorted({figure.block for figure in figures})
    found = {(figure.label, figure.block): figure for figure in figures}
    labels = list(dict.fromkeys(figure.label for figure in figures))
    heads = " | ".join(f"{block} KiB" for block in blocks)
    rows = [f"| disk: pack s, unpack s, MB | {heads} |", f"|{'---|' * (len(blocks) + 1)}"]
    for label in labels:
        cells = (_cell(found.get((label, block))) for block in blocks)
        rows.append(f"| {label} | {' | '.join(cells)} |")
    return rows


def _cell(figure: Figure | None) -> str:
    if figure is None:
        return ""
    return f"{figure.pack:.2f}, {figure.unpack:.2f}, {figure.size / 1e6:.2f}"


def charts(measured: Measured) -> dict[str, str]:
    """Return the charts by the names of their files."""
    disk = [figure for figure in measured.disk if figure.block == _BLOCK]
    initramfs = [figure for figure in measured.initramfs if figure.name != "none"]
    return {
        f"{name}-{what}.svg": _chart(f"{title}: size and time to {what}", figures, what)
        for name, title, figures in (
            ("initramfs", "Initramfs", initramfs),
            ("disk", f"Modules disk, blocks of {_BLOCK} KiB", disk),
        )
        for what in ("pack", "unpack")
    }


def _chart(title: str, figures: Sequence[Figure], what: str) -> str:
    across = Axis(name="MB", zero=False)
    up = Axis(name=f"processor seconds to {what}", log=True)
    return plot(title, across, up, list(_series(figures, what)))


def _series(figures: Sequence[Figure], what: str) -> Iterator[Series]:
    sizes = [figure.size for figure in figures]
    near = (max(sizes) - min(sizes)) * _NEAR
    for name in dict.fromkeys(figure.name for figure in figures):
        points: list[tuple[float, float, str]] = []
        shown: list[tuple[int, float]] = []
        for figure in figures:
            if figure.name != name:
                continue
            seconds = max(getattr(figure, what), _LEAST)
            hidden = any(
                abs(size - figure.size) < near and 0.7 < at / seconds < 1.4 for size, at in shown
            )
            if not hidden:
                shown.append((figure.size, seconds))
            points.append((figure.size / 1e6, seconds, "" if hidden else str(figure.level)))
        yield Series(name=name, points=points)
