"""The machine in QEMU that a command boots files on: what is attached to it, what it is told."""

from __future__ import annotations

import dataclasses
import sys
from typing import TYPE_CHECKING, Final, NamedTuple

from rdcompose.cli.terminal import progress
from rdcompose.errors import FormatError, SpecError, UsageError
from rdcompose.formats.filesystem import kinds_of_image
from rdcompose.kernel.release import flavour_of_release
from rdcompose.qemu.accelerator import SOFTWARE, choose_accelerator
from rdcompose.qemu.boards import find_board
from rdcompose.qemu.check import beside_root, check, facts
from rdcompose.qemu.command import Access, Disk, Machine, image_format
from rdcompose.qemu.efi import make_partition
from rdcompose.qemu.guestdisk import PARTITION, guest_tree, read_initramfs, write_guest_disk
from rdcompose.qemu.process import find_program
from rdcompose.qemu.report import Report
from rdcompose.qemu.verdict import Expected

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator
    from pathlib import Path

    from rdcompose.qemu.artifacts import Artifacts
    from rdcompose.qemu.boards import Board
    from rdcompose.qemu.efi import Efi
    from rdcompose.qemu.guestdisk import Initramfs
    from rdcompose.qemu.process import Run

_INIT: Final = "/sbin/init"


class Emulation(NamedTuple):
    """What runs a machine: the board with the devices that it takes, QEMU and its accelerator."""

    board: Board
    devices: tuple[str, ...]
    program: str
    accelerator: str


def find_emulation(arguments: argparse.Namespace, architecture: str, release: str) -> Emulation:
    """Return the machine that the options mean; says so if it is emulated.

    :raises UsageError: there is none such, or it cannot be as the options want it.
    :raises SpecError: QEMU is not installed.
    """
    board = find_board(architecture, arguments.machine, flavour_of_release(release))
    _check_board(arguments, board)
    devices: tuple[str, ...] = ()
    if arguments.disk_bus is not None:
        board, devices = board.with_bus(arguments.disk_bus)
    if arguments.nic is not None:
        board = dataclasses.replace(board, net=arguments.nic)
    program = find_program(board)
    accelerator = choose_accelerator(board, program)
    if accelerator.name == SOFTWARE and not arguments.quiet:
        print(f"rdcompose: software emulation: {accelerator.why}", file=sys.stderr)
    if board.counted and accelerator.name == SOFTWARE and (arguments.cpus or 1) > 1:
        raise UsageError(f"without KVM the machine {board.name} has one processor")
    return Emulation(board, (*devices, *(arguments.device or ())), program, accelerator.name)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A command line, understood and looked after."""

    arguments: argparse.Namespace
    artifacts: Artifacts
    emulation: Emulation
    root: Path | None  # an image of the user's
    made: Path | None  # the disk that is made for this machine
    efi: Efi | None  # what starts R.efi

    @property
    def init(self) -> str:
        """The program of the root that is to take over."""
        return _option(self.arguments.append, "init") or _INIT

    @property
    def board(self) -> Board:
        """The machine."""
        return self.emulation.board


def _check_board(arguments: argparse.Namespace, board: Board) -> None:
    if board.fixed and arguments.memory not in {None, board.memory}:
        raise UsageError(f"the machine {board.name} has {board.memory} MiB of memory")
    if board.fixed and arguments.cpus not in {None, board.cpus}:
        raise UsageError(f"the machine {board.name} has {board.cpus} processors")
    if board.dtb is None and arguments.dtb is not None:
        raise UsageError(f"the machine {board.name} makes its device tree itself: no --dtb")


def machine_of(job: Job) -> Machine:
    """Return the machine; what it takes need not be made yet."""
    arguments, board = job.arguments, job.board
    return Machine(
        board=board,
        accelerator=job.emulation.accelerator,
        kernel=job.artifacts.kernel,
        initramfs=job.artifacts.initramfs,
        append=_append(job),
        disks=tuple(_disks(job)),
        memory=arguments.memory or board.memory,
        cpus=arguments.cpus or board.cpus,
        network=arguments.net == "user" or arguments.nic is not None,
        monitor=not arguments.check,
        dtb=_device_tree(job),
        efi=job.efi,
        devices=job.emulation.devices,
    )


def make_argv(job: Job) -> list[str]:
    """Return the command, with all that it names made."""
    machine = machine_of(job)
    if job.efi is not None:
        make_partition(job.efi.partition, job.board, job.artifacts.uki, machine.command_line())
    return machine.argv(job.emulation.program)


def _append(job: Job) -> str:
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


def _disks(job: Job) -> Iterator[Disk]:
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


def _device_tree(job: Job) -> Path | None:
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


def make_disk(job: Job, initramfs: Initramfs, script: str, lines: list[str]) -> None:
    """Make the disk that is the root, or beside a root of the user.

    :raises SpecError: the initramfs cannot mount it, or has no programs for it.
    """
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


def initramfs_of(job: Job) -> Initramfs:
    """Read the initramfs.

    :raises SpecError: it cannot be read, or is none that a kernel unpacks.
    :raises FormatError: it is damaged.
    """
    path = job.artifacts.initramfs
    try:
        return read_initramfs(path.read_bytes())
    except OSError as error:
        raise SpecError(f"cannot read {path}: {error.strerror}") from error
    except (FormatError, SpecError) as error:
        raise type(error)(f"{path}: {error.message}") from error


def check_boot(job: Job) -> tuple[Run, Report]:
    """Boot, and judge what happened.

    :raises SpecError: the check cannot be made.
    """
    arguments, release = job.arguments, job.artifacts.release
    initramfs = initramfs_of(job)
    expected = Expected(
        release=release,
        autoload=initramfs.autoload,
        root_kinds=_root_kinds(job),
        modules_disk=job.artifacts.disk is not None,
        init=job.init,
    )
    make_disk(job, initramfs, "check", facts(expected))
    argv = make_argv(job)
    screen = _to_error if arguments.verbose else None
    shown = not (arguments.quiet or arguments.no_progress or arguments.verbose)
    with progress(f"booting {release}", shown=shown):
        run, verdict, crashes = check(argv, expected, limit=arguments.timeout, screen=screen)
    report = Report(
        release=release,
        architecture=job.artifacts.architecture,
        machine=job.board.name,
        accelerator=job.emulation.accelerator,
        verdict=verdict,
        crashes=crashes,
        seconds=run.seconds,
    )
    return run, report


def _to_error(piece: bytes) -> None:
    sys.stderr.buffer.write(piece)
    sys.stderr.buffer.flush()


def _root_kinds(job: Job) -> tuple[str, ...]:
    """Return the filesystems that the root may turn out to be."""
    if (asked := _option(job.arguments.append, "rootfstype")) is not None:
        return tuple(asked.split(","))
    if job.root is None:
        return ("squashfs",)
    if _option(job.arguments.append, "root") is not None or image_format(_start(job.root)) != "raw":
        return ()
    with job.root.open("rb") as image:
        return tuple(kinds_of_image(image))
