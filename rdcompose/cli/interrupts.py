"""Signals that end a command: each is an exception that unwinds, so that nothing is left behind.

Where C calls Python (a callback of libarchive, a finalizer), an exception cannot pass: the
interpreter prints it and goes on, with a wrong result. So it is also remembered which signal
came: an error that follows is its doing.
"""

from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_arrived: list[int] = []


class Interrupt(KeyboardInterrupt):
    """One of the signals, by its number.

    For SIGINT too: of a KeyboardInterrupt itself the interpreter sometimes thinks that nobody
    has caught it, and dies of the signal in the end.
    """

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


def catch() -> None:
    """Raise :class:`Interrupt` in the main thread at each of the signals from now on."""
    for number in _SIGNALS:
        # nohup(1) and shells, for what runs in the background, have some of them ignored.
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _raise)
    sys.unraisablehook = _pass_over


def release() -> None:
    """Let the signals end the program at once: nothing is left that is to be put in order."""
    for number in _SIGNALS:
        if signal.getsignal(number) is _raise:
            signal.signal(number, signal.SIG_DFL)


def arrived() -> int | None:
    """Return the number of the first signal that came, ``None`` if none has."""
    return _arrived[0] if _arrived else None


def _raise(number: int, _frame: FrameType | None) -> NoReturn:
    _arrived.append(number)
    raise Interrupt(number)


def _pass_over(unraisable: sys.UnraisableHookArgs) -> None:
    if not issubclass(unraisable.exc_type, Interrupt):
        sys.__unraisablehook__(unraisable)
