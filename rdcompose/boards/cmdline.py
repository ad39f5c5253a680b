"""The kernel command line of a set: consoles and root, and what a user adds.

Sources: ``Documentation/admin-guide/kernel-parameters.txt`` of Linux; the aliases of serial ports
in the device trees (``arch/arm*/boot/dts/broadcom``); Raspberry Pi's documentation ("config.txt",
"Configure UARTs"), by which the firmware puts the port's own name for ``serial0``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rdcompose.boards.netroot import network_root
from rdcompose.errors import SpecError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rdcompose.boards.models import Model

DEFAULT_ROOT: Final = "/dev/mmcblk0p2"
NO_ROOT: Final = "none"
# COMMAND_LINE_SIZE of arm is 1024, of arm64 2048; the firmware adds some 300 of its own.
MAX_LENGTH: Final = 700

# The serial port at pins 14 and 15 (of a Pi 5 the one with a socket of its own) as Linux calls it
# with its own device trees: on boards with wireless, ttyAMA0 leads to Bluetooth, and they have
# ttyS1.
_SERIAL: Final[Mapping[str, tuple[str, ...]]] = {
    "zero": ("ttyAMA0", "ttyS1"),
    "1": ("ttyAMA0",),
    "2": ("ttyAMA0",),
    "zero2": ("ttyS1",),
    "3": ("ttyS1",),
    "4": ("ttyS1",),
    "5": ("ttyAMA10",),
}
# The kernel writes to all that there are. What init and the system say goes to the last, and where
# a board does not have that one, to the first, the screen: so the last is what most boards have.
_ORDER: Final = ("ttyAMA10", "ttyAMA0", "ttyS1")
ROOTS: Final = frozenset({"root", "nbdroot", "nfsroot"})
_DOWNSTREAM: Final = ("serial0",)


def command_line(
    models: Sequence[Model], *, upstream: bool, root: str | None = None, words: str = ""
) -> str:
    """Return the one line; consoles and root that ``words`` has itself are left to it.

    :raises SpecError: it is not one line of printable ASCII, or is too long.
    """
    own = {word.partition("=")[0] for word in words.split()}
    line = []
    if "console" not in own:
        line += [
            "console=tty0",
            *(f"console={port},115200" for port in _ports(models, upstream=upstream)),
        ]
    if not names_root(words) or root is not None:
        line += root_words(DEFAULT_ROOT if root is None else root, words)
    return checked_line(" ".join([*line, *words.split(" ")]).strip(" "))


def checked_line(text: str) -> str:
    """Return a command line that firmware and kernel take.

    :raises SpecError: it is not one line of printable ASCII, or is too long.
    """
    wrong = next((char for char in text if not " " <= char <= "~"), None)
    if wrong is not None:
        raise SpecError(
            f"the command line holds the character {wrong!a}, and has to be one line of "
            "printable ASCII"
        )
    if len(text) > MAX_LENGTH:
        raise SpecError(
            f"the command line has {len(text)} characters, and {MAX_LENGTH} are what kernel and "
            "firmware leave room for"
        )
    return text


def names_root(words: str) -> bool:
    """Whether words of a command line say themselves what the root is."""
    return any(word.partition("=")[0] in ROOTS for word in words.split())


def check_words(root: str | None, words: str) -> None:
    """Check that a root that is asked for is the only one.

    :raises UsageError: words for the command line name another.
    """
    if root is not None and any(word.startswith("root=") for word in words.split()):
        raise UsageError(
            f"--root {root} and the root= of --cmdline are two roots", hint="leave out one of them"
        )


def root_words(root: str, own: str = "") -> list[str]:
    """Return what the kernel command line has to say of a root beside a user's own words.

    :raises SpecError: it is none.
    """
    if root == NO_ROOT:
        # Without the word, init waits for a disk.
        return [f"root={NO_ROOT}"]
    server = network_root(root, own)
    if server is not None:
        return [*server.words]
    if root.split() != [root]:
        raise SpecError(
            f"--root {root!r} is no root",
            hint="/dev/mmcblk0p2, PARTUUID=…, LABEL=…, nbd:SERVER/NAME, nfs:SERVER:/PATH or none",
        )
    return [f"root={root}", "rootwait"]


def _ports(models: Sequence[Model], *, upstream: bool) -> tuple[str, ...]:
    if not upstream:
        return _DOWNSTREAM
    wanted = {port for model in models for port in _SERIAL[model.name]}
    return tuple(port for port in _ORDER if port in wanted)
