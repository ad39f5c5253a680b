"""Jobs beside each other, in processes of this machine.

Processes are started afresh, not forked, because threads run here by then. Each ends with the
signal that this process sends it, or when this process has gone, and puts in order what it began.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor, as_completed
from typing import TYPE_CHECKING, Final, Protocol

from rdcompose.cli.interrupts import later, may_raise
from rdcompose.cli.job import Failure, Outcome
from rdcompose.publish import sweep

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from concurrent.futures import Executor
    from types import FrameType

    from rdcompose.cli.job import Job

    Work = Callable[[Job], tuple[Outcome, ...]]

_OF_TERMINALS: Final = frozenset({signal.SIGINT, signal.SIGHUP})


class Pool(Protocol):
    """Somewhere to run jobs.

    ``lost`` is what a job raises that ended its process; if ``again``, it is tried once more.
    """

    @property
    def lost(self) -> tuple[type[Exception], ...]: ...  # noqa: D102

    @property
    def again(self) -> bool: ...  # noqa: D102

    def open(self) -> contextlib.AbstractContextManager[Executor]:
        """Give an executor; an error or interrupt of the body ends what runs."""
        ...


class ProcessPool:
    """So many processes of this machine."""

    lost: tuple[type[Exception], ...] = (BrokenExecutor,)

    def __init__(self, count: int) -> None:
        self._count = count
        self.again = True

    @contextlib.contextmanager
    def open(self) -> Iterator[Executor]:
        """Give an executor; an error or interrupt of the body ends the processes."""
        with _interrupts_later():
            executor = ProcessPoolExecutor(
                self._count, mp_context=multiprocessing.get_context("spawn"), initializer=_begin
            )
        try:
            yield executor
        except BaseException:
            for child in multiprocessing.active_children():
                child.terminate()
            raise
        finally:
            executor.shutdown(cancel_futures=True)


def run_jobs(jobs: Sequence[Job], pool: Pool, work: Work) -> Iterator[Outcome]:
    """Run jobs and yield what became of their builds as each is done.

    Where a process was killed, nobody knows on whose account: what was not done by then is done
    again, each job in a process of its own.
    """
    left = []
    with pool.open() as executor:
        with _interrupts_later():
            futures = {executor.submit(_unless_ended, work, job): job for job in jobs}
        for future in as_completed(futures):
            job = futures[future]
            try:
                outcomes = future.result()
            except pool.lost:
                left.append(job)
            else:
                yield from _tidied(job, outcomes)
    for job in (job for job in jobs if job in left):
        yield from _tidied(job, _again(job, work) if pool.again else lost(job))


def _again(job: Job, work: Work) -> tuple[Outcome, ...]:
    with ProcessPool(1).open() as executor:
        with _interrupts_later():
            future = executor.submit(_unless_ended, work, job)
        try:
            return future.result()
        except BrokenExecutor:
            return lost(job)


def _tidied(job: Job, outcomes: Sequence[Outcome]) -> Sequence[Outcome]:
    """Remove what killed processes have left of a job that is done."""
    for outcome in outcomes:
        directory = job.directory / outcome.output
        sweep(directory, job.mark, published=outcome.failure is None)
    return outcomes


def lost(job: Job) -> tuple[Outcome, ...]:
    """Return the outcomes of a job that ended its process."""
    failure = Failure(
        message="the process that made it was killed",
        hint="most likely it needed more memory than there is",
        usage=False,
    )
    return tuple(
        Outcome(title=part.title, output=part.arguments.output, failure=failure)
        for part in job.parts
    )


@contextlib.contextmanager
def _interrupts_later() -> Iterator[None]:
    """Hold back signals while processes are started.

    What a terminal sends to all processes of a command does not reach one before it is ready, and
    never the one in which multiprocessing keeps account of its locks. And none is left half made.
    """
    earlier = signal.pthread_sigmask(signal.SIG_BLOCK, {*_OF_TERMINALS, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, earlier)


def _begin() -> None:
    """Prepare a process: of signals it follows only the one that its parent sends."""
    for number in _OF_TERMINALS:
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _end)
    signal.signal(signal.SIGALRM, _end)
    sys.unraisablehook = _pass_over
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {*_OF_TERMINALS, signal.SIGTERM})
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _unless_ended(work: Work, job: Job) -> tuple[Outcome, ...]:
    try:
        return work(job)
    except SystemExit as end:
        # Everything is in order again. The pool's own loop would go on with the next job.
        os._exit(int(end.code or 0))


def _end(_number: int, frame: FrameType | None) -> None:
    if not may_raise(frame):
        later()
        return
    # Once: what is being put in order must not be interrupted again.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise SystemExit(128 + signal.SIGTERM)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)


def _pass_over(unraisable: sys.UnraisableHookArgs) -> None:
    if issubclass(unraisable.exc_type, SystemExit):
        # Where C calls Python, the end cannot pass.
        later()
    else:
        sys.__unraisablehook__(unraisable)
