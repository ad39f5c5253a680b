"""Charts as SVG: bars, and points with or without lines.

Nothing but text is written, from numbers alone, so the same figures give the same bytes. Colours
follow the viewer's light or dark setting through a media query, and differ for those who do
not tell red from green; a program that knows no media queries shows the light ones.
"""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Final
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

WIDTH: Final = 820
# Series in order: light background, dark background.
_COLOURS: Final = (
    ("#0072b2", "#4aa8e0"),
    ("#d98c00", "#f0b03c"),
    ("#009e73", "#3cc79f"),
    ("#b8578f", "#e08fbe"),
    ("#767676", "#a6a6a6"),
)
_STYLE: Final = "\n".join(
    [
        "text{font:12px system-ui,sans-serif;fill:#1f2328}",
        ".t{font-size:15px;font-weight:600}.s{fill:#59636e}",
        ".p{fill:#ffffff}.g{stroke:#d1d9e0;fill:none}",
        *(f".f{n}{{fill:{day}}}.l{n}{{stroke:{day}}}" for n, (day, _) in enumerate(_COLOURS)),
        "@media (prefers-color-scheme: dark){",
        "text{fill:#e6edf3}.s{fill:#9198a1}.p{fill:#0d1117}.g{stroke:#3d444d}",
        *(f".f{n}{{fill:{night}}}.l{n}{{stroke:{night}}}" for n, (_, night) in enumerate(_COLOURS)),
        "}",
    ]
)
# Pixels that a character takes at most, on average.
_CHARACTER: Final = 6.6
_MARGIN: Final = 16
_ROW: Final = 24
_TICKS: Final = 6


