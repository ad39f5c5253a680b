"""Makes a check: what to attach and append for it, and boots until there is a verdict."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rdcompose.qemu.process import run_machine
from rdcompose.qemu.verdict import Expected, died_early, is_last, judge

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rdcompose.qemu.process import Run
    from rdcompose.qemu.verdict import Verdict

# Software emulation now and then breaks a kernel in an interrupt before init has started:
# that says nothing about a composition. A second time it does.
CRASHES: Final = 1
_HERE: Final = "/dev/rdcompose"
# The devices that disks can be on the machines of boards.py.
_DISKS: Final = "/dev/vd[a-z] /dev/sd[a-z] /dev/nvme[0-9]n1"
# Runs in the root's own shell, before anything of the check is there. The kernel takes a
# double quote as the end of the text, and an init may read it as options: it has no "=".
BOOTSTRAP: Final = (
    f"mkdir {_HERE}; for d in {_DISKS}; do mount -t squashfs -o ro $d {_HERE} 2> /dev/null || "
    f"continue; [ ! -e {_HERE}/etc/check ] || exec {_HERE}/bin/busybox sh {_HERE}/sbin/init; "
    f"umount {_HERE}; done; echo rdcompose-check: lost"
)


def beside_root() -> str:
    """Return what the kernel command line needs for a check on a disk beside the root."""
    return f'init=/bin/sh -- -c "{BOOTSTRAP}"'


def facts(expected: Expected) -> list[str]:
    """Return the lines that the script in the guest reads."""
    return [*(f"module {name}" for name in expected.autoload), f"init {expected.init}"]


def check(
    argv: Sequence[str],
    expected: Expected,
    *,
    limit: float,
    screen: Callable[[bytes], None] | None = None,
) -> tuple[Run, Verdict, int]:
    """Boot and judge; once more if the kernel crashed before init.

    Returns the run that was judged, the verdict and the number of crashes. ``limit`` is in
    seconds, for each boot; ``screen`` gets the console as it comes.

    :raises SpecError: QEMU cannot be started.
    """
    crashes = 0
    while True:
        run = run_machine(argv, limit=limit, screen=screen, last=is_last)
        if not died_early(run.lines):
            break
        crashes += 1
        if crashes > CRASHES:
            break
    return run, judge(run, expected, limit=limit), crashes
