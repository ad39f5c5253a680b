"""Judges a boot by its console: what was proven, and what went wrong first."""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rdcompose.qemu.console import Line
    from rdcompose.qemu.process import Run

_PREFIX: Final = "rdcompose-check: "
END: Final = _PREFIX + "end"
_BANNER: Final = re.compile(r"Linux version (\S+) \(")
_PANIC: Final = re.compile(r"Kernel panic - not syncing: (.*)")
_CRASH: Final = re.compile(r"Kernel panic - |Fatal exception|BUG: unable to handle")
_INIT_RUNS: Final = re.compile(r"Run /\S+ as init process|^rdcompose: ")
# The end of a panic's report; the machine stands still, or restarts, which ends QEMU.
_PANIC_END: Final = "---[ end Kernel panic"
# The first also where a machine cannot start again: "Reboot failed -- System halted".
_HALTED: Final = re.compile(r"System halted|reboot: Power down")
# What init of the built-in template says: docs/boot.md lists these messages.
_ERROR: Final = re.compile(r"^rdcompose: (?:\[ *[\d.]+\] )?error: (.*)")
_MISMATCH: Final = re.compile(r"^rdcompose: .*(this initramfs is for \S+, the kernel is \S+):")
_NO_DISK: Final = re.compile(r"^rdcompose: .*(there is no modules disk for .*)")
_LOST: Final = re.compile(f"^{_PREFIX}lost")
TAIL: Final = 30


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What a boot should come to. An empty ``root_kinds`` is any, as long as it is a disk.

    ``init`` is the program of the root that takes over.
    """

    release: str
    autoload: tuple[str, ...]
    root_kinds: tuple[str, ...]
    modules_disk: bool
    init: str


@dataclasses.dataclass(frozen=True, slots=True)
class Step:
    """A thing to prove. ``passed`` is ``None`` if the boot did not come to it, or need not."""

    name: str
    passed: bool | None
    detail: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The result of a check; ``reason`` is what went wrong first, empty if nothing did."""

    steps: tuple[Step, ...]
    reason: str
    tail: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether everything was proven."""
        return not self.reason


def is_last(line: Line) -> bool:
    """Whether nothing that matters can come behind this line."""
    return (
        line.text.startswith(END)
        or _PANIC_END in line.text
        or _HALTED.search(line.text) is not None
    )


def died_early(lines: Sequence[Line]) -> bool:
    """Whether the kernel crashed before init could have had a part in it."""
    return any(_CRASH.search(line.text) for line in lines) and not any(
        _INIT_RUNS.search(line.message) for line in lines
    )


@dataclasses.dataclass(slots=True)
class _Findings:
    """What the script in the guest said."""

    values: dict[str, list[str]]

    @classmethod
    def read(cls, lines: Sequence[Line]) -> _Findings:
        values: dict[str, list[str]] = {}
        for line in lines:
            if line.text.startswith(_PREFIX):
                key, _, value = line.text.removeprefix(_PREFIX).partition(" ")
                values.setdefault(key, []).append(value)
        return cls(values)

    def last(self, key: str) -> str | None:
        found = self.values.get(key)
        return found[-1] if found else None

    def all(self, key: str) -> list[str]:
        return self.values.get(key, [])


def judge(run: Run, expected: Expected, *, limit: float) -> Verdict:
    """Judge one run of a machine."""
    findings = _Findings.read(run.lines)
    steps = [step(run.lines, findings, expected) for step in _STEPS]
    reason = _breakdown(run.lines)
    if not reason:
        reason = next((f"{s.name}: {s.detail}" for s in steps if s.passed is False), "")
    if not reason and findings.last("end") is None:
        reason = _ending(run, limit)
    if reason:
        steps = _after_failure(steps, reason)
    tail = tuple(line.text for line in run.lines[-TAIL:])
    return Verdict(steps=tuple(steps), reason=reason, tail=tail)


def _after_failure(steps: list[Step], reason: str) -> list[Step]:
    """Blame the first step that was not proven when none was found to be wrong."""
    if any(step.passed is False for step in steps):
        return steps
    for number, step in enumerate(steps):
        if step.passed is None and step.detail == _NOT_REACHED:
            steps[number] = Step(step.name, passed=False, detail=reason)
            break
    return steps


def _breakdown(lines: Sequence[Line]) -> str:
    """Return what the console itself says went wrong, the first of it.

    Only up to the end of the check: the machine may not be able to switch itself off behind it.
    """
    for line in lines:
        if line.text.startswith(END):
            break
        for pattern, text in _BREAKDOWNS:
            if found := pattern.search(line.message):
                return text(found)
    return ""


_BREAKDOWNS: Final[tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], str]], ...]] = (
    (_MISMATCH, lambda found: found[1]),
    (_ERROR, lambda found: found[1]),
    (_LOST, lambda _found: "the disk with the check cannot be mounted in the booted root"),
    (_PANIC, lambda found: f"the kernel panicked: {found[1]}"),
)


def _ending(run: Run, limit: float) -> str:
    last = next((line.text for line in reversed(run.lines) if line.text), "")
    if run.too_much:
        return "the console printed without end"
    if run.timed_out:
        where = f"after {last!r}" if last else "and nothing was printed"
        return f"the machine did not come to the end of the check in {limit:g} s, {where}"
    if not last:
        return f"QEMU ended with status {run.status} and nothing was printed"
    return f"the machine ended (QEMU's status {run.status}) after {last!r}"


_NOT_REACHED: Final = "not reached"


def _kernel(lines: Sequence[Line], findings: _Findings, expected: Expected) -> Step:
    name = "kernel release"
    release = findings.last("release")
    if release is None:
        banners = (_BANNER.search(line.message) for line in lines)
        release = next((found[1] for found in banners if found), None)
    if release is None:
        return Step(name, None, _NOT_REACHED)
    if release != expected.release:
        return Step(name, passed=False, detail=f"it is {release}, not {expected.release}")
    return Step(name, passed=True, detail=release)


def _autoload(_lines: Sequence[Line], findings: _Findings, expected: Expected) -> Step:
    name = "autoload modules"
    if not expected.autoload:
        return Step(name, None, "none in the list")
    told = dict(value.rpartition(" ")[::2] for value in findings.all("module"))
    if set(told) != set(expected.autoload):
        return Step(name, None, _NOT_REACHED)
    missing = [module for module in expected.autoload if told[module] != "loaded"]
    if missing:
        return Step(name, passed=False, detail=f"not loaded: {', '.join(missing)}")
    return Step(name, passed=True, detail=f"{len(told)} loaded")


def _root(_lines: Sequence[Line], findings: _Findings, expected: Expected) -> Step:
    name = "root filesystem"
    told = findings.last("root")
    if told is None:
        return Step(name, None, _NOT_REACHED)
    device, kind, access = [*told.split(" "), "", ""][:3]
    detail = f"{kind} on {device}, {access}"
    if kind in {"rootfs", "ramfs"} or (expected.root_kinds and kind not in expected.root_kinds):
        wanted = " or ".join(expected.root_kinds) or "a filesystem on a disk"
        return Step(name, passed=False, detail=f"it is {detail}, not {wanted}")
    return Step(name, passed=True, detail=detail)


def _disk(lines: Sequence[Line], findings: _Findings, expected: Expected) -> Step:
    name = "modules disk"
    if not expected.modules_disk:
        return Step(name, None, "the composition has none")
    disk, mounted = findings.last("disk"), findings.last("modules")
    if findings.last("end") is None and (disk is None or mounted is None):
        return Step(name, None, _NOT_REACHED)
    if mounted is None:
        said = (_NO_DISK.search(line.text) for line in lines)
        because = next((found[1] for found in said if found), "nothing is mounted")
        return Step(name, passed=False, detail=because)
    if disk is None:
        return Step(name, passed=False, detail="no disk holds the modules of this release")
    return Step(name, passed=True, detail=f"{disk}, shown as {mounted.rpartition(' ')[2]}")


def _module(_lines: Sequence[Line], findings: _Findings, expected: Expected) -> Step:
    name = "module from the disk"
    if not expected.modules_disk:
        return Step(name, None, "the composition has no disk")
    if (loaded := findings.last("loads")) is not None:
        return Step(name, passed=True, detail=f"{loaded} loads")
    if (broken := findings.last("does")) is not None:
        module = broken.rpartition(" ")[2]
        return Step(name, passed=False, detail=f"{module} does not load")
    if findings.last("no") is not None:
        return Step(name, passed=False, detail="modules.dep names none that is there")
    return Step(name, None, _NOT_REACHED)


def _init(_lines: Sequence[Line], findings: _Findings, expected: Expected) -> Step:
    name = "switched to init"
    process = findings.last("process")
    if process is None or findings.last("end") is None:
        return Step(name, None, _NOT_REACHED)
    if process != "1":
        return Step(name, passed=False, detail=f"the check is process {process}, not the first")
    told = findings.last("init")
    if told is not None and not told.endswith(" there"):
        return Step(name, passed=False, detail=f"the root has no program {expected.init}")
    return Step(name, passed=True, detail=f"{expected.init} of the root")


_STEPS: Final = (_kernel, _autoload, _root, _disk, _module, _init)
