"""Time and memory of a whole build, beside the programs that people use for it today.

Every row is the median of several runs, taken in turns so that a busy moment of the
machine hits all alike. Wall time, processor time and peak memory are what the kernel
says about the process and its children (wait4); a peak below this script's own is not
seen, because a process begins as a copy of its parent. Nothing is asserted: figures hold on the
machine they come from, ratios travel better.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from tests.support.kernels import package

TOP: Final = Path(__file__).resolve().parents[1]
STEPS: Final = TOP / "bench" / "minivm-steps"
PROGRAMS: Final = ("ar", "tar", "depmod", "cpio", "gzip", "mke2fs", "qemu-img")


@dataclasses.dataclass(frozen=True, slots=True)
class Usage:
    """What one run took: seconds and bytes."""

    wall: float
    cpu: float
    memory: int


def measure(argv: list[str], cwd: Path) -> Usage:
    """Run a program to its end; a failure ends the benchmark."""
    start = time.perf_counter()
    process = subprocess.Popen(
        argv, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert process.stdout is not None
    output = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{' '.join(argv)} ended with {process.returncode}\n{output.decode()}")
    return Usage(wall, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024)


def main() -> None:
    """Measure, and print a table for a report."""
    options = parse()
    with tempfile.TemporaryDirectory(prefix="rdcompose-bench-") as scratch:
        rows = candidates(options, Path(scratch))
        runs: dict[str, list[Usage]] = {name: [] for name in rows}
        # The first round fills the page cache and compiles Python files.
        for number in range(options.runs + 1):
            for name, argv in rows.items():
                work = Path(scratch) / "work"
                work.mkdir()
                usage = measure(argv, work)
                if number:
                    runs[name].append(usage)
                sizes = "  ".join(f"{path.name} {path.stat().st_size}" for path in outputs(work))
                if number == options.runs and sizes:
                    print(f"{name}: {sizes}")
                shutil.rmtree(work)
    report(options, runs)


def parse() -> argparse.Namespace:
    """Read the options."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--runs", type=int, default=5, help="runs of each (default: 5)")
    parser.add_argument("--suite", default="bookworm", help="Debian suite (default: bookworm)")
    parser.add_argument("--arch", default="amd64", help="architecture (default: amd64)")
    parser.add_argument(
        "--kernel",
        default="linux-image-cloud-amd64",
        help="package (default: linux-image-cloud-amd64)",
    )
    parser.add_argument("--alone", action="store_true", help="do not run MiniVM's steps")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write all runs")
    parser.add_argument("option", nargs="*", help="after --, passed to rdcompose build")
    return parser.parse_args()


def candidates(options: argparse.Namespace, scratch: Path) -> dict[str, list[str]]:
    """Command of each row; rdcompose comes first."""
    names = (options.kernel, "busybox-static", "e2fsck-static")
    kernel, busybox, e2fsck = (str(package(options.suite, options.arch, name)) for name in names)
    launcher = str(TOP / "bin" / "rdcompose")
    build = [launcher, "build", "--no-prepared", kernel, "--busybox", busybox, "--e2fsck", e2fsck]
    rows = {
        "rdcompose --version": [launcher, "--version"],
        "rdcompose build": [*build, *options.option],
    }
    path = os.pathsep.join([os.environ["PATH"], "/usr/sbin", "/sbin"])
    lacking = [name for name in PROGRAMS if shutil.which(name, path=path) is None]
    if lacking:
        print(f"MiniVM's steps are left out: no {', '.join(lacking)}")
    elif not options.alone:
        modules = listed_modules(build, scratch)
        template = str(TOP / "ramdisk-template")
        rows["MiniVM's steps"] = [str(STEPS), kernel, busybox, e2fsck, template, str(modules)]
    return rows


def listed_modules(build: list[str], scratch: Path) -> Path:
    """The modules of our initramfs, for the other side to take the same."""
    measure([*build, "-o", str(scratch / "first")], scratch)
    (manifest,) = (scratch / "first").glob("manifest-*.json")
    rows = json.loads(manifest.read_bytes())["initramfs"]["modules"]
    modules = scratch / "modules"
    modules.write_text("".join(f"{row['path']}\n" for row in rows))
    return modules


def outputs(directory: Path) -> list[Path]:
    """What is there to boot."""
    patterns = ("initramfs-*", "modules-*")
    return sorted(path for pattern in patterns for path in directory.glob(pattern))


def report(options: argparse.Namespace, runs: dict[str, list[Usage]]) -> None:
    """Print medians, with the spread of the wall time."""
    print(f"\n{options.kernel} of {options.suite}, {options.runs} runs, {machine()}")
    print(f"{'':24}{'wall s':>8} {'(least to most)':>18} {'cpu s':>8} {'peak MiB':>9}")
    for name, taken in runs.items():
        wall = [usage.wall for usage in taken]
        cpu = statistics.median(usage.cpu for usage in taken)
        memory = statistics.median(usage.memory for usage in taken)
        spread = f"({min(wall):.3f} to {max(wall):.3f})"
        median = statistics.median(wall)
        print(f"{name:24}{median:8.3f} {spread:>18} {cpu:8.3f} {memory / 2**20:9.1f}")
    if options.json:
        data = {
            name: [dataclasses.asdict(usage) for usage in taken] for name, taken in runs.items()
        }
        options.json.write_text(json.dumps(data, indent=2) + "\n")


def machine() -> str:
    """Name what the figures hold for."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.split(":")[1].strip() for line in lines if "model name" in line), "")
    processors = len(os.sched_getaffinity(0))
    system = platform.freedesktop_os_release().get("PRETTY_NAME", platform.system())
    load = os.getloadavg()[0]
    return (
        f"{processors} x {model or platform.machine()}, {system}, "
        f"Python {platform.python_version()}, load {load:.1f}"
    )


if __name__ == "__main__":
    main()
