"""The page and the charts that come of results: results.md and SVG files beside it."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final

from bench import boot
from bench.commands import OURS
from bench.growth import charts as growth_charts
from bench.results import replace
from bench.svg import Axis, Bar, Series, bars, plot
from bench.targets import MB, file_size, table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from bench.results import Row, Section

# Sections in the order of the page: heading, and what is done there.
HEADINGS: Final = {
    "builds": (
        "Whole builds",
        (
            "Kernel, initramfs and modules disk from the `.deb`. Cold: with an empty cache of "
            "prepared kernels. Warm: the kernel was built from before."
        ),
    ),
    "initramfs": (
        "Initramfs alone",
        (
            "From the `.deb`: unpacking it and `depmod` are part of it where a builder needs them. "
            "All take the same modules."
        ),
    ),
    "relist": (
        "Another list on a kernel seen before",
        (
            "rdcompose has the kernel in its cache, and takes another profile; the others find it "
            "unpacked and with its indexes."
        ),
    ),
    "startup": ("Start-up", "Of the command, when there is nothing to do or something is wrong."),
    "presets": ("Presets", "Time against size."),
    "sizes": ("Sizes", "Of the same content. Disks hold what the initramfs does not."),
    "boot": (
        "Boot",
        (
            "Software-emulated QEMU, root on ext4; the last three load the drivers, check the root "
            "and switch to it by other inits. Seconds since QEMU was started."
        ),
    ),
    "growth": ("Growth", "Several builds in one call."),
}
# Others than ours and us that keep more processors busy than this spoil the figures.
BUSY: Final = 0.15
_BOOT_PARTS: Final = ("to “Run /init”", "init, until the root's init")


def write_pages(directory: Path, sections: Mapping[str, Section]) -> None:
    """Write the page and the charts into a directory."""
    pictures = {
        f"{name}.svg": text
        for section in sections.values()
        for name, text in charts(section).items()
    }
    for name, text in pictures.items():
        replace(directory / name, text)
    for path in directory.glob("*.svg"):
        if path.name not in pictures:
            path.unlink()
    replace(directory / "results.md", page(sections))


def page(sections: Mapping[str, Section]) -> str:
    """Return the page as Markdown."""
    lines = [
        "# Results",
        "",
        (
            "Made by `bench/run` from [results.json](results.json), which holds every run. "
            "[README.md](README.md) explains what is measured and how to read it."
        ),
        "",
        "## Targets",
        "",
        *table(sections),
    ]
    for name, (heading, about) in HEADINGS.items():
        if name in sections:
            lines += ["", f"## {heading}", "", about, "", *_section(sections[name])]
    return "\n".join(lines) + "\n"


def _section(section: Section) -> Iterator[str]:
    if section.others > BUSY and any(row.runs for row in section.rows):
        yield (
            f"**Trial figures: others kept {section.others:.1f} processors busy meanwhile.** Wall "
            "times are too long, and only processor time and sizes can be compared."
        )
        yield ""
    for name in charts(section):
        yield f"![{name}]({name}.svg)"
        yield ""
    yield from _booted(section.rows) if section.name == "boot" else _commands(section)
    yield ""
    yield "<details><summary>Machine, versions and commands</summary>"
    yield ""
    facts = {
        **section.machine,
        "busy with others": f"{section.others:.2f} processors",
        "took": f"{section.seconds:.0f} s",
    }
    yield "; ".join(f"{name}: {value}" for name, value in facts.items())
    yield ""
    for row in section.rows:
        if row.command:
            yield f"- {_label(row)}: `{row.command}`"
    yield ""
    yield "</details>"


def _label(row: Row) -> str:
    return ", ".join(word for word in (row.group, row.name) if word)


def _commands(section: Section) -> Iterator[str]:
    """Yield the table of a section of commands."""
    rows = section.rows
    sized = any(row.sizes for row in rows)
    timed = any(row.runs for row in rows)
    heads = [""]
    if timed:
        heads += ["wall s", "least to most", "processor s"]
    heads += ["peak MB", *(["initramfs MB", "disk MB"] if sized else [])]
    heads += ["runs"] if timed else []
    yield f"| {' | '.join(heads)} |"
    yield f"|{'---|' * len(heads)}"
    for group, found in itertools.groupby(_grouped(rows), key=lambda row: row.group):
        if group:
            yield f"| **{group}** |{' |' * (len(heads) - 1)}"
        for row in found:
            cells = _cells(row, timed=timed, sized=sized)
            yield f"| {' | '.join(cells)} |"


def _grouped(rows: Sequence[Row]) -> list[Row]:
    """Return rows with those of a group together, groups in the order of their first."""
    order = {group: number for number, group in enumerate(dict.fromkeys(r.group for r in rows))}
    return sorted(rows, key=lambda row: order[row.group])


def _cells(row: Row, *, timed: bool, sized: bool) -> list[str]:
    if row.error:
        first = row.error.splitlines()[0]
        return [f"{row.name}: not measured, {first.replace('|', '/')}"]
    cells = [f"{row.name}{f' ({row.note})' if row.note else ''}"]
    if timed:
        spread = row.spread("wall")
        cells += [_seconds(row.median("wall"))]
        cells += ["" if spread is None else f"{spread[0]:.3f} to {spread[1]:.3f}"]
        cells += [_seconds(row.median("cpu"))]
    cells.append(_megabytes(row.peak(), 0))
    if sized:
        cells += [_megabytes(file_size(row, kind), 2) for kind in ("initramfs", "modules")]
    return [*cells, str(len(row.runs))] if timed else cells


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _megabytes(value: int | None, digits: int) -> str:
    return "" if value is None else f"{value / MB:.{digits}f}"


def _booted(rows: Sequence[Row]) -> Iterator[str]:
    """Yield the table of boots."""
    heads = ("“Run /init”", "root's init", "between", "guest's clock", "initramfs MB", "runs")
    yield f"| | {' | '.join(heads)} | crashes |"
    yield "|---|---|---|---|---|---|---|---|"
    for group, found in itertools.groupby(_grouped(rows), key=lambda row: row.group):
        yield f"| **{group}** | | | | | | | |"
        for row in found:
            if row.error:
                first = row.error.splitlines()[0].replace("|", "/")
                yield f"| {row.name}: not measured, {first} | | | | | | | |"
                continue
            init, root = row.median("init"), row.median("root")
            between = None if init is None or root is None else root - init
            times = [_seconds(value) for value in (init, root, between, row.median("guest"))]
            size = _megabytes(file_size(row, "initramfs"), 2)
            ends = [size, str(len(row.runs)), f"{row.facts.get('crashes', 0):.0f}"]
            yield f"| {' | '.join([row.name, *times, *ends])} |"


def charts(section: Section) -> dict[str, str]:
    """Return the charts of a section by the names of their files, without suffix."""
    if section.name == "boot":
        return _boot_charts(section)
    if section.name == "growth":
        return growth_charts(section)
    if section.name == "sizes":
        return _size_charts(section)
    scale, unit = (1000, "ms") if section.name == "startup" else (1, "s")
    groups = []
    for group, found in itertools.groupby(_grouped(section.rows), key=lambda row: row.group):
        drawn = [_bar(row, scale, unit) for row in found if row.runs]
        groups.append((group, drawn))
    return {section.name: bars(f"{HEADINGS[section.name][0]}: wall time, {unit}", groups, [])}


def _bar(row: Row, scale: float, unit: str) -> Bar:
    wall = (row.median("wall") or 0.0) * scale
    text = f"{wall:.2f} {unit}" if scale == 1 else f"{wall:.0f} {unit}"
    peak = row.peak()
    if peak is not None and scale == 1:
        text += f", {peak / MB:.0f} MB"
    return Bar(row.name, [wall], text, colour=_colour(row))


def _colour(row: Row) -> int:
    """Return ours as first colour; commands of ours have no other name than their options."""
    others = ("MiniVM", "initramfs-tools", "dracut", "bare")
    return 1 if row.name.startswith(others) else 0


def _size_charts(section: Section) -> dict[str, str]:
    drawn = [
        Bar(row.name, [size / MB], f"{size / MB:.2f} MB")
        for row in section.rows
        if (size := file_size(row, "initramfs")) is not None
    ]
    return {"sizes": bars("Initramfs, MB", [("", drawn)], [])}


def _boot_charts(section: Section) -> dict[str, str]:
    groups = []
    for group, found in itertools.groupby(_grouped(section.rows), key=lambda row: row.group):
        drawn = []
        for row in found:
            init, root = row.median("init"), row.median("root")
            if init is None or root is None:
                continue
            label = f"{OURS}, {row.name}" if group != boot.PEERS else row.name
            text = f"{root:.2f} s, init {root - init:.2f} s"
            drawn.append(Bar(label, [init, root - init], text))
        groups.append((group, drawn))
    made = {"boot": bars("QEMU's start to the root's init, s", groups, _BOOT_PARTS)}
    points = sorted(
        (size / MB, root, row.name if row.group == boot.PACKED else "zstd, the default")
        for row in section.rows
        if row.group == boot.PACKED or (row.group, row.name) == (boot.OURS, boot.DEFAULT)
        if (root := row.median("root")) is not None
        if (size := file_size(row, "initramfs")) is not None
    )
    if points:
        series = [Series(name="--compress", points=points, joined=False)]
        across = Axis(name="size of the initramfs, MB", zero=False)
        up = Axis(name="QEMU's start to the root's init, s", zero=False)
        made["boot-compressors"] = plot("Compressors: size and time to boot", across, up, series)
    return made
