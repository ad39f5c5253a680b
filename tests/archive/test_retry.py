from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from rdcompose.archive.failures import TransientError
from rdcompose.archive.retry import Retry
from rdcompose.errors import FetchError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

URL = "http://user:word@host/file"


class Trial:
    """Something that fails as it is told to, and the pauses behind it."""

    def __init__(self, *failures: Exception | None, attempts: int = 5) -> None:
        self.pauses: list[float] = []
        self.cancelled = threading.Event()
        self.retry = Retry(
            attempts=attempts, backoff=0.5, cancelled=self.cancelled, sleep=self.pauses.append
        )
        self._failures: Iterator[Exception | None] = iter(failures)

    def attempt(self) -> str:
        failure = next(self._failures)
        if failure is not None:
            raise failure
        return "done"

    def run(self, reached: Callable[[], int] = lambda: 0) -> str:
        return self.retry.call(URL, self.attempt, reached)


def passing(pause: float = 0) -> TransientError:
    return TransientError("it rains", pause=pause, hint="wait")


def test_what_works_is_not_repeated() -> None:
    trial = Trial(None)
    assert trial.run() == "done"
    assert trial.pauses == []


def test_pauses_double() -> None:
    trial = Trial(*(passing() for _ in range(4)), None)
    assert trial.run() == "done"
    assert trial.pauses == [0.5, 1, 2, 4]


def test_the_server_says_how_long() -> None:
    trial = Trial(passing(7), passing(0.1), passing(10**17), None)
    assert trial.run() == "done"
    assert trial.pauses == [7, 1, 60]


def test_pauses_do_not_grow_for_ever() -> None:
    trial = Trial(*(passing() for _ in range(2000)), None, attempts=3000)
    assert trial.run() == "done"
    assert max(trial.pauses) == 60


@pytest.mark.parametrize(("attempts", "message"), [(1, "it rains"), (3, "it rains (3 attempts)")])
def test_it_ends(attempts: int, message: str) -> None:
    trial = Trial(*(passing() for _ in range(attempts)), attempts=attempts)
    with pytest.raises(FetchError) as caught:
        trial.run()
    assert (caught.value.message, caught.value.hint) == (message, "wait")
    assert len(trial.pauses) == attempts - 1


def test_what_will_not_pass_is_not_repeated() -> None:
    trial = Trial(FetchError("refused"))
    with pytest.raises(FetchError, match="refused"):
        trial.run()
    assert trial.pauses == []


def test_progress_makes_patient() -> None:
    bytes_there = iter(range(0, 1 << 40, 1 << 18))
    trial = Trial(*(passing() for _ in range(20)), None, attempts=2)
    assert trial.run(lambda: next(bytes_there)) == "done"
    assert trial.pauses == [0.5] * 20


def test_small_steps_add_up() -> None:
    steps = iter([0, 0, 1 << 17, 1 << 18, 1 << 18, 1 << 18, 1 << 18])
    trial = Trial(*(passing() for _ in range(5)), attempts=3)
    with pytest.raises(FetchError, match="5 attempts"):
        trial.run(lambda: next(steps))
    assert trial.pauses == [0.5, 1, 0.5, 1]


def test_a_byte_at_a_time_is_no_progress() -> None:
    bytes_there = iter(range(100))
    trial = Trial(*(passing() for _ in range(5)))
    with pytest.raises(FetchError, match="5 attempts"):
        trial.run(lambda: next(bytes_there))


def test_cancelling_ends_it() -> None:
    trial = Trial(passing(), None)
    trial.cancelled.set()
    with pytest.raises(FetchError) as caught:
        trial.run()
    assert caught.value.message == "cannot fetch http://host/file: interrupted"


def test_cancelling_ends_a_pause() -> None:
    cancelled = threading.Event()
    # With this pause a test would not end.
    retry = Retry(attempts=9, backoff=10**6, cancelled=cancelled, sleep=None)

    def attempt() -> None:
        cancelled.set()
        raise passing()

    with pytest.raises(FetchError, match="interrupted"):
        retry.call(URL, attempt)
