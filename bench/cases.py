"""Commands to measure side by side, and how they are run.

All of a group run in turns, so that a busy moment of the machine hits all alike. The round
before the first that counts fills the page cache, and is where the memory of all processes is
looked at.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bench.measure import RunError, measure, measure_tree
from bench.results import Row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

TOP: Final = Path(__file__).resolve().parents[1]
LAUNCHER: Final = TOP / "bin" / "rdcompose"
# Words of a command that are shown at most.
_SHOWN: Final = 32
_SYSTEM: Final = ("/usr/local/sbin", "/usr/sbin", "/sbin")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A command that runs in an empty directory of its own, again and again.

    ``sizes`` are patterns of the files whose sizes are told. ``prepare``: commands that run once
    before all, in a directory that is thrown away. ``status``: what it must end with.
    """

    name: str
    words: tuple[str, ...]
    sizes: tuple[str, ...] = ()
    prepare: tuple[tuple[str, ...], ...] = ()
    status: int = 0
    group: str = ""
    note: str = ""
    facts: dict[str, float] = dataclasses.field(default_factory=dict)
    runs: int | None = None
    once: bool = False

    @property
    def key(self) -> tuple[str, str]:
        """What tells it from the others of a section."""
        return self.group, self.name


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What all sections measure with.

    ``packages`` maps names to files, ``lacking`` others to why they are not there; see
    bench/packages.py. ``scratch`` is emptied at the end. ``minivm``: a checkout of MiniVM's
    kernel directory.
    """

    runs: int
    scratch: Path
    packages: Mapping[str, str]
    lacking: Mapping[str, str]
    minivm: Path | None
    tell: Callable[[str], None]

    def package(self, name: str) -> str:
        """Return the path of a package.

        :raises RunError: it could not be had.
        """
        if name not in self.packages:
            raise RunError(self.lacking.get(name, f"there is no {name}"))
        return self.packages[name]

    def programs(self, suite: str, arch: str) -> tuple[str, ...]:
        """Return the options that name busybox and e2fsck of an architecture.

        :raises RunError: they could not be had.
        """
        busybox, e2fsck = (f"{name}-static:{suite}:{arch}" for name in ("busybox", "e2fsck"))
        return "--busybox", self.package(busybox), "--e2fsck", self.package(e2fsck)

    def build(self, kernel: str, *options: str, busybox: str = "") -> tuple[str, ...]:
        """Return the command that builds a kernel of bench/packages.py.

        ``busybox``: another than Debian's.

        :raises RunError: a package could not be had.
        """
        suite, arch = {"arm64": ("trixie", "arm64"), "trixie": ("trixie", "amd64")}.get(
            kernel, ("bookworm", "amd64")
        )
        programs = self.programs(suite, arch)
        if busybox:
            programs = ("--busybox", busybox, *programs[2:])
        return str(LAUNCHER), "build", self.package(kernel), *programs, "--no-progress", *options


def environment() -> dict[str, str]:
    """Return what commands are run with.

    Compiled Python files are kept, as on a user's machine, whatever this one is set to; no
    threads or cache of the caller's are named.
    """
    dropped = ("PYTHONDONTWRITEBYTECODE", "PYTHONPATH", "RDCOMPOSE_CACHE", "SOURCE_DATE_EPOCH")
    kept = {name: value for name, value in os.environ.items() if name not in dropped}
    path = [*kept.get("PATH", os.defpath).split(os.pathsep), *_SYSTEM]
    return {**kept, "PATH": os.pathsep.join(dict.fromkeys(path)), "LC_ALL": "C.UTF-8"}


def lacks(*names: str) -> str:
    """Return the programs that are not installed, as a text; empty if all are."""
    path = environment()["PATH"]
    return ", ".join(name for name in names if shutil.which(name, path=path) is None)


def run_cases(bench: Bench, cases: Sequence[Case]) -> list[Row]:
    """Measure cases in turns.

    A case that fails is left, and its row says why.
    """
    kept = [_Kept(case, runs=_count(bench, case)) for case in cases]
    for state in kept:
        bench.tell(f"{state.label}: first run")
        _guard(bench, state, _first)
    for number in range(1, max((state.runs for state in kept), default=0) + 1):
        for state in kept:
            if number <= state.runs and not state.error:
                bench.tell(f"{state.label}: run {number} of {state.runs}")
                _guard(bench, state, _counted)
    return [state.row(bench) for state in kept]


def _count(bench: Bench, case: Case) -> int:
    if case.once:
        return 0
    return bench.runs if case.runs is None else min(case.runs, bench.runs)


@dataclasses.dataclass(slots=True)
class _Kept:
    """A case in the making."""

    case: Case
    runs: int
    taken: list[dict[str, float]] = dataclasses.field(default_factory=list)
    memory: int | None = None
    sizes: dict[str, int] = dataclasses.field(default_factory=dict)
    error: str = ""

    @property
    def label(self) -> str:
        return ", ".join(word for word in self.case.key if word)

    def row(self, bench: Bench) -> Row:
        return Row(
            name=self.case.name,
            group=self.case.group,
            command=shown(self.case.words, bench),
            runs=() if self.error else tuple(self.taken),
            memory=None if self.error else self.memory,
            sizes={} if self.error else self.sizes,
            facts=self.case.facts,
            note="looked at for memory in the same run" if self.case.once else self.case.note,
            error=self.error,
        )


def _guard(bench: Bench, state: _Kept, action: Callable[[Bench, _Kept], None]) -> None:
    try:
        action(bench, state)
    except RunError as error:
        state.error = str(error)


def _first(bench: Bench, state: _Kept) -> None:
    for words in state.case.prepare:
        with empty(bench) as work:
            measure(words, work, environment())
    with empty(bench) as work:
        words, status = state.case.words, state.case.status
        used, state.memory = measure_tree(words, work, environment(), status=status)
        if state.case.once:
            state.taken.append(dataclasses.asdict(used))
        found = sorted(path for pattern in state.case.sizes for path in work.glob(pattern))
        state.sizes = {path.name: path.stat().st_size for path in found}


def _counted(bench: Bench, state: _Kept) -> None:
    with empty(bench) as work:
        used = measure(state.case.words, work, environment(), status=state.case.status)
    state.taken.append(dataclasses.asdict(used))


@contextlib.contextmanager
def empty(bench: Bench) -> Iterator[Path]:
    """Make an empty directory for a run, which is gone afterwards."""
    path = Path(tempfile.mkdtemp(dir=bench.scratch, prefix="run-"))
    try:
        yield path
    finally:
        shutil.rmtree(path)


def shown(words: Sequence[str], bench: Bench) -> str:
    """Return a command as it is shown: no paths of this machine, packages by their names."""
    parts = list(_shown(words, bench))
    left_out = len(parts) - _SHOWN
    return " ".join(parts if left_out <= 0 else [*parts[:_SHOWN], f"… {left_out} more"])


def _shown(words: Sequence[str], bench: Bench) -> Iterator[str]:
    scratch = re.compile(re.escape(str(bench.scratch)) + r"/")
    for word in words:
        text = scratch.sub("", word)
        if text.endswith((".deb", ".apk")):
            text = text.rpartition("/")[2]
        if bench.minivm is not None:
            text = text.replace(str(bench.minivm), "minivm")
        text = text.replace(f"{TOP}/", "")
        yield text if not text.startswith("/") else text.rpartition("/")[2]
