"""Several things at once, in threads that nobody has to wait for.

The threads of ``concurrent.futures`` are joined when the interpreter ends: one that waits
for a stalled server would hold up an interrupted program. These are daemons.
"""

from __future__ import annotations

import dataclasses
import queue
import threading
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from rdcompose.errors import FetchError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_T = TypeVar("_T")

# So many connections a mirror does not mind; more bring no more bytes.
_THREADS: Final = 6


@dataclasses.dataclass(frozen=True, slots=True)
class _Done(Generic[_T]):
    """The result of the job with this number."""

    number: int
    result: _T


def run_together(jobs: Sequence[Callable[[], _T]], cancelled: threading.Event) -> list[_T]:
    """Run jobs side by side and return their results in the order of the jobs.

    The first error is raised again here, as is an interrupt of the waiting thread. Either
    sets ``cancelled``, which tells the other jobs to stop, and does not wait until they have
    done so. A job that has not begun by then never does.
    """
    waiting: queue.SimpleQueue[tuple[int, Callable[[], _T]]] = queue.SimpleQueue()
    finished: queue.SimpleQueue[_Done[_T] | BaseException] = queue.SimpleQueue()
    for numbered in enumerate(jobs):
        waiting.put(numbered)
    try:
        for _ in range(min(_THREADS, len(jobs))):
            threading.Thread(target=_work, args=(waiting, finished, cancelled), daemon=True).start()
        return _collect(finished, len(jobs))
    except BaseException:
        cancelled.set()
        raise


def _work(
    waiting: queue.SimpleQueue[tuple[int, Callable[[], _T]]],
    finished: queue.SimpleQueue[_Done[_T] | BaseException],
    cancelled: threading.Event,
) -> None:
    while True:
        try:
            number, job = waiting.get_nowait()
        except queue.Empty:
            return
        done = _attempt(number, job, cancelled)
        finished.put(done)
        if isinstance(done, BaseException):
            cancelled.set()


def _attempt(
    number: int, job: Callable[[], _T], cancelled: threading.Event
) -> _Done[_T] | BaseException:
    if cancelled.is_set():
        return FetchError("given up, because something else failed or was interrupted")
    try:
        return _Done(number, job())
    except BaseException as error:  # noqa: BLE001  # raised again by the thread that waits
        return error


def _collect(finished: queue.SimpleQueue[_Done[_T] | BaseException], count: int) -> list[_T]:
    results: dict[int, _T] = {}
    while len(results) < count:
        done = finished.get()
        if isinstance(done, BaseException):
            raise done
        results[done.number] = done.result
    return [results[number] for number in range(count)]
