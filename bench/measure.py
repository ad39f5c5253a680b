"""What one run of a command takes: wall time, processor time, memory of all its processes.

Times are the kernel's own account of the process and the children it waited for (wait4). The
memory of a whole tree of processes has no such account: it is looked at every few milliseconds
as the sum of proportional set sizes (shared pages count once), in a run of its own whose times
are not taken, because looking costs time. A peak that lasts less than that is not seen there;
of a single process the kernel's own figure (``ru_maxrss``) has it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import resource
import subprocess
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

# Seconds between two looks at the memory; more if a look takes long, so that it holds up the
# process for a small share of the time only.
_LOOK: Final = 0.01
_REST: Final = 20
# KiB by which a peak has to be above this program's own to be another's.
_MARGIN: Final = 1024
# Of what a failed command printed.
_TAIL: Final = 2000


class RunError(Exception):
    """A command ended as it should not: what it was and the end of what it printed."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What one run took: seconds, and bytes of its largest process.

    A process begins as a copy of its parent: a peak below this program's own is not seen, and 0.
    """

    wall: float
    cpu: float
    memory: int


def measure(
    argv: Sequence[str], cwd: Path, env: Mapping[str, str], *, status: int = 0, limit: float = 600
) -> Usage:
    """Run a program to its end.

    :raises RunError: it ended with another exit status, or not within ``limit`` seconds.
    """
    start = time.perf_counter()
    with _started(argv, cwd, env) as process:
        return _finish(process, start, status, limit)


def measure_tree(
    argv: Sequence[str], cwd: Path, env: Mapping[str, str], *, status: int = 0, limit: float = 600
) -> tuple[Usage, int]:
    """Run a program to its end, and look at the memory of all its processes meanwhile.

    Returns also the peak of that in bytes. The times have the looking in them.

    :raises RunError: it ended with another exit status, or not within ``limit`` seconds.
    """
    start = time.perf_counter()
    with _started(argv, cwd, env) as process:
        over = threading.Event()
        peaks: list[int] = [0]
        looker = threading.Thread(target=_look, args=(process.pid, over, peaks))
        looker.start()
        try:
            used = _finish(process, start, status, limit)
        finally:
            over.set()
            looker.join()
    return used, peaks[0]


def _finish(process: subprocess.Popen[bytes], start: float, status: int, limit: float) -> Usage:
    output = _read(process, limit)
    _, raw, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(raw)
    _check(process.args, process.returncode, status, output)
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return Usage(
        wall=round(wall, 4),
        cpu=round(used.ru_utime + used.ru_stime, 4),
        memory=seen_memory(used.ru_maxrss, own),
    )


def seen_memory(peak: int, own: int) -> int:
    """Return a peak in bytes, from KiB; 0 if it is not above that of this program."""
    return peak * 1024 if peak > own + _MARGIN else 0


@contextlib.contextmanager
def _started(
    argv: Sequence[str], cwd: Path, env: Mapping[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    try:
        process = subprocess.Popen(
            argv,
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
    except OSError as error:
        raise RunError(f"{argv[0]} cannot be started: {error.strerror}") from error
    try:
        yield process
    finally:
        # After an interrupt; one that has been waited for is left alone.
        if process.returncode is None:
            process.kill()
            process.wait()
        assert process.stdout is not None
        process.stdout.close()


def _read(process: subprocess.Popen[bytes], limit: float) -> bytes:
    """Read all that a process prints; it is ended when the time is over."""
    assert process.stdout is not None
    timer = threading.Timer(limit, process.kill)
    timer.start()
    try:
        return process.stdout.read()
    finally:
        timer.cancel()


def _check(argv: object, ended: int, status: int, output: bytes) -> None:
    if ended != status:
        assert isinstance(argv, list | tuple)
        text = output[-_TAIL:].decode("utf-8", "replace").strip()
        name = str(argv[0]).rpartition("/")[2]
        raise RunError(f"{name} ended with {ended}, not {status}: {text or 'it said nothing'}")


def _look(root: int, over: threading.Event, peaks: list[int]) -> None:
    pause = _LOOK
    while not over.wait(pause):
        start = time.perf_counter()
        peaks[0] = max(peaks[0], sum(proportional_size(pid) for pid in family(root)))
        pause = max(_LOOK, (time.perf_counter() - start) * _REST)


def family(root: int) -> list[int]:
    """Return the numbers of a process and all that descend from it, those there are."""
    found, todo = [], [root]
    while todo:
        pid = todo.pop()
        found.append(pid)
        for task in _listed(Path(f"/proc/{pid}/task")):
            with contextlib.suppress(OSError):
                todo += [int(word) for word in (task / "children").read_bytes().split()]
    return found


def _listed(directory: Path) -> list[Path]:
    try:
        return list(directory.iterdir())
    except OSError:
        return []


def proportional_size(pid: int) -> int:
    """Return the proportional set size of a process in bytes; 0 of one that has ended."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_bytes()
    except OSError:
        return 0
    _, found, rest = text.partition(b"\nPss:")
    return int(rest.split(maxsplit=1)[0]) * 1024 if found else 0


@dataclasses.dataclass(frozen=True, slots=True)
class Clock:
    """A moment: of the clock, of all processors together and of our own children, in seconds."""

    wall: float
    busy: float
    own: float

    @classmethod
    def now(cls) -> Clock:
        """Return the present."""
        fields = Path("/proc/stat").read_text(encoding="ascii").splitlines()[0].split()[1:]
        ticks = [int(field) for field in fields]
        # user nice system idle iowait irq softirq steal: all that is not waiting.
        busy = sum(ticks[:3]) + sum(ticks[5:8])
        used = os.times()
        return cls(
            wall=time.monotonic(),
            busy=busy / os.sysconf("SC_CLK_TCK"),
            own=used.user + used.system + used.children_user + used.children_system,
        )

    def others_until(self, end: Clock) -> float:
        """Return how many processors others kept busy between two moments, on average."""
        foreign = (end.busy - self.busy) - (end.own - self.own)
        return max(foreign / max(end.wall - self.wall, 1e-3), 0.0)
