"""Every kernel package that the mirror offers: built, verified, and booted where QEMU can.

One line of JSON for each kernel goes to a file as soon as it is done, and what is in that
file already is not done again: a sweep takes hours, and may be interrupted. First come the
newest kernels of every flavour, then those of every suite, then the others. Downloads go to a
cache of their own, one kernel ahead, and are deleted after use. With --table the page of the
documentation is printed that the file comes to.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import datetime
import functools
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bench.sweep_table import page
from rdcompose.archive.obtain import obtain_found
from rdcompose.archive.suites import family, other_suites
from rdcompose.cli.archive import archive_session
from rdcompose.cli.options import make_parser
from rdcompose.compose.resolve import kernel_parts, kernels, resolve_program
from rdcompose.errors import FetchError, RdcomposeError
from rdcompose.formats.deb import Deb, Kind
from rdcompose.kernel.release import ARCHITECTURES, flavour_of_release
from rdcompose.qemu.boards import find_board

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from rdcompose.archive.search import Archive, Found
    from rdcompose.cli.archive import Session
    from rdcompose.qemu.boards import Board

TOP: Final = Path(__file__).resolve().parents[1]
PROGRAMS: Final = ("busybox", "e2fsck")
BOOT_LIMIT: Final = 600  # seconds
USB_PROFILE: Final = "generic"
# Lines of the console that are kept of a boot that failed.
TAIL: Final = 12


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Kernel:
    """A kernel that the mirror offers, in all suites that have it."""

    release: str
    flavour: str
    architecture: str
    found: Found
    size: int
    suites: tuple[str, ...]

    @property
    def key(self) -> str:
        return self.found.package.sha256


@dataclasses.dataclass(frozen=True, slots=True)
class Files:
    """A kernel's packages and the programs beside it, downloaded; ``seconds`` it took."""

    packages: tuple[Path, ...]
    programs: tuple[Path, ...]
    seconds: float


def main() -> None:
    """Go through the kernels that are left."""
    options = parse()
    if options.table:
        print(page(read_rows(options.results)), end="")
        return
    rows = read_rows(options.results)
    done = {row["sha256"] for row in rows if finished(row, options)}
    tried = {row["sha256"] for row in rows if not row["error"]}
    with tempfile.TemporaryDirectory(prefix="rdcompose-sweep-", dir=options.scratch) as scratch:
        cache = options.cache or Path(scratch) / "cache"
        sweep = Sweep(options, Path(scratch), cache)
        sweep.run(done, tried)


def finished(row: dict[str, Any], options: argparse.Namespace) -> bool:
    """Whether a row needs no second try: one that failed does, with the code as it is now."""
    boot = row.get("boot")
    passed = bool(row.get("verified")) and (boot is None or boot["passed"])
    return bool(row["profile"] == options.profile) and passed


def parse() -> argparse.Namespace:
    """Read the options."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument(
        "--arch", action="append", choices=sorted(ARCHITECTURES), help="only this; repeatable"
    )
    parser.add_argument("--suite", action="append", help="only kernels of this; repeatable")
    parser.add_argument("--flavour", action="append", help="only this flavour; repeatable")
    parser.add_argument("--limit", type=int, help="stop after so many kernels")
    parser.add_argument("--until", metavar="HH:MM", help="begin none after this time (UTC)")
    parser.add_argument("--profile", default="minivm", help="module lists (default: minivm)")
    parser.add_argument(
        "--boot",
        choices=("all", "newest", "none"),
        default="all",
        help="which kernels to boot: all, the newest of each flavour and suite, or none",
    )
    parser.add_argument(
        "--results", type=Path, default=Path("sweep.jsonl"), help="default: sweep.jsonl"
    )
    parser.add_argument(
        "--table", action="store_true", help="do nothing but print the page that results come to"
    )
    parser.add_argument("--cache", type=Path, help="keep indexes of the archive here")
    parser.add_argument("--scratch", type=Path, help="directory for files while they are needed")
    return parser.parse_args()


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Return the last row of every kernel and profile."""
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    if path.exists():
        for line in path.read_text().splitlines():
            row = json.loads(line)
            rows.pop((row["sha256"], row["profile"]), None)
            rows[row["sha256"], row["profile"]] = row
    return list(rows.values())


