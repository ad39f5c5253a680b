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

from rdcompose.cli.named_file import write_named
from rdcompose.cli.terminal import progress
from rdcompose.errors import FormatError, RdcomposeError, SpecError, UsageError
from rdcompose.formats.filesystem import kinds_of_image
from rdcompose.kernel.release import flavour_of_release
from rdcompose.qemu.accelerator import SOFTWARE, choose_accelerator
from rdcompose.qemu.artifacts import find_artifacts
from rdcompose.qemu.boards import find_board
from rdcompose.qemu.check import beside_root, check, facts
from rdcompose.qemu.command import Access, Disk, Machine, image_format
from rdcompose.qemu.efi import Efi, find_firmware, make_partition
from rdcompose.qemu.guestdisk import PARTITION, guest_tree, read_initramfs, write_guest_disk
from rdcompose.qemu.process import find_program, run_machine
from rdcompose.qemu.report import Report
from rdcompose.qemu.timeline import as_svg, as_text, timeline
from rdcompose.qemu.verdict import Expected

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from rdcompose.qemu.artifacts import Artifacts
    from rdcompose.qemu.boards import Board
    from rdcompose.qemu.guestdisk import Initramfs
    from rdcompose.qemu.process import Run
    from rdcompose.qemu.timeline import Span

_INIT: Final = "/sbin/init"
# The descriptor that QEMU, too, reads what is typed from.
_KEYBOARD: Final = 0
# The name of the disk that would be made, in a command line that is only printed; beside it
# would be the directory that firmware starts from.
_UNMADE: Final = Path("rdcompose-root.squashfs")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    """A command line, understood and looked after."""

    arguments: argparse.Namespace
    artifacts: Artifacts
    board: Board
    program: str
    accelerator: str
    root: Path | None  # an image of the user's
    made: Path | None  # the disk that is made for this machine
    efi: Efi | None  # what starts R.efi

    @property
    def init(self) -> str:
        """The program of the root that is to take over."""
        return _option(self.arguments.append, "init") or _INIT


def boot(arguments: argparse.Namespace) -> int:
    """Run the command; returns the exit status."""
    _check_usage(arguments)
    artifacts = find_artifacts(arguments.directory, arguments.release)
    flavour = flavour_of_release(artifacts.release)
    board = find_board(artifacts.architecture, arguments.machine, flavour)
    _check_board(arguments, board)
    program = find_program(board)
    accelerator = choose_accelerator(board, program)
    if accelerator.name == SOFTWARE and not arguments.quiet:
        print(f"rdcompose: software emulation: {accelerator.why}", file=sys.stderr)
    if board.counted and accelerator.name == SOFTWARE and (arguments.cpus or 1) > 1:
        raise UsageError(f"without KVM the machine {board.name} has one processor")
    root = None if arguments.root in {None, "none"} else Path(arguments.root)
    firmware = find_firmware(board, artifacts.architecture) if arguments.uki else None
    with tempfile.TemporaryDirectory(prefix="rdcompose-") as folder:
        makes = arguments.root is None or (root is not None and arguments.check)
        place = _UNMADE if arguments.dry_run else Path(folder) / "root.squashfs"
        job = _Job(
            arguments=arguments,
            artifacts=artifacts,
            board=board,
            program=program,
            accelerator=accelerator.name,
            root=root,
            made=place if makes else None,
            efi=None if firmware is None else Efi(firmware, place.with_name("rdcompose-efi")),
        )
        if arguments.dry_run:
            print(shlex.join(_machine(job).argv(board.program)))
            return 0
        return _check(job) if arguments.check else _show(job)


def _check_usage(arguments: argparse.Namespace) -> None:
    if not arguments.check and (arguments.json or arguments.junit):
        raise UsageError("--json and --junit tell the result of a --check")
    if arguments.check and arguments.root == "none":
        raise UsageError("--check needs a root filesystem, so it does not go with --root none")
    if arguments.writable and arguments.root in {None, "none"}:
        raise UsageError("--writable is about an image that --root names")


def _check_board(arguments: argparse.Namespace, board: Board) -> None:
    if board.fixed and arguments.memory not in {None, board.memory}:
        raise UsageError(f"the machine {board.name} has {board.memory} MiB of memory")
    if board.fixed and arguments.cpus not in {None, board.cpus}:
        raise UsageError(f"the machine {board.name} has {board.cpus} processors")
    if board.dtb is None and arguments.dtb is not None:
        raise UsageError(f"the machine {board.name} makes its device tree itself: no --dtb")


def _machine(job: _Job) -> Machine:
    arguments, board = job.arguments, job.board
    return Machine(
        board=board,
        accelerator=job.accelerator,
        kernel=job.artifacts.kernel,
        initramfs=job.artifacts.initramfs,
        append=_append(job),
        disks=tuple(_disks(job)),
        memory=arguments.memory or board.memory,
        cpus=arguments.cpus or board.cpus,
        network=arguments.net == "user",
        monitor=not arguments.check,
        dtb=_device_tree(job),
        efi=job.efi,
    )


def _argv(job: _Job) -> list[str]:
    """Return the command, with all that it names made."""
    machine = _machine(job)
    if job.efi is not None:
        make_partition(job.efi.partition, job.board, job.artifacts.uki, machine.command_line())
    return machine.argv(job.program)


