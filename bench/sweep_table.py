"""The page of the documentation on what bench/sweep found: from its file to Markdown.

bench/sweep --table prints it.
"""

from __future__ import annotations

import statistics
from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Row = dict[str, Any]

# In place of a figure that there is none of.
NONE: Final = "-"
HEAD: Final = """\
# Kernels that were tried

`bench/sweep` takes every kernel package that the mirror offers (`rdcompose kernels --all`, for
every architecture), builds it with the profile `{profile}`, has `rdcompose verify` read back what
was written, and boots it with `rdcompose boot --check` on the machine that QEMU has for it: to a
root filesystem, with the modules disk mounted there and a module loaded from it. This page is what
came out, made by `bench/sweep --table`.

{when}: {kernels} kernels were offered, {built} of them composed, {verified} were read
back by `verify`, {tried} were booted and {booted} of these came up. By default a sweep does all
that with every kernel; `--boot newest` boots only the newest of each flavour and suite.

Times are medians, of processor and wall time of `rdcompose build`, on a machine with two
processors that did other work at the same time. Package, initramfs and disk are sizes. A Raspberry
Pi has its disks on USB in QEMU: what is booted there is a second composition, with the profile
`generic`. Suites that the mirror offers no usable index of are not in the table:
`rdcompose kernels --all -v` names them.
"""


def page(rows: list[Row]) -> str:
    """Return the whole page."""
    dates = sorted({row["date"] for row in rows})
    parts = [
        HEAD.format(
            profile=" and ".join(sorted({row["profile"] for row in rows})),
            when=dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}",
            kernels=len(rows),
            built=sum(not row["error"] for row in rows),
            verified=sum(bool(row.get("verified")) for row in rows),
            tried=sum("boot" in row for row in rows),
            booted=sum(row.get("boot", {}).get("passed", False) for row in rows),
        ),
        "\n## By architecture\n",
        table(
            ("architecture", "kernels", "built", "verified", "booted", *FIGURES),
            groups(rows, lambda row: (row["architecture"],)),
        ),
        "\n## By suite and flavour\n",
        "A kernel that several suites have counts for the first.\n",
        table(
            ("suite", "flavour", "kernels", "built", "verified", "booted", *FIGURES),
            groups(rows, lambda row: (row["suites"][0], row["flavour"])),
        ),
        "\n## Exceptions\n",
        exceptions(rows),
    ]
    return "\n".join(parts)


FIGURES: Final = (
    "package",
    "processor s",
    "wall s",
    "modules",
    "initramfs",
    "disk",
    "boot s",
)


def groups(rows: Iterable[Row], key: Callable[[Row], tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Return a line of the table for each group."""
    found: dict[tuple[str, ...], list[Row]] = defaultdict(list)
    for row in rows:
        found[key(row)].append(row)
    return [(*name, *figures(found[name])) for name in sorted(found)]


def figures(rows: list[Row]) -> tuple[str, ...]:
    """Return counts and medians of some rows."""
    built = [row for row in rows if not row["error"]]
    boots = [row["boot"] for row in rows if row.get("boot")]
    passed = [boot for boot in boots if boot["passed"]]
    return (
        str(len(rows)),
        str(len(built)),
        str(sum(bool(row.get("verified")) for row in rows)),
        f"{len(passed)} of {len(boots)}" if boots else NONE,
        size(median(row["size"] for row in rows)),
        number(median(row["build"]["cpu"] for row in built)),
        number(median(row["build"]["seconds"] for row in built)),
        whole(median(sum(row["modules"]) for row in built)),
        size(median(row["initramfs"] for row in built)),
        size(median(row["disk"] for row in built)),
        number(median(boot["seconds"] for boot in passed)),
    )


def exceptions(rows: list[Row]) -> str:
    """Return a list of what did not go through, each kind once with its kernels."""
    found: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        boot = row.get("boot")
        if row["error"]:
            found[f"Not built: {row['error']}"].append(name(row))
        if row.get("contradiction"):
            found[f"`verify` contradicts: {row['contradiction']}"].append(name(row))
        if boot and not boot["passed"]:
            found[f"Does not boot on `{boot['machine']}`: {boot['reason']}"].append(name(row))
        if row.get("no_boot"):
            found[f"Not booted: {row['no_boot']}"].append(name(row))
    if not found:
        return "None.\n"
    return "".join(f"- {what}: {', '.join(names)}\n" for what, names in sorted(found.items()))


def name(row: Row) -> str:
    return f"`{row['release']}` ({row['architecture']})"


def median(values: Iterable[float]) -> float | None:
    have = list(values)
    return statistics.median(have) if have else None


def size(value: float | None) -> str:
    return NONE if value is None else f"{value / 1e6:.1f} MB"


def whole(value: float | None) -> str:
    return NONE if value is None else f"{value:.0f}"


def number(value: float | None) -> str:
    return NONE if value is None else f"{value:.1f}"


def table(headings: Iterable[str], lines: list[tuple[str, ...]]) -> str:
    """Return a Markdown table."""
    head = tuple(headings)
    rule = tuple("---" for _ in head)
    return "".join(f"| {' | '.join(line)} |\n" for line in (head, rule, *lines))
