from __future__ import annotations

from xml.etree import ElementTree as ET

from rdcompose.qemu.console import Line
from rdcompose.qemu.timeline import Span, as_svg, as_text, timeline

# The console is opened late: what the kernel said at 0.0 and 0.5 arrives together.
LINES = (
    Line(0.2, "SeaBIOS"),
    Line(2.0, "[    0.000000] Linux version 6.1 (x)"),
    Line(2.0, "[    0.500000] Memory: <512M> & more"),
    Line(2.0, "[    1.000000] console enabled"),
    Line(2.5, "[    1.500000] Run /init as init process"),
    Line(2.6, "rdcompose: loading drivers for 6.1"),
    Line(3.1, "[    2.000000] virtio_blk virtio0"),
    Line(3.6, "rdcompose: starting /sbin/init"),
    Line(3.8, "rdcompose-check: process 1"),
)


def test_both_clocks_are_put_together() -> None:
    assert timeline(LINES, 4.0) == (
        Span("qemu", "QEMU and firmware", 0.0, 1.0),
        Span("kernel", "kernel", 1.0, 2.5),
        Span("kernel", "Linux version 6.1 (x)", 1.0, 1.5, inner=True),
        Span("kernel", "Memory: <512M> & more", 1.5, 2.0, inner=True),
        Span("kernel", "console enabled", 2.0, 2.5, inner=True),
        Span("init", "init begins", 2.5, 2.6),
        Span("init", "loading drivers for 6.1", 2.6, 3.6),
        Span("root", "starting /sbin/init", 3.6, 3.8),
        Span("root", "the root's init", 3.8, 4.0),
    )


def test_init_may_tell_times_of_its_own() -> None:
    lines = [*LINES[:5], Line(2.6, "rdcompose: [  1.62] loading drivers for 6.1")]
    assert timeline(lines, 3.0)[-1] == Span("init", "loading drivers for 6.1", 2.6, 3.0)


def test_kernel_that_never_reached_init() -> None:
    assert timeline(LINES[:3], 9.0) == (
        Span("qemu", "QEMU and firmware", 0.0, 1.5),
        Span("kernel", "kernel", 1.5, 9.0),
        Span("kernel", "Linux version 6.1 (x)", 1.5, 2.0, inner=True),
    )


def test_quiet_kernel() -> None:
    lines = (LINES[1], *LINES[5:])
    assert timeline(lines, 4.0)[1] == Span("kernel", "kernel", 1.1, 2.6)


def test_nothing_of_a_kernel() -> None:
    assert timeline(LINES[:1], 4.0) == (
        Span("qemu", "QEMU, nothing was printed by a kernel", 0.0, 4.0),
    )


def test_text() -> None:
    assert as_text(timeline(LINES, 4.0)[:3]).splitlines() == [
        "      at     took",
        "   0.00s    1.00s  QEMU and firmware",
        "   1.00s    1.50s  kernel",
        "   1.00s    0.50s    after: Linux version 6.1 (x)",
    ]


def test_picture_is_xml_with_a_bar_for_each_span() -> None:
    spans = timeline(LINES, 4.0)
    name = "{http://www.w3.org/2000/svg}"
    svg = ET.fromstring(as_svg(spans, "Boot of <6.1> & more"))
    assert svg.tag == f"{name}svg"
    bars = svg.findall(f"{name}rect")[1:]
    assert len(bars) == len(spans)
    # Widths are in proportion.
    widths = [float(bar.attrib["width"]) for bar in bars]
    assert round(widths[1] / widths[0], 2) == 1.5
    assert [bar.findtext(f"{name}title") for bar in bars][:2] == [
        "QEMU and firmware: 0.000 s to 1.000 s",
        "kernel: 1.000 s to 2.500 s",
    ]
    assert svg.findtext(f"{name}title") == "Boot of <6.1> & more"


def test_picture_of_nothing() -> None:
    assert as_svg((), "empty").endswith("</svg>\n")
