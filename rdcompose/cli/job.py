"""A job: builds of one kernel, which is read once for all of them.

:func:`build_job` takes and returns what can be pickled, so any ``concurrent.futures.Executor`` can
run it: threads, processes, a cluster. It writes the files itself; a failed build is told by its
outcome, and does not stop the next one.
"""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import os
import secrets
import threading
from typing import TYPE_CHECKING, Any, Final, TypeVar

from rdcompose import __version__
from rdcompose.cli.composition import DEFAULTS, Compositions, wish
from rdcompose.cli.interrupts import arrived
from rdcompose.cli.prepared import kept_blocks, kernel_store
from rdcompose.cli.summary import summary
from rdcompose.cli.terminal import progress, warn
from rdcompose.compose.lock import read_lock
from rdcompose.errors import RdcomposeError, SpecError, UsageError
from rdcompose.formats.squashfs.store import MemoryBlocks
from rdcompose.outputs import write_outputs

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from rdcompose.cli.prepared import KernelStore
    from rdcompose.cli.terminal import Say

T = TypeVar("T")

_ONE: Final = threading.Lock()

# What is kept of the disks of a kernel, in bytes: the largest of Debian's has less.
_BLOCKS: Final = 128 << 20

# Builds that agree in these are of the same kernels, from the same place.
_KERNEL: Final = (
    *("kernel", "arch", "release", "locked", "mirror", "suite", "keyring", "snapshot"),
    *("no_snapshot", "snapshot_service", "offline", "cache", "allow_unverified"),
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One build of a job: what it is called, and its arguments; ``output`` is its directory."""

    title: str
    arguments: argparse.Namespace


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Builds of the same kernel. ``directory`` is what relative paths are relative to.

    ``mark`` is a part of the names of its temporary files, and ``version`` of rdcompose the one
    that is to do it.
    """

    parts: tuple[Part, ...]
    directory: Path
    mark: str = dataclasses.field(default_factory=lambda: secrets.token_hex(4))
    version: str = __version__


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why there is no result; ``usage``: what was asked for cannot be."""

    message: str
    hint: str | None
    usage: bool


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a build: a summary of each kernel, or why there is none.

    ``said`` are warnings and notes of the way there.
    """

    title: str
    output: Path
    summaries: tuple[dict[str, Any], ...] = ()
    said: tuple[str, ...] = ()
    failure: Failure | None = None


def same_kernel(rows: Iterable[T], options: Callable[[T], Mapping[str, Any]]) -> list[list[T]]:
    """Return rows grouped by the kernels that their ``options`` ask for, in the order they came."""
    groups: dict[str, list[T]] = {}
    for row in rows:
        found = options(row)
        groups.setdefault(repr([found.get(name) for name in _KERNEL]), []).append(row)
    return list(groups.values())


def jobs_of(parts: Iterable[Part], directory: Path) -> list[Job]:
    """Return builds grouped by their kernels, both in the order of the builds."""
    groups = same_kernel(parts, lambda part: vars(part.arguments))
    return [Job(parts=tuple(group), directory=directory) for group in groups]


def build_job(job: Job) -> tuple[Outcome, ...]:
    """Make the builds of a job, silently; returns what became of each.

    :raises SpecError: this is not where the job can be done.
    """
    if job.version != __version__:
        raise SpecError(
            f"rdcompose is {__version__} where jobs are done, and {job.version} here",
            hint="install the same version everywhere",
        )
    # One at a time: the current directory belongs to the process, and memory does, too.
    with _ONE, _directory(job.directory):
        said: list[str] = []
        outcomes = []
        for outcome in outcomes_of(job, shown=False, say=said.append):
            outcomes.append(dataclasses.replace(outcome, said=tuple(said)))
            said.clear()
    return tuple(outcomes)


@contextlib.contextmanager
def _directory(path: Path) -> Iterator[None]:
    before = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            os.chdir(path)
        except OSError as error:
            raise SpecError(
                f"there is no directory {path} where jobs are done: {error.strerror}",
                hint="all machines must see it at the same path",
            ) from error
        try:
            yield
        finally:
            os.fchdir(before)
    finally:
        os.close(before)


def outcomes_of(job: Job, *, shown: bool, say: Say = warn) -> Iterator[Outcome]:
    """Make the builds of a job, one after the other, in this process and directory."""
    with kernel_store(job.parts[0].arguments) as store:
        compositions = Compositions(store=store, shown=shown, say=say)
        memory = MemoryBlocks(_BLOCKS) if len(job.parts) > 1 else None
        for part in job.parts:
            output: Path = part.arguments.output
            try:
                summaries = _build(part, compositions, store, memory, job.mark, shown=shown)
            except RdcomposeError as error:
                if arrived() is not None:
                    raise  # an interrupt is behind it
                yield Outcome(title=part.title, output=output, failure=failure_of(error))
            else:
                yield Outcome(title=part.title, output=output, summaries=summaries)
    # Before the next kernel is read, this one has to go: parts of it hold each other.
    del compositions, memory, store
    gc.collect()


def failure_of(error: RdcomposeError) -> Failure:
    """Return an error as data."""
    return Failure(message=error.message, hint=error.hint, usage=isinstance(error, UsageError))


def _build(
    part: Part,
    compositions: Compositions,
    store: KernelStore | None,
    memory: MemoryBlocks | None,
    mark: str,
    *,
    shown: bool,
) -> tuple[dict[str, Any], ...]:
    arguments = part.arguments
    lock = None if arguments.locked is None else read_lock(arguments.locked)
    composition = compositions.compose(wish(arguments, lock, DEFAULTS))
    with progress(f"composing {part.title}", shown=shown):
        plans = composition.plans()
        if lock is not None:
            lock.check(plans[0].inputs)
        with kept_blocks(store, composition.kernels.packages, memory) as blocks:
            results = write_outputs(
                plans, arguments.output, threads=arguments.threads, blocks=blocks, mark=mark
            )
    return tuple(summary(result, arguments.output) for result in results)
