"""Where the time of a boot went, from its console.

Two clocks are put together. The host notes when each line arrives; lines of the kernel's log
carry the kernel's own time. The console is opened late and then printed at once, so that the
host sees early lines late: the smallest difference between the two clocks is taken as
the moment at which the kernel started.
"""

from __future__ import annotations

import dataclasses
import itertools
import re
from typing import TYPE_CHECKING, Final
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rdcompose.qemu.console import Line

_RUN_INIT: Final = re.compile(r"^Run (/\S+) as init process")
_STEP: Final = re.compile(r"^rdcompose: (?:\[ *[\d.]+\] )?(.*)")
_CHECK: Final = "rdcompose-check: "
_HAND_OVER: Final = re.compile(r"^starting /")
# Pauses of the kernel that are shown: how many at most, and how long at least.
_PAUSES: Final = 5
_PAUSE: Final = 0.05


@dataclasses.dataclass(frozen=True, slots=True)
class Span:
    """A stretch of the boot, in seconds since QEMU was started.

    ``part`` is what it belongs to: ``qemu``, ``kernel``, ``init`` or ``root``. ``inner``
    ones lie inside the span before them.
    """

    part: str
    name: str
    start: float
    end: float
    inner: bool = False

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.end - self.start


def timeline(lines: Sequence[Line], end: float) -> tuple[Span, ...]:
    """Return the spans of a boot that took ``end`` seconds in all, in their order."""
    offsets = [line.arrived - line.stamp for line in lines if line.stamp is not None]
    if not offsets:
        return (Span("qemu", "QEMU, nothing was printed by a kernel", 0.0, end),)
    origin = max(min(offsets), 0.0)
    init_at = next((_moment(li, origin) for li in lines if _RUN_INIT.search(li.message)), None)
    steps = list(_init_steps(lines))
    kernel_end = init_at if init_at is not None else steps[0][0] if steps else end
    spans = [
        Span("qemu", "QEMU and firmware", 0.0, origin),
        Span("kernel", "kernel", origin, kernel_end),
        *_pauses(lines, origin, kernel_end),
    ]
    if init_at is None and not steps:
        return tuple(spans)
    marks = [(kernel_end, "init", "init begins"), *steps]
    ends = [moment for moment, _, _ in marks[1:]] + [end]
    spans += [
        Span(part, name, begin, max(begin, until))
        for (begin, part, name), until in zip(marks, ends, strict=True)
    ]
    return tuple(spans)


def _moment(line: Line, origin: float) -> float:
    return line.arrived if line.stamp is None else origin + line.stamp


def _init_steps(lines: Sequence[Line]) -> Iterator[tuple[float, str, str]]:
    """Yield when each step of init began, what it belongs to and what init called it."""
    for line in lines:
        if line.text.startswith(_CHECK):
            yield line.arrived, "root", "the root's init"
            return
        if found := _STEP.search(line.text):
            part = "root" if _HAND_OVER.search(found[1]) else "init"
            yield line.arrived, part, found[1]


def _pauses(lines: Sequence[Line], origin: float, end: float) -> Iterator[Span]:
    """Yield the longest pauses between two messages of the kernel, in the order of time."""
    told = [(origin + line.stamp, line.message) for line in lines if line.stamp is not None]
    told = [(moment, text) for moment, text in told if moment <= end]
    # A message tells of what was done before it or what begins: both neighbours matter,
    # but one fits on a line, and mostly it is the beginning.
    pauses = [
        Span("kernel", text, moment, later, inner=True)
        for (moment, text), (later, _) in itertools.pairwise(told)
        if later - moment >= _PAUSE
    ]
    longest = sorted(pauses, key=lambda span: -span.seconds)[:_PAUSES]
    yield from sorted(longest, key=lambda span: span.start)


def as_text(spans: Sequence[Span]) -> str:
    """Return the timeline as lines for a terminal: begin, length, what."""
    rows = [f"{'at':>8}  {'took':>7}"]
    rows += [
        f"{span.start:7.2f}s  {span.seconds:6.2f}s  {'  after: ' if span.inner else ''}{span.name}"
        for span in spans
    ]
    return "\n".join(rows)


_COLOURS: Final = {"qemu": "#999999", "kernel": "#4477aa", "init": "#cc7722", "root": "#448844"}
_WIDTH: Final = 960
_LEFT: Final = 20
_BAR: Final = 560
_ROW: Final = 22
_TOP: Final = 70
# Pixels that a character takes at most, on average.
_CHARACTER: Final = 7.0
_STEPS: Final = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0)


def as_svg(spans: Sequence[Span], title: str) -> str:
    """Return the timeline as a picture: a row for each span, time to the right."""
    end = max(max((span.end for span in spans), default=0.0), 0.001)
    height = _TOP + _ROW * len(spans) + 16
    size = f'width="{_WIDTH}" height="{height}" viewBox="0 0 {_WIDTH} {height}"'
    rows = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="12">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="{_LEFT}" y="24" font-size="16">{escape(title)}</text>',
    ]
    scale = _BAR / end
    rows += _grid(end, scale, height)
    for number, span in enumerate(spans):
        rows += _row(span, scale, _TOP + number * _ROW)
    rows.append("</svg>")
    return "\n".join(rows) + "\n"


def _grid(end: float, scale: float, height: int) -> Iterator[str]:
    step = next((size for size in _STEPS if end / size <= 10), _STEPS[-1])
    for number in range(int(end / step) + 1):
        x = _LEFT + number * step * scale
        yield f'<path d="M{x:.1f} 54V{height - 10}" stroke="#dddddd"/>'
        yield f'<text x="{x:.1f}" y="50" fill="#555555">{number * step:g} s</text>'


def _row(span: Span, scale: float, top: int) -> Iterator[str]:
    x, width = _LEFT + span.start * scale, max(span.seconds * scale, 1.0)
    inset = 4 if span.inner else 0
    opacity = ' fill-opacity="0.5"' if span.inner else ""
    name = ("after: " if span.inner else "") + span.name
    room = int((_WIDTH - x - width) / _CHARACTER)
    label = f"{span.seconds:.2f} s  {name}"
    label = escape(label if len(label) <= room else f"{label[: room - 1]}…")
    tip = escape(f"{name}: {span.start:.3f} s to {span.end:.3f} s")
    yield (
        f'<rect x="{x:.1f}" y="{top + inset}" width="{width:.1f}" height="{_ROW - 6 - 2 * inset}" '
        f'fill="{_COLOURS[span.part]}"{opacity}><title>{tip}</title></rect>'
    )
    yield f'<text x="{x + width + 6:.1f}" y="{top + 13}">{label}</text>'
