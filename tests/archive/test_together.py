from __future__ import annotations

import threading
import traceback

import pytest

from rdcompose.archive.together import run_together
from rdcompose.errors import FetchError
from tests.support.fetching import PATIENCE


def test_results_come_in_the_order_of_the_jobs() -> None:
    second_is_done = threading.Event()

    def first() -> str:
        assert second_is_done.wait(PATIENCE)
        return "first"

    def second() -> str:
        second_is_done.set()
        return "second"

    cancelled = threading.Event()
    assert run_together([first, second], cancelled) == ["first", "second"]
    assert not cancelled.is_set()


def test_jobs_run_side_by_side_in_daemons() -> None:
    barrier = threading.Barrier(4)

    def job() -> bool:
        barrier.wait(PATIENCE)
        return threading.current_thread().daemon

    assert run_together([job] * 4, threading.Event()) == [True] * 4


def test_any_number_of_jobs() -> None:
    jobs = [lambda number=number: number for number in range(1000)]
    assert run_together(jobs, threading.Event()) == list(range(1000))
    assert run_together([], threading.Event()) == []
    assert run_together([lambda: None], threading.Event()) == [None]


def test_threads_are_few() -> None:
    running: list[str] = []
    lock = threading.Lock()

    def job() -> int:
        with lock:
            running.append("+")
            now = running.count("+") - running.count("-")
        barrier.wait(PATIENCE)
        with lock:
            running.append("-")
        return now

    barrier = threading.Barrier(6)
    assert max(run_together([job] * 36, threading.Event())) == 6


@pytest.mark.parametrize("error", [FetchError("no answer"), KeyError("bug"), KeyboardInterrupt()])
def test_the_first_error_is_raised_without_waiting(error: BaseException) -> None:
    cancelled, released, told = (threading.Event() for _ in range(3))
    begun = threading.Semaphore(0)
    late: list[int] = []

    def fail() -> None:
        for _ in range(5):
            assert begun.acquire(timeout=PATIENCE)
        raise error

    def stall() -> None:
        begun.release()
        assert released.wait(PATIENCE)
        if cancelled.is_set():
            told.set()

    def never() -> None:
        late.append(1)

    before = set(threading.enumerate())
    with pytest.raises(type(error)) as caught:
        run_together([fail, *[stall] * 5, *[never] * 20], cancelled)
    assert caught.value is error
    # A bug is to be found: where it was raised is not lost.
    assert traceback.extract_tb(error.__traceback__)[-1].name == "fail"
    # The jobs that stall are still there, so nobody waited for them.
    assert not told.is_set()
    assert cancelled.is_set()
    released.set()
    for thread in set(threading.enumerate()) - before:
        thread.join(PATIENCE)
    assert told.is_set()
    assert late == []


def test_what_is_cancelled_already_does_not_begin() -> None:
    cancelled = threading.Event()
    cancelled.set()
    late: list[int] = []
    with pytest.raises(FetchError, match="given up"):
        run_together([lambda: late.append(1)], cancelled)
    assert late == []


def test_jobs_may_run_jobs() -> None:
    cancelled = threading.Event()

    def outer(number: int) -> list[int]:
        return run_together([lambda: number, lambda: number + 1], cancelled)

    jobs = [lambda number=number: outer(number) for number in range(20)]
    assert run_together(jobs, cancelled) == [[number, number + 1] for number in range(20)]