@dataclasses.dataclass(frozen=True, slots=True)
class Bar:
    """A row: parts are laid end to end, each in the colour of its place in the legend."""

    label: str
    parts: Sequence[float]
    text: str
    colour: int = 0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Points ``(x, y, label)``, labels may be empty; ``joined`` by a line."""

    name: str
    points: Sequence[tuple[float, float, str]]
    joined: bool = True


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """What an axis shows; a logarithmic one needs values above zero. ``zero``: it begins there."""

    name: str
    log: bool = False
    zero: bool = True


def bars(title: str, groups: Sequence[tuple[str, Sequence[Bar]]], legend: Sequence[str]) -> str:
    """Return a chart of horizontal bars in named groups.

    With several words in ``legend`` the parts of a bar have the colours of these; else the bar
    has its own.
    """
    rows = [bar for _, group in groups for bar in group]
    left = _MARGIN + 10 + _CHARACTER * max((len(bar.label) for bar in rows), default=0)
    right = _MARGIN + 8 + _CHARACTER * max((len(bar.text) for bar in rows), default=0)
    largest = max((sum(bar.parts) for bar in rows), default=0.0) or 1.0
    scale = max(WIDTH - left - right, 100.0) / largest
    lines: list[str] = []
    top = 44.0
    if len(legend) > 1:
        lines += _legend(legend, top)
        top += 22
    for name, group in groups:
        if name:
            lines.append(f'<text class="s" x="{_MARGIN}" y="{top + 14:.1f}">{escape(name)}</text>')
            top += 22
        for bar in group:
            lines += _bar(bar, left, top, scale, own=len(legend) <= 1)
            top += _ROW
        top += 8
    return _document(title, top + 4, lines)


def _bar(bar: Bar, left: float, top: float, scale: float, *, own: bool) -> Iterator[str]:
    yield (
        f'<text x="{left - 8:.1f}" y="{top + 14:.1f}" text-anchor="end">{escape(bar.label)}</text>'
    )
    x = left
    for number, value in enumerate(bar.parts):
        width = max(value * scale, 0.0)
        colour = bar.colour if own else number
        yield (
            f'<rect class="f{colour % len(_COLOURS)}" x="{x:.1f}" y="{top + 3:.1f}" '
            f'width="{width:.1f}" height="{_ROW - 8}" rx="2"/>'
        )
        x += width
    yield f'<text class="s" x="{x + 6:.1f}" y="{top + 14:.1f}">{escape(bar.text)}</text>'


def _legend(names: Sequence[str], top: float) -> Iterator[str]:
    x = float(_MARGIN)
    for number, name in enumerate(names):
        yield (
            f'<rect class="f{number % len(_COLOURS)}" x="{x:.1f}" y="{top:.1f}" width="12" '
            f'height="12" rx="2"/>'
        )
        yield f'<text class="s" x="{x + 17:.1f}" y="{top + 10.5:.1f}">{escape(name)}</text>'
        x += 17 + 20 + _CHARACTER * len(name)


def plot(title: str, across: Axis, up: Axis, series: Sequence[Series]) -> str:
    """Return a chart of points over two axes."""
    height, left, top = 420.0, 76.0, 72.0
    right, bottom = WIDTH - 24.0, height - 52.0
    points = [point for line in series for point in line.points]
    x_scale = _Scale.over([x for x, _, _ in points], across, left, right)
    y_scale = _Scale.over([y for _, y, _ in points], up, bottom, top)
    lines = list(_legend([line.name for line in series], 42))
    for value in x_scale.ticks():
        x = x_scale.at(value)
        lines.append(f'<path class="g" d="M{x:.1f} {top:.1f}V{bottom:.1f}"/>')
        lines.append(
            f'<text class="s" x="{x:.1f}" y="{bottom + 18:.1f}" text-anchor="middle">'
            f"{_number(value)}</text>"
        )
    for value in y_scale.ticks():
        y = y_scale.at(value)
        lines.append(f'<path class="g" d="M{left:.1f} {y:.1f}H{right:.1f}"/>')
        lines.append(
            f'<text class="s" x="{left - 8:.1f}" y="{y + 4:.1f}" text-anchor="end">'
            f"{_number(value)}</text>"
        )
    lines.append(
        f'<text class="s" x="{(left + right) / 2:.1f}" y="{height - 12:.1f}" '
        f'text-anchor="middle">{escape(across.name)}</text>'
    )
    middle = (top + bottom) / 2
    lines.append(
        f'<text class="s" x="18" y="{middle:.1f}" text-anchor="middle" '
        f'transform="rotate(-90 18 {middle:.1f})">{escape(up.name)}</text>'
    )
    for number, line in enumerate(series):
        lines += _series(line, number % len(_COLOURS), x_scale, y_scale)
    return _document(title, height, lines)


def _series(line: Series, colour: int, across: _Scale, up: _Scale) -> Iterator[str]:
    places = [(across.at(x), up.at(y), label) for x, y, label in line.points]
    if line.joined and len(places) > 1:
        path = "L".join(f"{x:.1f} {y:.1f}" for x, y, _ in places)
        yield f'<path class="l{colour}" d="M{path}" fill="none" stroke-width="2"/>'
    for x, y, label in places:
        yield f'<circle class="f{colour}" cx="{x:.1f}" cy="{y:.1f}" r="4"/>'
        if label:
            # What would stick out on the right goes to the left of its point.
            out = x + 8 + _CHARACTER * len(label) > WIDTH
            place, anchor = (x - 8, ' text-anchor="end"') if out else (x + 8, "")
            yield f'<text x="{place:.1f}" y="{y - 6:.1f}"{anchor}>{escape(label)}</text>'


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Scale:
    """Values to pixels."""

    low: float
    high: float
    start: float
    end: float
    log: bool

    @classmethod
    def over(cls, values: Sequence[float], axis: Axis, start: float, end: float) -> _Scale:
        low, high = min(values, default=1.0), max(values, default=1.0)
        if axis.log:
            low, high = 10 ** math.floor(math.log10(low)), 10 ** math.ceil(math.log10(high))
            return cls(low=low, high=max(high, low * 10), start=start, end=end, log=True)
        low = min(low, 0.0) if axis.zero else low
        room = (high - low or abs(high) or 1.0) * 0.06
        low = low if axis.zero else low - room
        return cls(low=low, high=high + room, start=start, end=end, log=False)

    def at(self, value: float) -> float:
        if self.log:
            share = math.log10(value / self.low) / math.log10(self.high / self.low)
        else:
            share = (value - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)

    def ticks(self) -> list[float]:
        if self.log:
            decades = round(math.log10(self.high / self.low))
            return [self.low * 10**number for number in range(decades + 1)]
        step = _step((self.high - self.low) / _TICKS)
        first = math.ceil(self.low / step - 1e-9)
        return [number * step for number in range(first, math.floor(self.high / step + 1e-9) + 1)]


def _step(least: float) -> float:
    """Return the round number that is not below one: 1, 2 or 5 and zeros."""
    power: float = 10.0 ** math.floor(math.log10(least))
    return next(
        (size * power for size in (1.0, 2.0, 5.0) if size * power >= least * (1 - 1e-9)),
        10 * power,
    )


def _number(value: float) -> str:
    return f"{value:.10g}"


def _document(title: str, height: float, lines: Iterable[str]) -> str:
    size = f'width="{WIDTH}" height="{height:.0f}" viewBox="0 0 {WIDTH} {height:.0f}"'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">',
            f"<title>{escape(title)}</title>",
            f"<style>{_STYLE}</style>",
            f'<rect class="p" width="{WIDTH}" height="{height:.0f}"/>',
            f'<text class="t" x="{_MARGIN}" y="26">{escape(title)}</text>',
            *lines,
            "</svg>",
            "",
        ]
    )
