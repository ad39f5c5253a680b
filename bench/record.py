"""Counts the instructions that commands take, for a comparison with an earlier count.

valgrind's callgrind counts what a busy machine does not change, so two records of the same
versions of Python and the libraries can be compared to a few thousandths, whatever else ran.
What the commands read is made here, always the same. Continuous integration keeps the record of
each run as a file; nothing is asserted.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import dataclasses
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bench.cases import TOP, environment, lacks
from bench.measure import RunError
from bench.results import replace
from tests.support.modules import make_ko
from tests.support.packages import VERMAGIC, kernel_deb, sample_files
from tests.support.programs import APPLETS, make_busybox

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

FORMAT: Final = 1
FEW: Final = 10
MANY: Final = 200
_TOTAL: Final = re.compile(r"^(?:summary|totals): (\d+)", re.MULTILINE)
_LIBRARIES: Final = ("libarchive-c", "zstandard", "pyelftools", "rich")
_LIMIT: Final = 300


def main() -> int:
    """Record, or compare two records; returns the exit status."""
    options = parse()
    if options.compare:
        old, new = (load(path) for path in options.compare)
        print("\n".join(compared(old, new)))
        return 0
    if lacks("valgrind"):
        print("bench/record: valgrind is not installed: nothing is counted", file=sys.stderr)
        return 0
    with tempfile.TemporaryDirectory(prefix="rdcompose-record-") as scratch:
        record = measure(Path(scratch), options.processes)
    replace(options.output, json.dumps(record, indent=1) + "\n")
    for name, count in record["instructions"].items():
        print(f"{count / 1e6:10.1f} million  {name}")
    return 0


def parse() -> argparse.Namespace:
    """Read the options."""
    parser = argparse.ArgumentParser(
        prog="bench/record", description=(__doc__ or "").split("\n\n", maxsplit=1)[0]
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        default=TOP / ".ci" / "artifacts" / "instructions.json",
        metavar="FILE",
        help="where the record goes (default: .ci/artifacts/instructions.json)",
    )
    parser.add_argument(
        "--compare", nargs=2, type=Path, metavar=("OLD", "NEW"), help="compare two records"
    )
    parser.add_argument(
        "--processes",
        type=int,
        default=len(os.sched_getaffinity(0)),
        metavar="N",
        help="commands to count at the same time (default: one a processor)",
    )
    return parser.parse_args()


@dataclasses.dataclass(frozen=True, slots=True)
class Command:
    """What is counted: a command, and what runs before it, uncounted, in the same directory."""

    name: str
    words: tuple[str, ...]
    before: tuple[tuple[str, ...], ...] = ()
    status: int = 0


def commands(inputs: Path) -> list[Command]:
    """Return what is counted, the longest first: they run side by side."""

    def build(count: int, *options: str) -> tuple[str, ...]:
        words = ["build", str(inputs / f"kernel-{count}.deb"), "-o", "out", "--threads", "1"]
        words += ["--busybox", str(inputs / "busybox"), "--e2fsck", "none", "--no-progress"]
        words += ["--template", str(inputs / "template"), "--cache", "cache"]
        return (*words, *options)

    lists = ("--profile", str(inputs / "lists"))
    other = ("--profile", str(inputs / "other"))
    return [
        Command(f"build, {MANY} modules", build(MANY, *lists)),
        Command(f"build, {FEW} modules", build(FEW, *lists)),
        Command("build again, another list", build(MANY, *other), (build(MANY, *lists),)),
        Command("verify", ("verify", "out"), (build(FEW, *lists),)),
        Command("build, no such file", ("build", "./none.deb"), status=1),
        Command("build --help", ("build", "--help")),
        Command("--version", ("--version",)),
    ]


def make_inputs(directory: Path) -> None:
    """Write two kernel packages, a busybox, a template and two lists."""
    for count in (FEW, MANY):
        (directory / f"kernel-{count}.deb").write_bytes(make_kernel(count))
    (directory / "busybox").write_bytes(make_busybox(APPLETS))
    template = directory / "template"
    template.mkdir()
    (template / "init").write_text("#!/bin/sh\n")
    (template / "init").chmod(0o755)
    for name, module in (("lists", "m001"), ("other", "m004")):
        (directory / name).mkdir()
        (directory / name / "modules.ramfs").write_text(f"{module}\n")
        (directory / name / "modules.autoload").write_text(f"{module}\n")


def make_kernel(count: int) -> bytes:
    """Return a kernel package with modules of which each needs the one before it."""
    modules = {
        "kernel/fs/overlayfs/overlay.ko": make_ko({"vermagic": VERMAGIC}),
        "kernel/fs/squashfs/squashfs.ko": make_ko({"vermagic": VERMAGIC}),
    }
    for number in range(count):
        modinfo = [("vermagic", VERMAGIC), *_aliases(number)]
        needs = [f"symbol_{number - 1:03}"] if number % 5 else []
        modules[f"kernel/drivers/misc/m{number:03}.ko"] = make_ko(
            modinfo, imports=needs, exports=[f"symbol_{number:03}"]
        )
    return kernel_deb(sample_files(modules=modules))


def _aliases(number: int) -> list[tuple[str, str]]:
    return [("alias", f"pci:v{number:08X}d{part:08X}sv*sd*bc*sc*i*") for part in range(8)]


def measure(scratch: Path, processes: int) -> dict[str, Any]:
    """Count all commands and return the record.

    :raises RunError: a command failed.
    """
    inputs = scratch / "inputs"
    inputs.mkdir()
    make_inputs(inputs)
    wanted = commands(inputs)
    # Compiles what is not compiled yet, and shows what does not work.
    for number, command in enumerate(wanted):
        work = scratch / str(number)
        work.mkdir()
        for words in command.before:
            run(words, work)
        if not command.before:
            run(command.words, work, status=command.status)
    with concurrent.futures.ThreadPoolExecutor(processes) as pool:
        counts = list(
            pool.map(
                lambda item: instructions(item[1], scratch / f"{item[0]}-counted", inputs),
                enumerate(wanted),
            )
        )
    found = {command.name: count for command, count in zip(wanted, counts, strict=True)}
    return {
        "format": FORMAT,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "libraries": {name: version(name) for name in _LIBRARIES},
        "instructions": dict(sorted(found.items())),
    }


def instructions(command: Command, work: Path, inputs: Path) -> int:
    """Return how many instructions a command takes, in a directory that is made for it.

    :raises RunError: it failed.
    """
    work.mkdir()
    for words in command.before:
        run(words, work)
    out = inputs.parent / f"{work.name}.callgrind"
    valgrind = ("valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", "-q")
    run(command.words, work, valgrind, status=command.status)
    return total(out.read_text(encoding="utf-8", errors="replace"))


def total(text: str) -> int:
    """Return the sum that a file of callgrind ends with.

    :raises RunError: it has none.
    """
    found = _TOTAL.search(text)
    if found is None:
        raise RunError("callgrind wrote no sum")
    return int(found[1])


def run(words: Sequence[str], work: Path, under: Sequence[str] = (), *, status: int = 0) -> None:
    """Run a command of rdcompose.

    :raises RunError: it ended with another exit status.
    """
    env = {
        **environment(),
        "PYTHONPATH": str(TOP),
        "PYTHONHASHSEED": "0",
        "SOURCE_DATE_EPOCH": "1700000000",
    }
    done = subprocess.run(
        [*under, sys.executable, "-P", "-m", "rdcompose", *words],
        cwd=work,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_LIMIT,
        check=False,
    )
    if done.returncode != status:
        raise RunError(f"{' '.join(words)} ended with {done.returncode}\n{done.stdout[-2000:]}")


def load(path: Path) -> dict[str, Any]:
    """Read a record.

    :raises ValueError: it is none, or of another format.
    """
    data = json.loads(path.read_bytes())
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise ValueError(f"{path} is no record of format {FORMAT}")
    return data


def compared(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Return a table of two records, as lines; what they cannot be compared for comes first."""
    lines = [
        f"not the same {name}: {old[name]} and {new[name]}"
        for name in ("python", "machine", "libraries")
        if old[name] != new[name]
    ]
    before, after = old["instructions"], new["instructions"]
    names = sorted({*before, *after})
    width = max((len(name) for name in names), default=0)
    lines.append(f"{'':{width}}  {'old':>10}  {'new':>10}  new/old   (million instructions)")
    for name in names:
        cells = [
            f"{counts[name] / 1e6:.1f}" if name in counts else "-" for counts in (before, after)
        ]
        ratio = f"{after[name] / before[name]:.3f}" if name in before and name in after else ""
        lines.append(f"{name:{width}}  {cells[0]:>10}  {cells[1]:>10}  {ratio:>7}".rstrip())
    return lines


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (RunError, ValueError) as error:
        sys.exit(f"bench/record: {error}")
