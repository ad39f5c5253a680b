"""Trying again: how often, after what pause, and when to stop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from rdcompose.archive.addresses import shown
from rdcompose.archive.failures import TransientError
from rdcompose.errors import FetchError

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

_T = TypeVar("_T")

_LONGEST_PAUSE: Final = 60.0
# Less is no progress: a server that sends a byte each time could go on so for ever.
_PROGRESS: Final = 1 << 18


class Retry:
    """Attempts things until they work.

    ``attempts`` is how often in a row something may fail; a failure after progress counts as
    the first. The pause after a failure is ``backoff`` seconds, doubled each time, or what
    the server asks for if that is longer; never more than a minute. ``cancelled`` ends it
    all, pauses too.
    """

    def __init__(
        self,
        *,
        attempts: int,
        backoff: float,
        cancelled: threading.Event,
        sleep: Callable[[float], object] | None,
    ) -> None:
        self._attempts = attempts
        self._backoff = backoff
        self._cancelled = cancelled
        self._sleep = sleep or cancelled.wait

    def check(self, url: str) -> None:
        """Do nothing unless cancelled.

        :raises FetchError: cancelled.
        """
        if self._cancelled.is_set():
            raise FetchError(f"cannot fetch {shown(url)}: interrupted")

    def call(
        self, url: str, attempt: Callable[[], _T], reached: Callable[[], int] = lambda: 0
    ) -> _T:
        """Return what an attempt returns in the end.

        ``reached`` tells how many bytes have been gained, for what is progress.

        :raises FetchError: it failed too often, or was cancelled.
        """
        count = failures = 0
        start = reached()
        while True:
            self.check(url)
            count += 1
            try:
                return attempt()
            except TransientError as error:
                failures += 1
                if (now := reached()) >= start + _PROGRESS:
                    start, failures = now, 1
                if failures >= self._attempts:
                    raise _final(error, count) from error
                pause = max(self._backoff * 2 ** min(failures - 1, 16), error.pause)
            self._sleep(min(pause, _LONGEST_PAUSE))


def _final(error: TransientError, count: int) -> FetchError:
    attempts = f" ({count} attempts)" if count > 1 else ""
    return FetchError(error.message + attempts, hint=error.hint)
