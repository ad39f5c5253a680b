"""Measures rdcompose and what others use today, and writes tables and charts.

Figures go to results.json in the directory of the documentation, with every run; results.md and
the charts are made from that file. A section that is measured again takes the place of the former
one. Nothing is asserted: what could not be measured stands in the table with the reason, and the
exit status is 1.
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bench.boot import boot
from bench.cases import TOP, Bench, environment
from bench.commands import builds, initramfs, presets, relist, sizes, startup
from bench.growth import growth
from bench.machine import machine
from bench.measure import Clock, RunError
from bench.pages import write_pages
from bench.results import Row, Section, load, store

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SECTIONS: Final[Mapping[str, Callable[[Bench], list[Row]]]] = {
    "startup": startup,
    "presets": presets,
    "builds": builds,
    "initramfs": initramfs,
    "relist": relist,
    "sizes": sizes,
    "boot": boot,
    "growth": growth,
}
PLACE: Final = TOP / "docs" / "performance"


def main() -> int:
    """Measure, section by section; returns the exit status."""
    options = parse()
    results = options.output / "results.json"
    sections = load(results)
    if not options.render:
        with tempfile.TemporaryDirectory(prefix="rdcompose-bench-", dir=options.scratch) as scratch:
            bench = prepared(options, Path(scratch))
            facts = machine(bench.packages)
            for name in options.only or SECTIONS:
                sections[name] = measured(name, bench, facts)
                # After each: what ends this program takes no section that is done.
                store(results, sections)
                write_pages(options.output, sections)
    write_pages(options.output, sections)
    failed = [
        f"{name}: {row.group} {row.name}: {row.error}"
        for name in (() if options.render else options.only or SECTIONS)
        for row in sections[name].rows
        if row.error
    ]
    for line in failed:
        print(f"not measured: {line}", file=sys.stderr)
    return 1 if failed else 0


def parse() -> argparse.Namespace:
    """Read the options."""
    parser = argparse.ArgumentParser(
        prog="bench/run", description=(__doc__ or "").split("\n\n", maxsplit=1)[0]
    )
    parser.add_argument(
        "--only", action="append", choices=SECTIONS, help="a section; may be given several times"
    )
    parser.add_argument(
        "--runs", type=int, default=5, metavar="N", help="runs of each that count (default: 5)"
    )
    parser.add_argument(
        "--minivm",
        type=Path,
        metavar="DIR",
        help="the kernel directory of a checkout of MiniVM: its init is booted, its Alpine "
        "busybox is measured",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        default=PLACE,
        metavar="DIR",
        help="where results.json, results.md and the charts are (default: docs/performance)",
    )
    parser.add_argument(
        "--scratch", type=Path, metavar="DIR", help="where to work (default: TMPDIR, else /tmp)"
    )
    parser.add_argument(
        "--render", action="store_true", help="only make tables and charts from results.json again"
    )
    options = parser.parse_args()
    if options.runs < 1:
        parser.error("--runs is at least 1")
    if options.minivm is not None:
        options.minivm = options.minivm.resolve()
        if not (options.minivm / "ramdisk-template" / "init").is_file():
            parser.error(f"{options.minivm} has no ramdisk-template/init, so it is not MiniVM's")
    return options


def prepared(options: argparse.Namespace, scratch: Path) -> Bench:
    """Find or fetch the packages."""
    print("packages …", file=sys.stderr)
    done = subprocess.run(
        [sys.executable, "-P", str(TOP / "bench" / "packages.py")],
        env={**environment(), "PYTHONPATH": str(TOP)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        check=True,
    )
    found = json.loads(done.stdout)
    return Bench(
        runs=options.runs,
        scratch=scratch,
        packages=found["found"],
        lacking=found["lacking"],
        minivm=options.minivm,
        tell=tell,
    )


_start: Final = time.monotonic()


def tell(what: str) -> None:
    """Say what is measured now, and when."""
    print(f"{time.monotonic() - _start:6.1f} s  {what}", file=sys.stderr)


def measured(name: str, bench: Bench, facts: dict[str, str]) -> Section:
    """Measure a section, and how busy others kept the machine meanwhile."""
    tell(f"== {name}")
    start = Clock.now()
    try:
        rows = SECTIONS[name](bench)
    except RunError as error:
        rows = [Row(name=name, error=str(error))]
    end = Clock.now()
    return Section(
        name=name,
        rows=tuple(rows),
        machine=facts,
        others=round(start.others_until(end), 2),
        seconds=round(end.wall - start.wall, 1),
    )


if __name__ == "__main__":
    # What is in the scratch directory goes, however this ends.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        # What is done was written.
        sys.exit(130)
