"""Signals that end a command: each is an exception that unwinds, so that nothing is left behind.

Where C calls Python (a callback of libarchive, a finalizer), an exception cannot pass: the
interpreter prints it and goes on, with a wrong result. So the exception is raised again a little
later, and it is remembered which signal came: an error that follows is its doing.

Some functions of the interpreter's own library must not be left by an exception, because they
have just taken a lock: other threads would wait for it forever. There it is raised later, too.
"""

from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_arrived: list[int] = []
# The import system: it is written in Python, and takes locks without "with".
_IMPORTING: Final = frozenset(
    {"<frozen importlib._bootstrap>", "<frozen importlib._bootstrap_external>"}
)
# Of the module threading: where a thread waits, maybe for long.
_WAITING: Final = frozenset({"wait", "wait_for", "join", "_wait_for_tstate_lock"})

_SOON: Final = 0.001


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
    signal.signal(signal.SIGALRM, _raise_again)
    sys.unraisablehook = _pass_over


def release() -> None:
    """Let the signals end the program at once: nothing is left that is to be put in order."""
    signal.setitimer(signal.ITIMER_REAL, 0)
    if signal.getsignal(signal.SIGALRM) is _raise_again:
        signal.signal(signal.SIGALRM, signal.SIG_IGN)
    for number in _SIGNALS:
        if signal.getsignal(number) is _raise:
            signal.signal(number, signal.SIG_DFL)


def arrived() -> int | None:
    """Return the number of the first signal that came, ``None`` if none has."""
    return _arrived[0] if _arrived else None


def may_raise(frame: FrameType | None) -> bool:
    """Whether an exception of a signal may end the function that the signal has stopped."""
    if frame is None:
        return True
    if frame.f_code.co_filename in _IMPORTING:
        return False
    return frame.f_globals.get("__name__") != "threading" or frame.f_code.co_name in _WAITING


def later() -> None:
    """Let ``SIGALRM`` arrive soon, which is to do what could not be done now."""
    signal.setitimer(signal.ITIMER_REAL, _SOON)


def _raise(number: int, frame: FrameType | None) -> None:
    _arrived.append(number)
    _raise_again(number, frame)


def _raise_again(_number: int, frame: FrameType | None) -> None:
    if may_raise(frame):
        raise Interrupt(_arrived[-1])
    later()


def _pass_over(unraisable: sys.UnraisableHookArgs) -> None:
    if issubclass(unraisable.exc_type, Interrupt):
        later()
    else:
        sys.__unraisablehook__(unraisable)