def _append(job: _Job) -> str:
    words = []
    given, _, init_arguments = f" {job.arguments.append} ".partition(" -- ")
    if (job.root or job.made) and _option(given, "root") is None:
        alone = job.root is not None or job.board.in_order
        words.append(f"root={job.board.first_disk if alone else PARTITION}")
    if job.arguments.check and _option(given, "panic") is None:
        # What fails is to end the machine, not to open a shell.
        words.append("panic=-1")
    words.append(given.strip())
    if job.arguments.check and job.root:
        words.append(beside_root())
    elif init_arguments.strip():
        words.append(f"-- {init_arguments.strip()}")
    return " ".join(word for word in words if word)


def _option(line: str, name: str) -> str | None:
    """Return the last value of an option of a kernel command line."""
    found = [word.partition("=")[2] for word in line.split() if word.startswith(f"{name}=")]
    return found[-1] if found else None


def _disks(job: _Job) -> Iterator[Disk]:
    if job.root is not None:
        access = Access.WRITABLE if job.arguments.writable else Access.SNAPSHOT
        form = image_format(_start(job.root))
        yield Disk(name="root", path=job.root, form=form, access=access)
    elif job.made is not None:
        yield Disk(name="root", path=job.made, form="raw", access=Access.READ_ONLY)
    if job.artifacts.disk is not None:
        form = job.artifacts.disk_format
        yield Disk(name="modules", path=job.artifacts.disk, form=form, access=Access.READ_ONLY)
    if job.root is not None and job.made is not None:
        yield Disk(name="check", path=job.made, form="raw", access=Access.READ_ONLY)


def _start(image: Path) -> bytes:
    try:
        with image.open("rb") as source:
            return source.read(4)
    except OSError as error:
        raise SpecError(f"cannot read {image}: {error.strerror}") from error


def _device_tree(job: _Job) -> Path | None:
    name, given = job.board.dtb, job.arguments.dtb
    if name is None:
        return None
    path: Path = given or job.artifacts.directory / name
    if not path.is_file():
        raise SpecError(
            f"the machine {job.board.name} needs a device tree, and {path} is not there",
            hint=f"name {name} of the kernel package (below usr/lib/linux-image-R) with --dtb",
        )
    return path


def _make_disk(job: _Job, initramfs: Initramfs, script: str, lines: list[str]) -> None:
    if job.made is None:
        return
    if not initramfs.squashfs:
        raise SpecError(
            f"{job.artifacts.initramfs} cannot mount a squashfs, which the small root is",
            hint="compose with a modules disk or with squashfs in modules.ramfs"
            if job.root is not None
            else "give a root filesystem with --root, or put squashfs in modules.ramfs",
        )
    tree = guest_tree(initramfs, job.artifacts.release, script, lines)
    with job.made.open("wb") as out:
        partition = job.root is None and not job.board.in_order
        write_guest_disk(out, tree, partition=partition)


def _initramfs(job: _Job) -> Initramfs:
    path = job.artifacts.initramfs
    try:
        return read_initramfs(path.read_bytes())
    except OSError as error:
        raise SpecError(f"cannot read {path}: {error.strerror}") from error
    except (FormatError, SpecError) as error:
        raise type(error)(f"{path}: {error.message}") from error


def _show(job: _Job) -> int:
    if job.made is not None:
        _make_disk(job, _initramfs(job), "shell", [])
    with _terminal_kept():
        run = run_machine(_argv(job), keyboard=True, screen=_to_screen)
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


def _check(job: _Job) -> int:
    arguments, release = job.arguments, job.artifacts.release
    initramfs = _initramfs(job)
    expected = Expected(
        release=release,
        autoload=initramfs.autoload,
        root_kinds=_root_kinds(job),
        modules_disk=job.artifacts.disk is not None,
        init=job.init,
    )
    _make_disk(job, initramfs, "check", facts(expected))
    argv = _argv(job)
    screen = _to_error if arguments.verbose else None
    shown = not (arguments.quiet or arguments.no_progress or arguments.verbose)
    with progress(f"booting {release}", shown=shown):
        run, verdict, crashes = check(argv, expected, limit=arguments.timeout, screen=screen)
    report = Report(
        release=release,
        architecture=job.artifacts.architecture,
        machine=job.board.name,
        accelerator=job.accelerator,
        verdict=verdict,
        crashes=crashes,
        seconds=run.seconds,
    )
    if arguments.junit is not None:
        write_named(arguments.junit, report.to_junit(line.text for line in run.lines))
    _tell(job, report, run)
    return 0 if verdict.passed else 1


def _to_error(piece: bytes) -> None:
    sys.stderr.buffer.write(piece)
    sys.stderr.buffer.flush()


def _root_kinds(job: _Job) -> tuple[str, ...]:
    """Return the filesystems that the root may turn out to be."""
    if (asked := _option(job.arguments.append, "rootfstype")) is not None:
        return tuple(asked.split(","))
    if job.root is None:
        return ("squashfs",)
    if _option(job.arguments.append, "root") is not None or image_format(_start(job.root)) != "raw":
        return ()
    with job.root.open("rb") as image:
        return tuple(kinds_of_image(image))


def _tell(job: _Job, report: Report, run: Run) -> None:
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


def _tell_timeline(job: _Job, run: Run) -> None:
    if job.arguments.timeline is not None:
        print(as_text(_draw_timeline(job, run)))


def _draw_timeline(job: _Job, run: Run) -> tuple[Span, ...]:
    spans = timeline(run.lines, run.seconds)
    title = f"Boot of {job.artifacts.release} on {job.board.name}, {job.accelerator}"
    write_named(job.arguments.timeline, as_svg(spans, title).encode())
    return spans
