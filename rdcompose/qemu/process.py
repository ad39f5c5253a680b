"""Runs QEMU and listens to its console."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import select
import shutil
import subprocess
import time
from typing import TYPE_CHECKING, Final

from rdcompose.errors import SpecError
from rdcompose.qemu.console import Line, Recorder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rdcompose.qemu.boards import Board

# What a machine may print in all before it counts as gone mad.
MAX_OUTPUT: Final = 16 << 20
MAX_LINES: Final = 100_000
# How long it may take to switch itself off after it has said all that matters.
_GRACE: Final = 10.0
# How long it may take to end when it is told to.
_PATIENCE: Final = 2.0
_PIECE: Final = 65536


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """How a machine ran. ``status`` is QEMU's, ``None`` if it had to be ended."""

    lines: tuple[Line, ...]
    status: int | None
    seconds: float
    timed_out: bool = False
    too_much: bool = False


def find_program(board: Board) -> str:
    """Return the path of QEMU for a board.

    :raises SpecError: it is not installed.
    """
    path = shutil.which(board.program)
    if path is None:
        raise SpecError(
            f"{board.program} is not installed",
            hint=f"on Debian: apt-get install --no-install-recommends {board.package}",
        )
    return path


def run_machine(
    argv: Sequence[str],
    *,
    limit: float | None = None,
    keyboard: bool = False,
    screen: Callable[[bytes], None] | None = None,
    last: Callable[[Line], bool] | None = None,
) -> Run:
    """Run QEMU until it ends, and return its console.

    After ``limit`` seconds it is ended, and a few seconds after the line that ``last`` says
    is the last one. It gets what is typed only with ``keyboard``. ``screen`` is given every
    piece of output as it comes.

    :raises SpecError: QEMU cannot be started.
    """
    watch = _Watch(limit, last)
    with _started(argv, keyboard=keyboard) as process:
        assert process.stdout is not None
        for piece in watch.pieces(process.stdout.fileno()):
            if screen is not None:
                screen(piece)
            watch.take(piece)
            if watch.too_much:
                break
        watch.recorder.finish()
        timed_out = watch.over and not watch.closing
        status = None
        if not (timed_out or watch.too_much):
            with contextlib.suppress(subprocess.TimeoutExpired):
                status = process.wait(0 if watch.over else _GRACE)
    return Run(
        lines=tuple(watch.recorder.lines),
        status=status,
        seconds=watch.now,
        timed_out=timed_out,
        too_much=watch.too_much,
    )


class _Watch:
    """Follows a console: what was printed, and until when there may be more."""

    def __init__(self, limit: float | None, last: Callable[[Line], bool] | None) -> None:
        self.recorder = Recorder()
        self.closing = False
        self._last = last
        self._start = time.monotonic()
        # A person at the console decides how much is too much.
        self._bounded = limit is not None
        self._end = None if limit is None else self._start + limit

    @property
    def now(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._start

    @property
    def over(self) -> bool:
        """Whether the time is over."""
        return self._end is not None and time.monotonic() >= self._end

    @property
    def too_much(self) -> bool:
        """Whether more was printed than a machine in its senses prints."""
        return self._bounded and self._full

    @property
    def _full(self) -> bool:
        return self.recorder.size > MAX_OUTPUT or len(self.recorder.lines) > MAX_LINES

    def take(self, piece: bytes) -> None:
        """Note what arrived."""
        if self._full:
            return
        added = self.recorder.add(piece, self.now)
        if self._last is not None and not self.closing and any(map(self._last, added)):
            self.closing = True
            self._end = time.monotonic() + _GRACE

    def pieces(self, descriptor: int) -> Iterator[bytes]:
        """Yield output until it ends or the time is over."""
        while not self.over:
            left = None if self._end is None else max(self._end - time.monotonic(), 0)
            if not select.select([descriptor], [], [], left)[0]:
                return
            if not (piece := os.read(descriptor, _PIECE)):
                return
            yield piece


@contextlib.contextmanager
def _started(argv: Sequence[str], *, keyboard: bool) -> Iterator[subprocess.Popen[bytes]]:
    try:
        process = subprocess.Popen(
            argv,
            stdin=None if keyboard else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
    except OSError as error:
        raise SpecError(f"cannot start {argv[0]}: {error.strerror}") from error
    with process:
        try:
            yield process
        finally:
            if process.poll() is None:
                _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    # Asked politely first, QEMU puts the terminal right and removes its temporary files.
    process.terminate()
    try:
        process.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
