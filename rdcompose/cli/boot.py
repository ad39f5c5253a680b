"""``rdcompose boot``: a composition in QEMU, to look at or to check."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import shlex
import sys
import tempfile
import termios
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rdcompose.cli.machine import (
    Job,
    check_boot,
    find_emulation,
    initramfs_of,
    machine_of,
    make_argv,
    make_disk,
)
from rdcompose.cli.named_file import write_named
from rdcompose.errors import RdcomposeError, UsageError
from rdcompose.qemu.artifacts import find_artifacts
from rdcompose.qemu.efi import Efi, find_firmware
from rdcompose.qemu.process import run_machine
from rdcompose.qemu.timeline import as_svg, as_text, timeline

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from rdcompose.qemu.process import Run
    from rdcompose.qemu.report import Report
    from rdcompose.qemu.timeline import Span

# The descriptor that QEMU, too, reads what is typed from.
_KEYBOARD: Final = 0
# The name of the disk that would be made, in a command line that is only printed; beside it
# would be the directory that firmware starts from.
_UNMADE: Final = Path("rdcompose-root.squashfs")


def boot(arguments: argparse.Namespace) -> int:
    """Run the command; returns the exit status."""
    _check_usage(arguments)
    artifacts = find_artifacts(arguments.directory, arguments.release)
    emulation = find_emulation(arguments, artifacts.architecture, artifacts.release)
    root = None if arguments.root in {None, "none"} else Path(arguments.root)
    firmware = find_firmware(emulation.board, artifacts.architecture) if arguments.uki else None
    with tempfile.TemporaryDirectory(prefix="rdcompose-") as folder:
        makes = arguments.root is None or (root is not None and arguments.check)
        place = _UNMADE if arguments.dry_run else Path(folder) / "root.squashfs"
        job = Job(
            arguments=arguments,
            artifacts=artifacts,
            emulation=emulation,
            root=root,
            made=place if makes else None,
            efi=None if firmware is None else Efi(firmware, place.with_name("rdcompose-efi")),
        )
        if arguments.dry_run:
            print(shlex.join(machine_of(job).argv(job.board.program)))
            return 0
        return _check(job) if arguments.check else _show(job)


def _check_usage(arguments: argparse.Namespace) -> None:
    if not arguments.check and (arguments.json or arguments.junit):
        raise UsageError("--json and --junit tell the result of a --check")
    if arguments.check and arguments.root == "none":
        raise UsageError("--check needs a root filesystem, so it does not go with --root none")
    if arguments.writable and arguments.root in {None, "none"}:
        raise UsageError("--writable is about an image that --root names")


def _show(job: Job) -> int:
    if job.made is not None:
        make_disk(job, initramfs_of(job), "shell", [])
    with _terminal_kept():
        run = run_machine(make_argv(job), keyboard=True, screen=_to_screen)
    _tell_timeline(job, run)
    if run.status:
        raise RdcomposeError(f"{job.board.program} ended with status {run.status}")
    return 0


def _to_screen(piece: bytes) -> None:
    sys.stdout.buffer.write(piece)
    sys.stdout.buffer.flush()


@contextlib.contextmanager
def _terminal_kept() -> Iterator[None]:
    """Put the terminal back as it was, however QEMU ended."""
    if not os.isatty(_KEYBOARD):
        yield
        return
    before = termios.tcgetattr(_KEYBOARD)
    try:
        yield
    finally:
        os.set_blocking(_KEYBOARD, True)
        termios.tcsetattr(_KEYBOARD, termios.TCSADRAIN, before)


def _check(job: Job) -> int:
    arguments = job.arguments
    run, report = check_boot(job)
    if arguments.junit is not None:
        write_named(arguments.junit, report.to_junit(line.text for line in run.lines))
    _tell(job, report, run)
    return 0 if report.verdict.passed else 1


def _tell(job: Job, report: Report, run: Run) -> None:
    if job.arguments.json:
        data = report.to_json()
        if job.arguments.timeline is not None:
            spans = _draw_timeline(job, run)
            data["timeline"] = [dataclasses.asdict(span) for span in spans]
        print(json.dumps(data, indent=2, ensure_ascii=False))
        return
    print(report.line(), flush=True)
    if not report.verdict.passed and not job.arguments.verbose:
        print("the end of the console:", file=sys.stderr)
        for line in report.verdict.tail:
            print(f"  {line}", file=sys.stderr)
    _tell_timeline(job, run)


def _tell_timeline(job: Job, run: Run) -> None:
    if job.arguments.timeline is not None:
        print(as_text(_draw_timeline(job, run)))


def _draw_timeline(job: Job, run: Run) -> tuple[Span, ...]:
    spans = timeline(run.lines, run.seconds)
    title = f"Boot of {job.artifacts.release} on {job.board.name}, {job.emulation.accelerator}"
    write_named(job.arguments.timeline, as_svg(spans, title).encode())
    return spans