class Sweep:
    """One run over many kernels."""

    def __init__(self, options: argparse.Namespace, scratch: Path, cache: Path) -> None:
        self._options = options
        self._scratch = scratch
        self._cache = cache
        self._architectures = options.arch or sorted(ARCHITECTURES)

    def run(self, done: set[str], tried: set[str]) -> None:
        with ThreadPoolExecutor(1) as beside, self._opened() as sessions:
            rows = [row for row in self._listed(sessions) if self._wanted(row)]
            first = newest_of(rows, lambda row: (row.architecture, row.flavour, row.suites[0]))
            rows = [row for row in in_order(rows, tried) if row.key not in done]
            print(f"{len(rows)} kernels to do, {len(done)} done", flush=True)
            rows = rows[: self._options.limit]
            fetches = [functools.partial(fetch, row, sessions[row.architecture]) for row in rows]
            ahead = beside.submit(fetches[0]) if rows else None
            for number, row in enumerate(rows):
                if self._late():
                    break
                assert ahead is not None
                now = ahead
                ahead = beside.submit(fetches[number + 1]) if number + 1 < len(rows) else None
                boots = self._options.boot == "all" or (
                    self._options.boot == "newest" and row.key in first
                )
                self._write(self._one(row, now.result, boots=boots))
            # What is being fetched ahead is not needed.
            for session in sessions.values():
                session.cancelled.set()

    def _late(self) -> bool:
        now = datetime.datetime.now(datetime.UTC)
        return self._options.until is not None and now.strftime("%H:%M") >= self._options.until

    @contextlib.contextmanager
    def _opened(self) -> Iterator[dict[str, Session]]:
        """Open the archive once for each architecture."""
        sessions: dict[str, Session] = {}
        with contextlib.ExitStack() as stack:
            for name in self._architectures:
                arguments = make_parser().parse_args(
                    ["kernels", "--arch", name, "--cache", str(self._cache), "--no-snapshot"]
                )
                sessions[name] = stack.enter_context(archive_session(arguments, shown=False))
            yield sessions

    def _listed(self, sessions: dict[str, Session]) -> Iterator[Kernel]:
        for name, session in sessions.items():
            archive = session.archive
            names = (*family(archive.suite), *archive.place.suites, *other_suites())
            merged: dict[str, Kernel] = {}
            for release, found, size in kernels(archive.suites(names, name), name):
                old = merged.get(found.package.sha256)
                suites = (*(old.suites if old else ()), found.suite.name)
                merged[found.package.sha256] = Kernel(
                    release=release,
                    flavour=flavour_of_release(release) or "",
                    architecture=name,
                    found=old.found if old else found,
                    size=size,
                    suites=tuple(dict.fromkeys(suites)),
                )
            yield from merged.values()

    def _wanted(self, row: Kernel) -> bool:
        options = self._options
        return (not options.suite or bool(set(options.suite) & set(row.suites))) and (
            not options.flavour or row.flavour in options.flavour
        )

    def _write(self, row: dict[str, Any]) -> None:
        with self._options.results.open("a") as out:
            out.write(json.dumps(row) + "\n")
        boot = row.get("boot")
        said = [
            row["error"] or f"{row['build']['seconds']:.1f} s",
            row.get("contradiction", ""),
            f"boots in {boot['seconds']:.1f} s" if boot and boot["passed"] else "",
            f"does not boot: {boot['reason']}" if boot and not boot["passed"] else "",
        ]
        print(row["architecture"], row["release"], *filter(None, said), sep="  ", flush=True)

    def _one(self, kernel: Kernel, files: Callable[[], Files], *, boots: bool) -> dict[str, Any]:
        package = kernel.found.package
        row: dict[str, Any] = {
            "package": package.name,
            "version": package.version,
            "architecture": kernel.architecture,
            "release": kernel.release,
            "flavour": kernel.flavour,
            "suites": kernel.suites,
            "sha256": package.sha256,
            "size": kernel.size,
            "profile": self._options.profile,
            "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d"),
            "error": "",
        }
        try:
            got = files()
        except RdcomposeError as error:
            return row | {"error": f"not fetched: {error.message}"}
        row["download"] = got.seconds
        out = self._scratch / "out"
        try:
            row |= self._build(got, out, self._options.profile)
            if not row["error"]:
                row |= self._judge(kernel, got, out, boots=boots)
        finally:
            for path in got.packages:
                path.unlink(missing_ok=True)
            shutil.rmtree(out, ignore_errors=True)
        return row

    def _build(self, files: Files, out: Path, profile: str) -> dict[str, Any]:
        command = [
            "build",
            "--no-prepared",
            *map(str, files.packages),
            "-o",
            str(out),
            "--json",
            "--no-progress",
        ]
        command += ["--profile", profile]
        for name, path in zip(PROGRAMS, files.programs, strict=True):
            command += [f"--{name}", str(path)]
        run = execute(command)
        if run.status:
            return {"error": message(run.errors)}
        summary = json.loads(run.output)
        sizes = {file["name"].partition("-")[0]: file["size"] for file in summary["files"]}
        return {
            "build": {"seconds": run.seconds, "cpu": run.cpu},
            "modules": [summary["initramfs_modules"], summary["disk_modules"]],
            "notes": len(summary["notes"]),
            "kernel": sizes.get("vmlinuz", sizes.get("vmlinux")),
            "initramfs": sizes["initramfs"],
            "disk": sizes.get("modules"),
        }

    def _judge(self, kernel: Kernel, files: Files, out: Path, *, boots: bool) -> dict[str, Any]:
        run = execute(["verify", str(out)])
        said = message(run.errors) or run.output.strip()
        row: dict[str, Any] = {"verified": not run.status}
        if run.status:
            return {"contradiction": said}
        if not boots:
            return row
        try:
            board = find_board(kernel.architecture, None, kernel.flavour)
        except RdcomposeError as error:
            return row | {"no_boot": error.message}
        if shutil.which(board.program) is None:
            return row | {"no_boot": f"{board.program} is not installed ({board.package})"}
        if board.disk == "usb-storage":
            # A board of the Raspberry Pi: small machines need no drivers of USB disks.
            shutil.rmtree(out)
            if failed := self._build(files, out, USB_PROFILE).get("error"):
                return row | {"error": failed}
        return row | boot(board, files, out)


