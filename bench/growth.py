"""Many builds in one call: time and memory as they grow."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Final

from bench.cases import LAUNCHER, TOP, Case, run_cases
from bench.commands import unpacked
from bench.svg import Axis, Series, plot

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from bench.cases import Bench
    from bench.results import Row, Section

ONE: Final = "profiles of one kernel"
JOBS: Final = "profiles of two kernels, --jobs {}"
COUNTS: Final = (1, 10, 100)
# Two kernels have at least a profile each.
PROJECT_COUNTS: Final = (2, 10, 100)
KERNELS: Final = ("cloud", "trixie")
_PROCESSES: Final = (1, 2)
# Of builds that take minutes one run is enough to see how they grow.
_MANY: Final = 100
_MB: Final = 1e6


def growth(bench: Bench) -> list[Row]:
    """One, ten and a hundred profiles: of one kernel, and of two with one or two processes."""
    profiles = make_profiles(bench, max(COUNTS))
    cases = [_one_kernel(bench, profiles[:count]) for count in COUNTS]
    cases += [
        _project(bench, profiles, count, jobs) for jobs in _PROCESSES for count in PROJECT_COUNTS
    ]
    return run_cases(bench, cases)


def make_profiles(bench: Bench, count: int) -> list[Path]:
    """Write profiles that differ: the default one, and another module in each."""
    tree = unpacked(bench)
    (order,) = tree.glob("usr/lib/modules/*/modules.order")
    modules = [line.removeprefix("kernel/") for line in order.read_text().splitlines()]
    # Over all of the kernel, so that they differ in size.
    chosen = modules[:: max(len(modules) // count, 1)][:count]
    default = TOP / "module-lists" / "minivm"
    profiles = []
    for number, module in enumerate(chosen, 1):
        directory = bench.scratch / "profiles" / f"p{number:03}"
        directory.mkdir(parents=True)
        for path in default.iterdir():
            (directory / path.name).write_bytes(path.read_bytes())
        with (directory / "modules.ramfs").open("a") as lists:
            # Another kernel may lack it.
            lists.write(f"{module.removesuffix('.ko')}?\n")
        profiles.append(directory)
    return profiles


def _one_kernel(bench: Bench, profiles: Sequence[Path]) -> Case:
    options = itertools.chain.from_iterable(("--profile", str(path)) for path in profiles)
    words = bench.build("cloud", "-o", "out", "--cache", "cache", *options)
    return _case(ONE, len(profiles), words)


def _project(bench: Bench, profiles: Sequence[Path], count: int, jobs: int) -> Case:
    """Return a case of a project file, which names profiles of both kernels."""
    directory = bench.scratch / f"project-{count}"
    if not directory.exists():
        directory.mkdir()
        (directory / "rdcompose.toml").write_text(project(bench, profiles[: count // 2]))
    # A project is that of the current directory.
    script = f'cd "$1" && exec "$2" build --jobs {jobs} -o "$OLDPWD/out" --cache "$OLDPWD/cache"'
    words = ("sh", "-c", f"{script} --no-progress", "sh", str(directory), str(LAUNCHER))
    return _case(JOBS.format(jobs), count, words)


def project(bench: Bench, profiles: Sequence[Path]) -> str:
    """Return the text of a project file with these profiles of both kernels."""
    names = [str(path) for path in profiles]
    lines = []
    for kernel in KERNELS:
        _, _, package, _, busybox, _, e2fsck, *_ = bench.build(kernel)
        facts = {"name": kernel, "kernel": package, "busybox": busybox, "e2fsck": e2fsck}
        lines.append("[[build]]")
        # A text of JSON is one of TOML, too.
        lines += [f"{name} = {json.dumps(value)}" for name, value in facts.items()]
        lines.append(f"profile = {json.dumps(names)}")
    return "\n".join(lines) + "\n"


def _case(group: str, count: int, words: tuple[str, ...]) -> Case:
    many = count >= _MANY
    return Case(
        name=str(count),
        group=group,
        words=words,
        facts={"builds": float(count)},
        once=many,
        runs=None if group == ONE else 2,
    )


def further(sections: Mapping[str, Section]) -> float | None:
    """Return the seconds that each of nine further profiles of a kernel takes."""
    section = sections.get("growth")
    rows = [None if section is None else section.row(str(count), ONE) for count in (1, 10)]
    one, ten = (None if row is None else row.median("wall") for row in rows)
    return None if one is None or ten is None else (ten - one) / 9


def charts(section: Section) -> dict[str, str]:
    """Return the curves of time and of memory."""
    groups = dict.fromkeys(row.group for row in section.rows)
    return {
        "growth-time": _chart(section, list(groups), "wall time, s", "Builds in one call: time"),
        "growth-memory": _chart(
            section, list(groups), "peak of all processes, MB", "Builds in one call: memory"
        ),
    }


def _chart(section: Section, groups: Sequence[str], name: str, title: str) -> str:
    series = []
    for group in groups:
        rows = [row for row in section.rows if row.group == group and row.runs]
        points = [(row.facts["builds"], _value(row, name), "") for row in rows]
        series.append(Series(name=group, points=points))
    across = Axis(name="builds", log=True)
    up = Axis(name=name, log=name.endswith(" s"))
    return plot(title, across, up, [line for line in series if line.points])


def _value(row: Row, name: str) -> float:
    if name.endswith("MB"):
        return (row.peak() or 0) / _MB
    return row.median("wall") or 0.0