def in_order(rows: list[Kernel], tried: set[str]) -> list[Kernel]:
    """Sort what was not tried yet to the front, there the newest of every flavour, then suite."""
    flavours = newest_of(rows, lambda row: (row.architecture, row.flavour))
    suites = newest_of(rows, lambda row: (row.architecture, row.flavour, row.suites[0]))

    def rank(row: Kernel) -> tuple[bool, bool, bool, int]:
        return (row.key in tried, row.key not in flavours, row.key not in suites, row.size)

    return sorted(rows, key=rank)


def newest_of(rows: Iterable[Kernel], group: Callable[[Kernel], object]) -> set[str]:
    """Return the keys of the first of each group; rows come newest first."""
    found: dict[object, str] = {}
    for row in rows:
        found.setdefault(group(row), row.key)
    return set(found.values())


def fetch(kernel: Kernel, session: Session) -> Files:
    """Download a kernel, and the programs of its suite (which stay in the cache)."""
    archive = session.archive
    start = time.monotonic()
    found = [kernel.found, *kernel_parts(kernel.found)]
    packages = tuple(obtain_found(row, archive.access) for row in found)
    seconds = round(time.monotonic() - start, 1)
    try:
        return Files(packages, fetch_programs(kernel, kernel.found.suite.name, archive), seconds)
    except FetchError:
        # A mirror keeps an old suite's index for a while when its packages have gone.
        return Files(packages, fetch_programs(kernel, archive.suite, archive), seconds)


def fetch_programs(kernel: Kernel, suite: str, archive: Archive) -> tuple[Path, ...]:
    """Download the programs that a suite has for a kernel."""
    names = (f"{name}-static" for name in PROGRAMS)
    found = [resolve_program(name, suite, kernel.architecture, archive) for name in names]
    return tuple(obtain_found(row, archive.access) for row in found)


def boot(board: Board, files: Files, out: Path) -> dict[str, Any]:
    """Boot what was built, to a root filesystem with the modules disk."""
    command = ["boot", str(out), "--check", "--json", "--timeout", str(BOOT_LIMIT)]
    if board.dtb is not None:
        path = out.parent / board.dtb
        if not device_tree(files.packages, board.dtb, path):
            return {"no_boot": f"the packages have no {board.dtb} for {board.name}"}
        command += ["--dtb", str(path)]
    run = execute(command)
    if not run.output:
        return {"boot": {"passed": False, "reason": message(run.errors), "machine": board.name}}
    result = json.loads(run.output)
    return {
        "boot": {
            "machine": result["machine"],
            "passed": run.status == 0,
            "reason": result["reason"],
            "crashes": result["crashes"],
            "seconds": round(result["seconds"], 1),
            "tail": [] if run.status == 0 else run.errors.splitlines()[-TAIL:],
        }
    }


def device_tree(packages: Iterable[Path], name: str, target: Path) -> bool:
    """Write the device tree of a board that a package has."""
    for package in packages:
        with package.open("rb") as stream:
            for member in Deb.open(stream).members(lambda path: path.endswith(f"/{name}")):
                if member.kind is Kind.FILE and member.path.endswith(f"/{name}"):
                    target.write_bytes(member.content)
                    return True
    return False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A command that has ended; ``seconds`` it took, ``cpu`` of all processors."""

    status: int
    output: str
    errors: str
    seconds: float
    cpu: float


def execute(words: list[str]) -> Run:
    """Run a command of rdcompose, of this checkout."""
    start = time.monotonic()
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "rdcompose", *words],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
            cwd=TOP,
            env=os.environ | {"PYTHONPATH": str(TOP)},
        )
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        errors.seek(0)
        return Run(
            status=process.returncode,
            output=output.read(),
            errors=errors.read(),
            seconds=round(time.monotonic() - start, 2),
            cpu=round(used.ru_utime + used.ru_stime, 2),
        )


def message(errors: str) -> str:
    """Return the message of a command that failed; all of it if it has a traceback."""
    if "Traceback" in errors:
        return errors
    lines = [line for line in errors.splitlines() if line.startswith("rdcompose: error: ")]
    return "; ".join(line.removeprefix("rdcompose: error: ") for line in lines)


if __name__ == "__main__":
    main()
